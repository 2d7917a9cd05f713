import Control
import HTTP
import Testing
import Wire

/// An object that is denied by one of its paths is denied by all of them.
@Suite struct ResourceAliasTests {
    private func policy(_ api: APIFixture, _ name: String, _ paths: String) async throws {
        let reply = try await api.send(
            .put,
            "/v1/policies/\(name)",
            token: api.admin,
            body: #"{"paths":{\#(paths)}}"#
        )
        #expect(reply.status == 201, "\(reply.body)")
    }

    private static let everything = #""*":["create","read","update","delete","list","sudo"]"#

    @Test(arguments: ["policies/secret", "sys/policy/secret", "sys/policies/acl/secret"])
    func policies(denied: String) async throws {
        try await APIFixture.with { api in
            try await policy(api, "secret", #""status":["read"]"#)
            try await policy(api, "open", #""status":["read"]"#)
            try await policy(api, "bound", #"\#(Self.everything),"\#(denied)":["deny"]"#)
            let token = try await api.token(policies: ["bound"])
            let paths = ["policies", "sys/policy", "sys/policies/acl"]
            for path in paths {
                let open = try await api.send(.get, "/v1/\(path)/open", token: token)
                #expect(open.status == 200, "\(path)")
                let secret = try await api.send(.get, "/v1/\(path)/secret", token: token)
                #expect(secret.status == 403, "\(path)")
                let removed = try await api.send(.delete, "/v1/\(path)/secret", token: token)
                #expect(removed.status == 403, "\(path)")
            }
            // Vault's names have no case.
            for path in ["sys/policy", "sys/policies/acl"] {
                let spelled = try await api.send(.get, "/v1/\(path)/SECRET", token: token)
                #expect(spelled.status == 403, "\(path)")
            }
            let written = try await api.send(
                .post,
                "/v1/sys/policies/acl/secret",
                token: token,
                body: #"{"policy":"path \"a\" {capabilities=[\"read\"]}"}"#
            )
            #expect(written.status == 403)
            let asked = try await api.send(
                .post,
                "/v1/sys/capabilities-self",
                token: token,
                body: #"{"paths":["sys/policy/secret","policies/secret","policies/open"]}"#
            )
            #expect(asked.body["sys/policy/secret"]?.items?.compactMap(\.text) == ["deny"])
            #expect(asked.body["policies/secret"]?.items?.compactMap(\.text) == ["deny"])
            #expect(asked.body["policies/open"]?.items?.count == 6)
        }
    }

    @Test func tokensByTheirNativePath() async throws {
        try await APIFixture.with { api in
            let made = try await api.send(
                .post,
                "/v1/tokens",
                token: api.admin,
                body: #"{"display_name":"victim","policies":["read-only"]}"#
            )
            let accessor = try #require(made.body["accessor"]?.text)
            let text = try #require(made.body["token"]?.text)
            try await policy(
                api,
                "bound",
                #"\#(Self.everything),"tokens/\#(accessor)":["deny"],"tokens":["deny"]"#
            )
            let token = try await api.token(policies: ["bound"])
            for call in ["lookup-accessor", "renew-accessor", "revoke-accessor"] {
                let reply = try await api.send(
                    .post,
                    "/v1/auth/token/\(call)",
                    token: token,
                    body: #"{"accessor":"\#(accessor)"}"#
                )
                #expect(reply.status == 403, "\(call)")
            }
            for call in ["lookup", "renew", "revoke"] {
                let reply = try await api.send(
                    .post,
                    "/v1/auth/token/\(call)",
                    token: token,
                    body: #"{"token":"\#(text)"}"#
                )
                #expect(reply.status == 403, "\(call)")
            }
            for call in ["create", "create-orphan"] {
                let reply = try await api.send(
                    .post,
                    "/v1/auth/token/\(call)",
                    token: token,
                    body: "{}"
                )
                #expect(reply.status == 403, "\(call)")
            }
            let list = try await api.send(.list, "/v1/auth/token/accessors", token: token)
            #expect(list.status == 403)
            #expect(try await api.send(.get, "/v1/status", token: text).status == 200)
        }
    }

    @Test func tokensByVaultsPaths() async throws {
        try await APIFixture.with { api in
            try await policy(api, "bound", #"\#(Self.everything),"auth/token/*":["deny"]"#)
            let token = try await api.token(policies: ["bound"])
            let body = #"{"display_name":"x","policies":["bound"]}"#
            let made = try await api.send(.post, "/v1/tokens", token: token, body: body)
            #expect(made.status == 403)
            #expect(try await api.send(.get, "/v1/tokens", token: token).status == 403)
            let own = try await api.send(.get, "/v1/tokens/self", token: token)
            let accessor = try #require(own.body["accessor"]?.text)
            #expect(try await api.send(.get, "/v1/tokens/\(accessor)", token: token).status == 403)
            let ended = try await api.send(.delete, "/v1/tokens/\(accessor)", token: token)
            #expect(ended.status == 403)
        }
    }

    @Test func nobodyGrantsAnOtherPathOfWhatIsDeniedToThem() async throws {
        try await APIFixture.with { api in
            try await policy(
                api,
                "bound",
                #""*":["create","read","update","delete","list"],"policies/secret":["deny"]"#
            )
            try await policy(
                api,
                "lists",
                #""*":["read","update","list"],"a/b":["list"],"a/b/":["read"],"c/d":["read"]"#
            )
            let bound = try await api.token(policies: ["bound"])
            let lists = try await api.token(policies: ["lists"])
            let attempts: [(String, String, Int)] = [
                (bound, #""sys/policy/secret":["read"]"#, 403),
                (bound, #""sys/policies/acl/*":["read"]"#, 403),
                (bound, #""sys/policies/acl/other":["read"]"#, 201),
                // A right to list `a/b` is one to list `a/b/`, which this token lacks.
                (lists, #""a/b":["list"]"#, 403), (lists, #""a/e":["list"]"#, 201),
                (lists, #""c/d/*":["list"]"#, 403), (lists, #""c/e/*":["list"]"#, 200),
            ]
            for (index, (token, paths, status)) in attempts.enumerated() {
                let reply = try await api.send(
                    .put,
                    "/v1/policies/new-\(index)",
                    token: token,
                    body: #"{"paths":{\#(paths)}}"#
                )
                #expect((reply.status == 403) == (status == 403), "\(paths): \(reply.body)")
            }
        }
    }

    @Test(arguments: [
        ("sys/policies/acl", "policies"), ("sys/policy", "policies"),
        ("auth/token/accessors", "tokens"),
    ])
    func listsWithoutTheSlash(denied: String, native: String) async throws {
        try await APIFixture.with { api in
            try await policy(api, "bound", #"\#(Self.everything),"\#(denied)":["deny"]"#)
            let token = try await api.token(policies: ["bound"])
            #expect(try await api.send(.get, "/v1/\(native)", token: token).status == 403)
        }
    }
}
