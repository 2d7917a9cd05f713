import API
import Control
import HTTP
import Testing
import Wire

/// Tokens that are made by a role: its bounds hold, and its writer's rights are the most that it gives.
@Suite struct TokenRoleRoutesTests {
    private func post(
        _ api: APIFixture,
        _ path: String,
        _ token: String,
        _ body: String
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/\(path)", token: token, body: body)
    }

    private func policy(_ api: APIFixture, _ name: String, _ text: String) async throws {
        let quoted = text.replacing("\"", with: "\\\"")
        let reply = try await post(
            api,
            "sys/policies/acl/\(name)",
            api.admin,
            #"{"policy":"\#(quoted)"}"#
        )
        #expect(reply.status == 204)
    }

    @Test func aRoleGivesItsPoliciesAndItsBounds() async throws {
        try await APIFixture.with { api in
            try await policy(
                api,
                "deployer",
                #"path "auth/token/create/ci" {capabilities=["update"]}"#
            )
            let stored = try await post(
                api,
                "auth/token/roles/ci",
                api.admin,
                """
                {"allowed_policies":"read-only,default","orphan":true,"renewable":false,
                 "token_explicit_max_ttl":"10m","token_num_uses":5,"path_suffix":"jobs",
                 "token_bound_cidrs":["192.0.2.0/24"]}
                """
            )
            #expect(stored.status == 204, "\(stored.body)")
            let maker = try await api.token(policies: ["deployer"])
            // It has not got read-only itself, and gets no other way to give it.
            let made = try await post(
                api,
                "auth/token/create/ci",
                maker,
                #"{"ttl":"1h","num_uses":9}"#
            )
            let auth = try #require(made.body["auth"], "\(made.body)")
            #expect(auth["policies"]?.items?.compactMap(\.text) == ["read-only"])
            #expect(auth["lease_duration"]?.integer == 600)
            #expect(auth["orphan"]?.bool == true)
            #expect(auth["renewable"]?.bool == false)
            #expect(auth["num_uses"]?.integer == 5)
            let token = try #require(auth["client_token"]?.text)
            let own = try await api.send(.get, "/v1/auth/token/lookup-self", token: token)
            #expect(own.body["data"]?["path"]?.text == "auth/token/create/ci/jobs")
            #expect(own.body["data"]?["bound_cidrs"]?.items?.count == 1)
            let plain = try await post(api, "auth/token/create", maker, "{}")
            #expect(plain.status == 403)
            let more = try await post(
                api,
                "auth/token/create/ci",
                maker,
                #"{"policies":["admin"]}"#
            )
            #expect(more.status == 400)
            let none = try await post(api, "auth/token/create/other", api.admin, "{}")
            #expect(none.status == 400)
            // A bound that would not hold is refused.
            let short = #"{"token_ttl":"5m"}"#
            #expect(try await post(api, "auth/token/roles/short", api.admin, short).status == 400)
        }
    }

    @Test func globsGiveOnlyWhatTheMakerHasAndDenialsHold() async throws {
        try await APIFixture.with { api in
            try await policy(api, "team-a", #"path "a/*" {capabilities=["read"]}"#)
            try await policy(api, "team-b", #"path "b/*" {capabilities=["read"]}"#)
            try await policy(
                api,
                "maker",
                #"path "a/*" {capabilities=["read"]} path "auth/token/create/*" {capabilities=["update"]}"#
            )
            let role = #"{"allowed_policies_glob":["team-*"],"disallowed_policies":["team-c"]}"#
            #expect(try await post(api, "auth/token/roles/teams", api.admin, role).status == 204)
            let deny = #"{"disallowed_policies_glob":["ma*"]}"#
            #expect(try await post(api, "auth/token/roles/deny", api.admin, deny).status == 204)
            let maker = try await api.token(policies: ["maker"])
            let tries: [(String, String, Int)] = [
                ("teams", #"{"policies":["team-a"]}"#, 200),
                ("teams", #"{"policies":["team-b"]}"#, 403),
                ("teams", #"{"policies":["team-c"]}"#, 400),
                ("teams", #"{"policies":["maker"]}"#, 400),
                ("teams", "{}", 400),
                // What it would inherit is disallowed.
                ("deny", "{}", 400),
            ]
            for (name, body, status) in tries {
                let reply = try await post(api, "auth/token/create/\(name)", maker, body)
                #expect(reply.status == status, "\(name) \(body): \(reply.body)")
            }
        }
    }

    @Test func rolesAreWrittenReadListedAndRemoved() async throws {
        try await APIFixture.with { api in
            try await policy(api, "writer", #"path "auth/token/roles/*" {capabilities=["update"]}"#)
            let writer = try await api.token(policies: ["writer"])
            let beyond = #"{"allowed_policies":["read-only"]}"#
            #expect(try await post(api, "auth/token/roles/x", writer, beyond).status == 403)
            for body in [
                #"{"allowed_entity_aliases":["a"]}"#, #"{"token_period":60}"#,
                #"{"token_type":"batch"}"#, #"{"token_policies":["read-only"]}"#,
                #"{"allowed_policies":["nothing"]}"#,
            ] {
                #expect(try await post(api, "auth/token/roles/x", api.admin, body).status == 400)
            }
            #expect(try await post(api, "auth/token/roles/x", api.admin, beyond).status == 204)
            let read = try await api.send(.get, "/v1/auth/token/roles/x", token: api.admin)
            #expect(read.body["data"]?["name"]?.text == "x")
            #expect(read.body["data"]?["allowed_policies"]?.items?.count == 1)
            let list = try await api.send(.list, "/v1/auth/token/roles", token: api.admin)
            #expect(list.body["data"]?["keys"]?.items?.compactMap(\.text) == ["x"])
            let gone = try await api.send(.delete, "/v1/auth/token/roles/x", token: api.admin)
            #expect(gone.status == 204)
            let after = try await api.send(.get, "/v1/auth/token/roles/x", token: api.admin)
            #expect(after.status == 404)
        }
    }

    @Test func enginesAreReadAndStayAsTheyAre() async throws {
        try await APIFixture.with { api in
            let mount = try await api.send(.get, "/v1/sys/mounts/secret", token: api.admin)
            #expect(mount.body["data"]?["type"]?.text == "kv")
            let tuning = try await api.send(.get, "/v1/sys/mounts/secret/tune", token: api.admin)
            #expect(tuning.body["data"]?["options"]?["version"]?.text == "2")
            let absent = try await api.send(.get, "/v1/sys/mounts/none", token: api.admin)
            #expect(absent.status == 404)
            let body = #"{"type":"kv"}"#
            #expect(try await post(api, "sys/mounts/secret", api.admin, body).status == 400)
            #expect(try await post(api, "sys/mounts/other", api.admin, body).status == 501)
            #expect(try await post(api, "sys/mounts/secret/tune", api.admin, "{}").status == 501)
            let removed = try await api.send(.delete, "/v1/sys/mounts/secret", token: api.admin)
            #expect(removed.status == 501)
        }
    }
}
