import Control
import HTTP
import Postgres
import Support
import Testing
import Wire

/// People who log in by name and password.
@Suite(.timeLimit(.minutes(2))) struct PasswordLoginTests {
    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String,
        token: String?
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/\(path)", token: token, body: body)
    }

    private func with(_ body: (APIFixture) async throws -> Void) async throws {
        try await APIFixture.with { api in
            let calls = [
                ("sys/auth/people", #"{"type":"userpass"}"#),
                (
                    "auth/people/users/ada",
                    #"{"password":"correct horse","token_policies":["read-only"],"token_ttl":"9m"}"#
                ),
            ]
            for (path, text) in calls {
                let reply = try await post(api, path, text, token: api.admin)
                #expect(reply.status == 204, "\(path): \(reply.body)")
            }
            try await body(api)
        }
    }

    private func logIn(
        _ api: APIFixture,
        _ name: String,
        _ password: String
    ) async throws -> APIFixture.Reply {
        try await post(
            api,
            "auth/people/login/\(name)",
            #"{"password":"\#(password)"}"#,
            token: nil
        )
    }

    @Test func whoeverKnowsThePasswordGetsATokenOfTheUser() async throws {
        try await with { api in
            let reply = try await logIn(api, "Ada", "correct horse")
            #expect(reply.status == 200, "\(reply.body)")
            let auth = try #require(reply.body["auth"])
            #expect(auth["metadata"] == ["username": "ada"])
            #expect(auth["policies"]?.items?.compactMap(\.text) == ["read-only"])
            #expect(auth["lease_duration"]?.integer == 540)
            let policies = try await post(
                api,
                "auth/people/users/ada/policies",
                #"{"policies":"admin"}"#,
                token: api.admin
            )
            #expect(policies.status == 204, "\(policies.body)")
            let changed = try await post(
                api,
                "auth/people/users/ada/password",
                #"{"password":"battery staple"}"#,
                token: api.admin
            )
            #expect(changed.status == 204)
            #expect(try await logIn(api, "ada", "correct horse").status == 400)
            let again = try await logIn(api, "ada", "battery staple")
            #expect(again.body["auth"]?["policies"]?.items?.compactMap(\.text) == ["admin"])
            #expect(again.body["auth"]?["lease_duration"]?.integer == 540)
            // Who writes a user without a password leaves the one that there is.
            _ = try await post(api, "auth/people/users/ada", "{}", token: api.admin)
            #expect(try await logIn(api, "ada", "battery staple").status == 200)
        }
    }

    @Test func everyRefusalIsTheSameAndNoPasswordIsKept() async throws {
        try await with { api in
            let far = #"{"password":"correct horse","token_bound_cidrs":["10.0.0.0/8"]}"#
            _ = try await post(api, "auth/people/users/bob", far, token: api.admin)
            let refused = [
                ("ada", "wrong horse", "wrong_password"), ("eve", "correct horse", "unknown_user"),
                ("ada", "short", "wrong_password"), ("bob", "correct horse", "elsewhere"),
                ("ada", String(repeating: "x", count: 2_000), "wrong_password"),
            ]
            var bodies: [Document] = []
            for (name, password, _) in refused {
                let reply = try await logIn(api, name, password)
                #expect(reply.status == 400)
                bodies.append(reply.body)
            }
            #expect(bodies.allSatisfy { $0 == bodies.first })
            let list = try await api.send(.get, "/v1/audit?action=auth.login", token: api.admin)
            let reasons = (list.body["items"]?.items ?? []).compactMap { $0["reason"]?.text }
            #expect(reasons.sorted() == refused.map(\.2).sorted())
            let database = try await api.database.connect()
            let kept: Int64 = try await database.query(
                """
                SELECT count(*) FROM (
                    SELECT e::text AS row FROM turnpike.auth_entries e
                    UNION ALL SELECT a::text FROM turnpike.audit a
                ) AS rows WHERE strpos(row, 'correct horse') > 0
                """
            ).single().decode(at: 0)
            #expect(kept == 0)
            // What a password is checked with stays out of the trail, and out of answers.
            let shown: Int64 = try await database.query(
                """
                SELECT count(*) FROM turnpike.audit WHERE strpos(detail, (
                    SELECT document ->> 'digest' FROM turnpike.auth_entries
                    WHERE path = 'auth/people/users/ada'
                )) > 0
                """
            ).single().decode(at: 0)
            #expect(shown == 0)
            // A user's row that somebody gave another one's password lets nobody in.
            try await database.query(
                """
                UPDATE turnpike.auth_entries SET document = jsonb_set(document, '{salt}', '"AAAA"')
                WHERE path = 'auth/people/users/ada'
                """
            )
            await database.close()
            #expect(try await logIn(api, "ada", "correct horse").status == 400)
        }
    }

    @Test func usersAreWrittenInOneSpelling() async throws {
        try await with { api in
            let wrong = [
                ("users/Ada", #"{"password":"correct horse"}"#), ("users/bob", "{}"),
                ("users/bob", #"{"password":"short"}"#),
                ("users/ada/password", #"{"password":"short"}"#), ("users/ada/password", "{}"),
                ("users/bob", #"{"password":"correct horse","token_period":"1h"}"#),
            ]
            for (path, body) in wrong {
                let reply = try await post(api, "auth/people/\(path)", body, token: api.admin)
                #expect(reply.status == 400, "\(path) \(body)")
            }
            let absent = try await post(
                api,
                "auth/people/users/bob/password",
                #"{"password":"correct horse"}"#,
                token: api.admin
            )
            #expect(absent.status == 404)
            let names = try await api.send(.list, "/v1/auth/people/users", token: api.admin)
            #expect(names.body["data"]?["keys"]?.items?.compactMap(\.text) == ["ada"])
            let read = try await api.send(.get, "/v1/auth/people/users/ada", token: api.admin)
            #expect(read.body["data"]?["token_ttl"]?.integer == 540)
            _ = try await api.send(.delete, "/v1/auth/people/users/ada", token: api.admin)
            #expect(try await logIn(api, "ada", "correct horse").status == 400)
            // Not what is mounted there.
            let plain = try await post(api, "auth/people/login", "{}", token: nil)
            #expect(plain.status == 404)
            _ = try await post(api, "sys/auth/jwt", #"{"type":"jwt"}"#, token: api.admin)
            let other = try await post(
                api,
                "auth/jwt/login/ada",
                #"{"password":"correct horse"}"#,
                token: nil
            )
            #expect(other.status == 404)
        }
    }

    @Test func aFloodOfLoginsIsToldToWait() async throws {
        try await with { api in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<12 {
                    group.addTask { try await logIn(api, "ada", "wrong horse").status }
                }
                // Nobody else waits for them.
                #expect(try await api.send(.get, "/v1/status", token: api.admin).status == 200)
                var statuses: Set<Int> = []
                for try await status in group { statuses.insert(status) }
                return statuses
            }
            #expect(statuses == [400, 429])
        }
    }
}
