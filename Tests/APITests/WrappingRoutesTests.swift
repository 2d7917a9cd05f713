import API
import Control
import HTTP
import Postgres
import Support
import Testing
import Wire

/// Answers that are opened once, by whoever has their token.
@Suite struct WrappingRoutesTests {
    private func wrap(
        _ api: APIFixture,
        _ method: HTTP.Method = .post,
        _ path: String = "sys/wrapping/wrap",
        _ body: String = #"{"user":"planted-secret"}"#,
        lifetime: String = "60s"
    ) async throws -> Document {
        let reply = try await api.send(
            method,
            "/v1/\(path)",
            token: api.admin,
            body: body,
            [("x-vault-wrap-ttl", lifetime)]
        )
        #expect(reply.status == 200, "\(reply.body)")
        #expect(reply.body["data"]?.isNull == true)
        #expect(reply.body["auth"]?.isNull == true)
        return try #require(reply.body["wrap_info"])
    }

    private func call(
        _ api: APIFixture,
        _ name: String,
        _ token: String,
        as own: String? = nil
    ) async throws -> APIFixture.Reply {
        try await api.send(
            .post,
            "/v1/sys/wrapping/\(name)",
            token: own,
            body: token.isEmpty ? "{}" : #"{"token":"\#(token)"}"#
        )
    }

    @Test func anAnswerIsOpenedOnce() async throws {
        try await APIFixture.with { api in
            let info = try await wrap(api)
            #expect(info["ttl"]?.integer == 60)
            #expect(info["creation_path"]?.text == "sys/wrapping/wrap")
            let token = try #require(info["token"]?.text)
            let seen = try await call(api, "lookup", token)
            #expect(seen.body["data"]?["creation_ttl"]?.integer == 60)
            #expect(seen.body["data"]?["creation_path"]?.text == "sys/wrapping/wrap")
            let opened = try await call(api, "unwrap", token)
            #expect(opened.status == 200)
            #expect(opened.body["data"]?["user"]?.text == "planted-secret")
            for name in ["unwrap", "lookup", "rewrap"] {
                let again = try await call(api, name, token)
                #expect(again.status == 400)
                #expect(
                    again.body["errors"]?.items?.compactMap(\.text)
                        == ["wrapping token is not valid or does not exist"]
                )
            }
            let trail = try await api.send(
                .get,
                "/v1/audit?action=wrapping.unwrap",
                token: api.admin
            )
            let records = trail.body["items"]?.items ?? []
            #expect(records.compactMap { $0["reason"]?.text } == ["used_before"])
            #expect(records.count == 2)
        }
    }

    @Test func twoWhoAskAtOnceDoNotBothGetIt() async throws {
        try await APIFixture.with { api in
            let token = try #require(try await wrap(api)["token"]?.text)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await self.call(api, "unwrap", token).status }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } == 1)
            #expect(statuses.count { $0 == 400 } == 7)
        }
    }

    @Test func anyCallIsWrappedAndItsTokenIsTheOnlyWayIn() async throws {
        try await APIFixture.with { api in
            let admin = try await api.token(policies: ["admin"])
            let reply = try await api.send(
                .post,
                "/v1/auth/token/create",
                token: admin,
                body: #"{"policies":["read-only"]}"#,
                [("x-vault-wrap-ttl", "300")]
            )
            let info = try #require(reply.body["wrap_info"])
            let accessor = try #require(info["wrapped_accessor"]?.text)
            #expect(info["creation_path"]?.text == "auth/token/create")
            let token = try #require(info["token"]?.text)
            // It is no token for anything else.
            #expect(try await api.send(.get, "/v1/status", token: token).status == 401)
            // As the token of the request.
            let opened = try await call(api, "unwrap", "", as: token)
            #expect(opened.body["auth"]?["accessor"]?.text == accessor)
            let made = try #require(opened.body["auth"]?["client_token"]?.text)
            #expect(try await api.send(.get, "/v1/status", token: made).status == 200)
            // What has no body, and what is refused, is given as it is.
            let nothing = try await api.send(
                .post,
                "/v1/sys/policies/acl/x",
                token: admin,
                body: #"{"policy":"path \"a\" {capabilities=[\"read\"]}"}"#,
                [("x-vault-wrap-ttl", "60")]
            )
            #expect(nothing.status == 204)
            let absent = try await api.send(
                .get,
                "/v1/secret/data/none",
                token: admin,
                [("x-vault-wrap-ttl", "60")]
            )
            #expect(absent.status == 404)
            let plain = try await api.send(
                .post,
                "/v1/sys/wrapping/wrap",
                token: admin,
                body: "{}"
            )
            #expect(plain.status == 400)
            let nobody = try await api.send(
                .post,
                "/v1/sys/wrapping/wrap",
                token: nil,
                body: "{}",
                [("x-vault-wrap-ttl", "60")]
            )
            #expect(nobody.status == 403)
        }
    }

    @Test func aWrappedAnswerIsWrappedAgain() async throws {
        try await APIFixture.with { api in
            let first = try #require(try await wrap(api)["token"]?.text)
            let again = try await call(api, "rewrap", first)
            let info = try #require(again.body["wrap_info"], "\(again.body)")
            #expect(info["creation_path"]?.text == "sys/wrapping/wrap")
            #expect(info["ttl"]?.integer == 60)
            #expect(try await call(api, "unwrap", first).status == 400)
            let second = try #require(info["token"]?.text)
            #expect(try await call(api, "unwrap", second).status == 200)
        }
    }

    @Test func theDatabaseDecidesAboutTheEnd() async throws {
        try await APIFixture.with { api in
            let token = try #require(try await wrap(api, lifetime: "1")["token"]?.text)
            let connection = try await api.database.connect()
            try await connection.query("SELECT pg_sleep(1.1)")
            await connection.close()
            #expect(try await call(api, "lookup", token).status == 400)
            #expect(try await call(api, "unwrap", token).status == 400)
        }
    }

    @Test func whatIsStoredIsSealedAndDoesNotComeBack() async throws {
        try await APIFixture.with { api in
            let token = try #require(try await wrap(api)["token"]?.text)
            let connection = try await api.database.connect()
            let text: String = try await connection.query(
                "SELECT string_agg(w::text || encode(sealed, 'escape'), '') FROM turnpike.wrapped_answers w"
            ).single().decode(at: 0)
            #expect(!text.contains("planted-secret"))
            #expect(!text.contains(token))
            try await connection.query("CREATE TABLE public.kept AS TABLE turnpike.wrapped_answers")
            #expect(try await call(api, "unwrap", token).status == 200)
            try await connection.query("DELETE FROM turnpike.wrapped_answers")
            try await connection.query(
                "INSERT INTO turnpike.wrapped_answers SELECT * FROM public.kept"
            )
            #expect(try await call(api, "unwrap", token).status == 400)
            // An end that was moved is no end of ours.
            let other = try #require(try await wrap(api)["token"]?.text)
            try await connection.query(
                "UPDATE turnpike.wrapped_answers SET expires_at = expires_at + interval '1 day'"
            )
            #expect(try await call(api, "unwrap", other).status == 400)
            await connection.close()
        }
    }

    @Test(arguments: ["", "tpw.", "garbage", "tpw." + String(repeating: "A", count: 43)])
    func otherTokensOpenNothing(token: String) async throws {
        try await APIFixture.with { api in
            for name in ["unwrap", "lookup", "rewrap"] {
                for own in [nil, api.admin] {
                    let reply = try await call(api, name, token, as: own)
                    #expect(reply.status == 400)
                }
            }
        }
    }

    @Test func whoHasNoTokenMakesNoRows() async throws {
        try await APIFixture.with { api in
            let connection = try await api.database.connect()
            let counts: SQL = """
                SELECT (SELECT count(*) FROM turnpike.wrapped_answers)
                    + (SELECT count(*) FROM turnpike.audit)
                """
            let before: Int64 = try await connection.query(counts).single().decode(at: 0)
            for path in ["seal-status", "health", "leader", "init"] {
                let reply = try await api.send(
                    .get,
                    "/v1/sys/\(path)",
                    token: nil,
                    [("x-vault-wrap-ttl", "720h")]
                )
                #expect(reply.body["wrap_info"]?.entries == nil, "\(path)")
            }
            let after: Int64 = try await connection.query(counts).single().decode(at: 0)
            #expect(before == after)
            await connection.close()
        }
    }

    @Test func whoAsksAgainAndAgainIsCounted() async throws {
        try await APIFixture.with { api in
            let token = try #require(try await wrap(api)["token"]?.text)
            for _ in 0..<60 { _ = try await call(api, "unwrap", token) }
            let trail = try await api.send(
                .get,
                "/v1/audit?action=wrapping.unwrap&limit=100",
                token: api.admin
            )
            // Twenty in a minute, and a minute may end in between.
            let records = trail.body["items"]?.items ?? []
            #expect((20...41).contains(records.count))
        }
    }

    @Test func nothingIsMadeThatWouldNotBeGiven() async throws {
        try await APIFixture.with { api in
            _ = try await wrap(api)
            let connection = try await api.database.connect()
            try await connection.query(
                """
                INSERT INTO turnpike.wrapped_answers (id, token_hmac, sealed, creation_path,
                    wrapped_accessor, lifetime_seconds, created_by, created_at, expires_at, mac)
                SELECT gen_random_uuid(), decode(md5(n::text), 'hex'), sealed, creation_path,
                    wrapped_accessor, lifetime_seconds, created_by, created_at, expires_at, mac
                FROM turnpike.wrapped_answers, generate_series(1, 999) n
                """
            )
            let reply = try await api.send(
                .post,
                "/v1/auth/token/create",
                token: api.admin,
                body: #"{"policies":["read-only"]}"#,
                [("x-vault-wrap-ttl", "60s")]
            )
            #expect(reply.status == 429)
            let made: Int64 = try await connection.query(
                "SELECT count(*) FROM turnpike.tokens WHERE kind <> 'bootstrap'"
            ).single().decode(at: 0)
            #expect(made == 0)
            await connection.close()
        }
    }
}
