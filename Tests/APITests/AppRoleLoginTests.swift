import HTTP
import Postgres
import Support
import Testing
import Wire

/// Programs that log in by a role's id and a secret id, and whom neither lets in.
@Suite(.timeLimit(.minutes(2))) struct AppRoleLoginTests {
    private static let place = "auth/apps/role/web"

    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String = "{}",
        token: String? = nil
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/\(path)", token: token ?? api.admin, body: body)
    }

    private func with(
        _ role: String = #"{"token_policies":["read-only"],"token_ttl":"10m"}"#,
        _ body: (APIFixture, String) async throws -> Void
    ) async throws {
        try await APIFixture.with { api in
            let mounted = try await post(api, "sys/auth/apps", #"{"type":"approle"}"#)
            #expect(mounted.status == 204, "\(mounted.body)")
            let stored = try await post(api, Self.place, role)
            #expect(stored.status == 204, "\(stored.body)")
            let read = try await api.send(.get, "/v1/\(Self.place)/role-id", token: api.admin)
            try await body(api, try #require(read.body["data"]?["role_id"]?.text))
        }
    }

    private func secret(
        _ api: APIFixture,
        _ body: String = "{}"
    ) async throws -> (secret: String, accessor: String) {
        let made = try await post(api, "\(Self.place)/secret-id", body)
        #expect(made.status == 200, "\(made.body)")
        return (
            try #require(made.body["data"]?["secret_id"]?.text),
            try #require(made.body["data"]?["secret_id_accessor"]?.text)
        )
    }

    private func logIn(
        _ api: APIFixture,
        _ role: String,
        _ secret: String?
    ) async throws -> APIFixture.Reply {
        let secret = secret.map { #","secret_id":"\#($0)""# } ?? ""
        return try await api.send(
            .post,
            "/v1/auth/apps/login",
            token: nil,
            body: #"{"role_id":"\#(role)"\#(secret)}"#
        )
    }

    private func reasons(_ api: APIFixture) async throws -> [String] {
        let list = try await api.send(
            .get,
            "/v1/audit?action=auth.login&limit=100",
            token: api.admin
        )
        return (list.body["items"]?.items ?? []).compactMap { $0["reason"]?.text }
    }

    @Test func bothIDsTogetherGiveATokenOfTheRole() async throws {
        try await with { api, role in
            let made = try await secret(api, #"{"metadata":"{\"host\":\"a\"}"}"#)
            let reply = try await logIn(api, role, made.secret)
            #expect(reply.status == 200, "\(reply.body)")
            let auth = try #require(reply.body["auth"])
            #expect(auth["policies"]?.items?.compactMap(\.text) == ["read-only"])
            #expect(auth["lease_duration"]?.integer == 600)
            #expect(auth["metadata"] == ["role_name": "web", "host": "a"])
            // A change of the role keeps its id and its secret ids.
            _ = try await post(api, Self.place, #"{"token_ttl":"5m"}"#)
            #expect(try await logIn(api, role, made.secret).status == 200)
            let renamed = try await post(api, "\(Self.place)/role-id", #"{"role_id":"the-web"}"#)
            #expect(renamed.status == 204)
            #expect(try await logIn(api, role, made.secret).status == 400)
            #expect(try await logIn(api, "the-web", made.secret).status == 200)
            _ = try await post(api, "auth/apps/role/other")
            let taken = try await post(
                api,
                "auth/apps/role/other/role-id",
                #"{"role_id":"the-web"}"#
            )
            #expect(taken.status == 400)
        }
    }

    @Test func everyRefusalIsTheSameAndTheTrailTellsWhy() async throws {
        try await with { api, role in
            let other = try await post(api, "auth/apps/role/other/custom-secret-id")
            #expect(other.status == 400 || other.status == 404)
            _ = try await post(api, "auth/apps/role/other")
            let foreign = try await post(
                api,
                "auth/apps/role/other/secret-id"
            ).body["data"]?["secret_id"]?.text
            let away = try await secret(api, #"{"cidr_list":"10.0.0.0/8"}"#)
            let bound = try await secret(api, #"{"token_bound_cidrs":["10.0.0.0/8"]}"#)
            let ended = try await secret(api)
            let database = try await api.database.connect()
            let destroyed = try await post(
                api,
                "\(Self.place)/secret-id-accessor/destroy",
                #"{"secret_id_accessor":"\#(ended.accessor)"}"#
            )
            #expect(destroyed.status == 204)
            let refused: [(String, String?, String)] = [
                ("nobody", ended.secret, "unknown_role_id"),
                (role, nil, "unknown_secret_id"),
                (role, "guessed-guessed-guessed", "unknown_secret_id"),
                (role, foreign, "unknown_secret_id"),
                (role, ended.secret, "unknown_secret_id"),
                (role, away.secret, "secret_id_elsewhere"),
                (role, bound.secret, "elsewhere"),
            ]
            var bodies: [Document] = []
            for (role, secret, reason) in refused {
                let reply = try await logIn(api, role, secret)
                #expect(reply.status == 400, "\(reason)")
                bodies.append(reply.body)
            }
            #expect(bodies.allSatisfy { $0 == bodies.first })
            #expect(try await reasons(api).sorted() == refused.map(\.2).sorted())
            // Neither the database nor the trail has ever seen one of them.
            let kept: Int64 = try await database.query(
                """
                SELECT count(*) FROM (
                    SELECT s::text AS row FROM turnpike.secret_ids s
                    UNION ALL SELECT a::text FROM turnpike.audit a
                ) AS rows WHERE strpos(row, \(away.secret)) > 0
                    OR strpos(row, encode(\(away.secret)::bytea, 'hex')) > 0
                """
            ).single().decode(at: 0)
            #expect(kept == 0)
            await database.close()
        }
    }

    @Test func usesAreCountedOneByOne() async throws {
        try await with(#"{"secret_id_num_uses":5}"#) { api, role in
            let made = try await secret(api, #"{"num_uses":3}"#)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await logIn(api, role, made.secret).status }
                }
                var statuses: [Int] = []
                for try await status in group { statuses.append(status) }
                return statuses
            }
            // Others may be told to slow down, but nobody gets a fourth token.
            let granted = statuses.count { $0 == 200 }
            #expect((1...3).contains(granted))
            for _ in granted..<3 { #expect(try await logIn(api, role, made.secret).status == 200) }
            #expect(try await logIn(api, role, made.secret).status == 400)
            let gone = try await post(
                api,
                "\(Self.place)/secret-id/lookup",
                #"{"secret_id":"\#(made.secret)"}"#
            )
            #expect(gone.status == 204)
        }
    }

    @Test func rowsThatSomebodyPutBackLetNobodyIn() async throws {
        try await with { api, role in
            let once = try await secret(api, #"{"num_uses":2}"#)
            let ended = try await secret(api)
            let database = try await api.database.connect()
            try await database.query("CREATE TABLE public.kept AS TABLE turnpike.secret_ids")
            #expect(try await logIn(api, role, once.secret).status == 200)
            _ = try await post(
                api,
                "\(Self.place)/secret-id/destroy",
                #"{"secret_id":"\#(ended.secret)"}"#
            )
            try await database.query("DELETE FROM turnpike.secret_ids")
            try await database.query("INSERT INTO turnpike.secret_ids SELECT * FROM public.kept")
            #expect(try await logIn(api, role, once.secret).status == 400)
            #expect(try await logIn(api, role, ended.secret).status == 400)
            let fresh = try await secret(api)
            try await database.query(
                "UPDATE turnpike.secret_ids SET expires_at = expires_at + interval '1 day'"
            )
            #expect(try await logIn(api, role, fresh.secret).status == 400)
            await database.close()
        }
    }

    @Test func aRoleThatIsMadeAgainHasNoneOfTheOldSecrets() async throws {
        try await with { api, _ in
            _ = try await post(api, "\(Self.place)/role-id", #"{"role_id":"the-web"}"#)
            let made = try await secret(api)
            let database = try await api.database.connect()
            try await database.query("CREATE TABLE public.kept AS TABLE turnpike.secret_ids")
            _ = try await api.send(.delete, "/v1/\(Self.place)", token: api.admin)
            #expect(try await logIn(api, "the-web", made.secret).status == 400)
            let left: Int64 = try await database.query("SELECT count(*) FROM turnpike.secret_ids")
                .single().decode(at: 0)
            #expect(left == 0)
            _ = try await post(api, Self.place)
            _ = try await post(api, "\(Self.place)/role-id", #"{"role_id":"the-web"}"#)
            try await database.query("INSERT INTO turnpike.secret_ids SELECT * FROM public.kept")
            #expect(try await logIn(api, "the-web", made.secret).status == 400)
            await database.close()
            _ = try await api.send(.delete, "/v1/sys/auth/apps", token: api.admin)
            #expect(try await logIn(api, "the-web", made.secret).status == 404)
        }
    }

    @Test func whatIsAskedForLiesWithinTheRole() async throws {
        let role = """
            {"secret_id_num_uses":5,"secret_id_ttl":"1h","secret_id_bound_cidrs":["192.0.2.0/24"],
             "token_bound_cidrs":["192.0.2.0/24"]}
            """
        try await with(role) { api, roleID in
            let wrong = [
                #"{"num_uses":6}"#, #"{"ttl":"2h"}"#, #"{"cidr_list":["192.0.0.0/16"]}"#,
                #"{"cidr_list":["x"]}"#, #"{"token_bound_cidrs":["0.0.0.0/0"]}"#,
                #"{"metadata":"x"}"#, #"{"metadata":{"a":1}}"#, #"{"metadata":["a"]}"#,
            ]
            for body in wrong {
                let reply = try await post(api, "\(Self.place)/secret-id", body)
                #expect(reply.status == 400, "\(body)")
            }
            let made = try await post(
                api,
                "\(Self.place)/secret-id",
                #"{"cidr_list":["192.0.2.1/32"],"ttl":60,"num_uses":1}"#
            )
            #expect(made.body["data"]?["secret_id_ttl"]?.integer == 60)
            let secret = try #require(made.body["data"]?["secret_id"]?.text)
            #expect(try await logIn(api, roleID, secret).status == 200)
            for body in [#"{"secret_id":"short"}"#, "{}"] {
                let reply = try await post(api, "\(Self.place)/custom-secret-id", body)
                #expect(reply.status == 400, "\(body)")
            }
            let chosen = #"{"secret_id":"chosen-by-somebody"}"#
            #expect(try await post(api, "\(Self.place)/custom-secret-id", chosen).status == 200)
            #expect(try await post(api, "\(Self.place)/custom-secret-id", chosen).status == 400)
        }
    }

    @Test func rolesBindSomething() async throws {
        try await with { api, _ in
            let wrong = [
                #"{"bind_secret_id":false}"#, #"{"local_secret_ids":true}"#,
                #"{"secret_id_ttl":"9000h"}"#, #"{"secret_id_bound_cidrs":["x"]}"#,
                #"{"secret_id_num_uses":-1}"#,
            ]
            for body in wrong {
                let reply = try await post(api, "auth/apps/role/x", body)
                #expect(reply.status == 400, "\(body)")
            }
            let near = #"{"bind_secret_id":false,"token_bound_cidrs":["192.0.2.1/32"]}"#
            #expect(try await post(api, "auth/apps/role/near", near).status == 204)
            let id = try await api.send(.get, "/v1/auth/apps/role/near/role-id", token: api.admin)
            let role = try #require(id.body["data"]?["role_id"]?.text)
            #expect(try await logIn(api, role, nil).status == 200)
            let far = #"{"bind_secret_id":false,"token_bound_cidrs":["10.0.0.0/8"]}"#
            _ = try await post(api, "auth/apps/role/near", far)
            #expect(try await logIn(api, role, nil).status == 400)
            let none = try await post(api, "auth/apps/role/near/secret-id")
            #expect(none.status == 400)
            for path in ["nobody/role-id", "nobody/secret-id"] {
                let reply = try await api.send(
                    path.hasSuffix("role-id") ? .get : .list,
                    "/v1/auth/apps/role/\(path)",
                    token: api.admin
                )
                #expect(reply.status == 404, "\(path)")
            }
        }
    }
}
