import API
import Control
import Crypto
import HTTP
import Postgres
import Support
import Synchronization
import Testing
import Wire

/// Logins by signed tokens, from the configuration to the token and its end.
@Suite(.timeLimit(.minutes(2))) struct LoginRoutesTests {
    /// An issuer with one key.
    struct Issuer {
        let key: SigningKey
        let keyID: String?

        init(_ keyID: String? = nil) throws {
            key = try SigningKey.generate(.ecdsaP256)
            self.keyID = keyID
        }

        func token(_ claims: String, header: String? = nil) throws -> String {
            let name = keyID.map { #","kid":"\#($0)""# } ?? ""
            let head = header ?? #"{"alg":"ES256"\#(name)}"#
            let input =
                "\(Base64URL.encode(Array(head.utf8))).\(Base64URL.encode(Array(claims.utf8)))"
            let signature = try key.sign(Array(input.utf8), as: .ecdsaP1363(.sha256))
            return "\(input).\(Base64URL.encode(signature))"
        }

        var pem: String {
            PEM.encode(PEM.Block(label: "PUBLIC KEY", bytes: key.publicKey.spki))
        }

        var jwk: String {
            let point = key.publicKey.keyBytes
            let x = Base64URL.encode(Array(point[1..<33]))
            let y = Base64URL.encode(Array(point[33...]))
            let name = keyID.map { #","kid":"\#($0)""# } ?? ""
            return #"{"kty":"EC","crv":"P-256","x":"\#(x)","y":"\#(y)"\#(name)}"#
        }
    }

    private static let good =
        #"{"iss":"https://id.example","sub":"cart","aud":"orders","exp":4000000000}"#
    private static let role = """
        {"role_type":"jwt","bound_audiences":["orders"],"user_claim":"sub","token_ttl":"10m",
         "token_policies":["read-only","default"],"claim_mappings":{"iss":"issuer"}}
        """

    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String,
        token: String?
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/\(path)", token: token, body: body)
    }

    /// A mount with a role, and how it verifies.
    private func prepare(_ api: APIFixture, _ configuration: String) async throws {
        let enabled = try await post(api, "sys/auth/jwt", #"{"type":"jwt"}"#, token: api.admin)
        #expect(enabled.status == 204)
        let configured = try await post(api, "auth/jwt/config", configuration, token: api.admin)
        #expect(configured.status == 204, "\(configured.body)")
        let stored = try await post(api, "auth/jwt/role/web", Self.role, token: api.admin)
        #expect(stored.status == 204, "\(stored.body)")
    }

    private func configuration(_ issuer: Issuer, _ more: String = "") -> String {
        let pem = issuer.pem.replacing("\n", with: "\\n")
        return
            #"{"jwt_validation_pubkeys":["\#(pem)"],"bound_issuer":"https://id.example"\#(more)}"#
    }

    private func logIn(
        _ api: APIFixture,
        _ token: String,
        role: String = #""web""#
    ) async throws -> APIFixture.Reply {
        try await post(api, "auth/jwt/login", #"{"role":\#(role),"jwt":"\#(token)"}"#, token: nil)
    }

    private func reasons(_ api: APIFixture) async throws -> [String] {
        let list = try await api.send(
            .get,
            "/v1/audit?action=auth.login&limit=100",
            token: api.admin
        )
        return (list.body["items"]?.items ?? []).compactMap { $0["reason"]?.text }
    }

    @Test func aTokenOfTheIssuerBecomesATokenOfTheRole() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let reply = try await logIn(api, issuer.token(Self.good))
            #expect(reply.status == 200, "\(reply.body)")
            let auth = try #require(reply.body["auth"])
            #expect(auth["policies"]?.items?.compactMap(\.text) == ["read-only"])
            #expect(auth["metadata"]?["role"]?.text == "web")
            #expect(auth["metadata"]?["issuer"]?.text == "https://id.example")
            #expect(auth["lease_duration"]?.integer == 600)
            #expect(auth["orphan"]?.bool == true)
            let token = try #require(auth["client_token"]?.text)
            let own = try await api.send(.get, "/v1/auth/token/lookup-self", token: token)
            #expect(own.body["data"]?["path"]?.text == "auth/jwt/login")
            #expect(own.body["data"]?["display_name"]?.text == "jwt-cart")
            #expect(try await api.send(.get, "/v1/status", token: token).status == 200)
            let written = try await post(api, "secret/data/a", #"{"data":{}}"#, token: token)
            #expect(written.status == 403)
        }
    }

    @Test func whatIsRefusedSaysWhyInTheTrailOnly() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            let stranger = try Issuer()
            try await prepare(api, configuration(issuer))
            let honest = try issuer.token(Self.good)
            let refused: [(String, String)] = [
                (try stranger.token(Self.good), "wrong_signature"),
                (
                    try issuer.token(Self.good.replacing("orders", with: "other")),
                    "claim_not_allowed"
                ),
                (
                    try issuer.token(Self.good.replacing("4000000000", with: "1000")),
                    "token_expired"
                ),
                (
                    try issuer.token(Self.good.replacing("id.example", with: "x")),
                    "claim_not_allowed"
                ),
                (try issuer.token(Self.good, header: #"{"alg":"none"}"#), "malformed"),
                (try issuer.token(Self.good, header: #"{"alg":"HS256"}"#), "wrong_algorithm"),
                (honest + ".x", "malformed"), ("garbage", "malformed"),
            ]
            for (token, _) in refused {
                let reply = try await logIn(api, token)
                #expect(reply.status == 400)
                #expect(reply.code == "auth.refused")
                #expect(reply.body["errors"]?.items?.count == 1)
            }
            #expect(try await logIn(api, honest, role: #""nobody""#).status == 400)
            let trail = try await reasons(api)
            #expect(trail.sorted() == (refused.map(\.1) + ["unknown_role"]).sorted())
            #expect(try await logIn(api, "", role: #""web""#).status == 400)
            #expect(try await logIn(api, honest, role: "null").status == 400)
        }
    }

    @Test func floodsAreCountedAndNotRecordedOneByOne() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            for _ in 0..<30 { _ = try await logIn(api, "garbage") }
            // Two minutes may have had their share.
            #expect((20...40).contains(try await reasons(api).count))
        }
    }

    @Test func aRoleBindsAndGivesNoMoreThanItsWriterHas() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let wrong = [
                #"{"user_claim":"sub"}"#,
                #"{"bound_audiences":["a"]}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","token_period":"1h"}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","token_type":"batch"}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","groups_claim":"groups"}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","role_type":"oidc"}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","bound_claims":{"a":[]}}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","clock_skew_leeway":301}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","token_bound_cidrs":["x"]}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","token_policies":["nothing"]}"#,
                #"{"bound_audiences":["a"],"user_claim":"sub","token_ttl":"2h","token_max_ttl":"1h"}"#,
            ]
            for body in wrong {
                let reply = try await post(api, "auth/jwt/role/x", body, token: api.admin)
                #expect(reply.status == 400, "\(body)")
            }
            let policy = #"{"policy":"path \"auth/jwt/role/*\" {capabilities = [\"update\"]}"}"#
            _ = try await post(api, "sys/policies/acl/roles", policy, token: api.admin)
            let writer = try await api.token(policies: ["roles"])
            let beyond = try await post(api, "auth/jwt/role/y", Self.role, token: writer)
            #expect(beyond.status == 403, "\(beyond.body)")
            let own = Self.role.replacing(#"["read-only","default"]"#, with: #"["roles"]"#)
            #expect(try await post(api, "auth/jwt/role/y", own, token: writer).status == 204)
            let names = try await api.send(.list, "/v1/auth/jwt/role", token: api.admin)
            #expect(names.body["data"]?["keys"]?.items?.compactMap(\.text) == ["web", "y"])
            let read = try await api.send(.get, "/v1/auth/jwt/role/y", token: api.admin)
            #expect(read.body["data"]?["token_ttl"]?.integer == 600)
            #expect(read.body["data"]?["clock_skew_leeway"]?.integer == 60)
            #expect(try await api.send(.delete, "/v1/auth/jwt/role/y", token: writer).status == 403)
            let gone = try await api.send(.delete, "/v1/auth/jwt/role/y", token: api.admin)
            #expect(gone.status == 204)
            let after = try await api.send(.get, "/v1/auth/jwt/role/y", token: api.admin)
            #expect(after.status == 404)
        }
    }

    @Test func boundAddressesHoldAtTheLoginAndAfterwards() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            for (range, status) in [("192.0.2.0/24", 200), ("198.51.100.0/24", 403)] {
                let role = Self.role.replacing(
                    #""token_ttl""#,
                    with: #""token_bound_cidrs":["\#(range)"],"token_ttl""#
                )
                _ = try await post(api, "auth/jwt/role/web", role, token: api.admin)
                let reply = try await logIn(api, issuer.token(Self.good))
                #expect(reply.status == status)
            }
            #expect(try await reasons(api).contains("elsewhere"))
        }
    }

    @Test func publishedKeysAreFetchedAndAskedForAgainWhenANameIsUnknown() async throws {
        let old = try Issuer("old")
        let new = try Issuer("new")
        let server = try KeyServer(#"{"keys":[\#(old.jwk)]}"#)
        let address = try await server.start()
        let roots = TestCertificates.root.chainPEM.replacing("\n", with: "\\n")
        let from =
            #"{"jwks_url":"\#(address)","jwks_ca_pem":"\#(roots)","bound_issuer":"https://id.example""#
        try await APIFixture.with { api in
            _ = try await post(api, "sys/auth/jwt", #"{"type":"jwt"}"#, token: api.admin)
            let inside = try await post(api, "auth/jwt/config", from + "}", token: api.admin)
            #expect(inside.status == 400)
            #expect(server.requests == 0)
            let allowed = from + #","jwks_private_addresses":true}"#
            let configured = try await post(api, "auth/jwt/config", allowed, token: api.admin)
            #expect(configured.status == 204, "\(configured.body)")
            _ = try await post(api, "auth/jwt/role/web", Self.role, token: api.admin)
            #expect(try await logIn(api, old.token(Self.good)).status == 200)
            #expect(try await logIn(api, old.token(Self.good)).status == 200)
            // Once to see that it works, once for the logins.
            #expect(server.requests == 2)
            // A token that is not plausible makes nobody ask, one that is does so once in 30 s.
            let other = Self.good.replacing("id.example", with: "other.example")
            #expect(try await logIn(api, new.token(other)).status == 400)
            #expect(server.requests == 2)
            server.state.withLock { $0.text = #"{"keys":[\#(new.jwk)]}"# }
            #expect(try await logIn(api, new.token(Self.good)).status == 400)
            #expect(try await reasons(api).contains("unknown_key"))
            #expect(server.requests == 2)
            // A changed configuration begins anew.
            _ = try await post(api, "auth/jwt/config", allowed, token: api.admin)
            #expect(try await logIn(api, new.token(Self.good)).status == 200)
            #expect(try await logIn(api, old.token(Self.good)).status == 400)
        }
        await server.stop()
    }

    @Test func withoutAnyKeysTheLoginIsUnavailable() async throws {
        let issuer = try Issuer("a")
        let server = try KeyServer(#"{"keys":[\#(issuer.jwk)]}"#)
        let address = try await server.start()
        let roots = TestCertificates.root.chainPEM.replacing("\n", with: "\\n")
        let body =
            #"{"jwks_url":"\#(address)","jwks_ca_pem":"\#(roots)","jwks_private_addresses":true,"#
            + #""bound_issuer":"https://id.example"}"#
        try await APIFixture.with { api in
            try await prepare(api, body)
            server.state.withLock { $0.text = "{}" }
            #expect(try await logIn(api, issuer.token(Self.good)).status == 503)
            server.state.withLock { $0.status = 500 }
            let broken = try await post(api, "auth/jwt/config", body, token: api.admin)
            #expect(broken.status == 400)
        }
        await server.stop()
    }

    @Test func configurationsThatCannotVerifyAreRefused() async throws {
        try await APIFixture.with { api in
            _ = try await post(api, "sys/auth/jwt", #"{"type":"jwt"}"#, token: api.admin)
            let issuer = try Issuer()
            let wrong = [
                "{}", #"{"jwt_validation_pubkeys":["x"]}"#, #"{"jwks":{"keys":[]}}"#,
                #"{"jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}"#,
                #"{"jwks_url":"http://a.example/"}"#,
                #"{"jwks_url":"https://127.0.0.1/","jwks":{"keys":[\#(issuer.jwk)]}}"#,
                #"{"oidc_discovery_url":"https://id.example"}"#,
                configuration(issuer, #","jwt_supported_algs":["HS256"]"#),
                configuration(issuer, #","jwt_supported_algs":["none"]"#),
            ]
            for body in wrong {
                let reply = try await post(api, "auth/jwt/config", body, token: api.admin)
                #expect(reply.status == 400, "\(body)")
            }
            let reply = try await logIn(api, issuer.token(Self.good))
            #expect(reply.status == 400)
            #expect(try await reasons(api) == ["not_configured"])
            let set = #"{"jwks":{"keys":[\#(issuer.jwk)]},"default_role":"web"}"#
            #expect(try await post(api, "auth/jwt/config", set, token: api.admin).status == 204)
            _ = try await post(api, "auth/jwt/role/web", Self.role, token: api.admin)
            #expect(try await logIn(api, issuer.token(Self.good), role: "null").status == 200)
            let read = try await api.send(.get, "/v1/auth/jwt/config", token: api.admin)
            #expect(read.body["data"]?["default_role"]?.text == "web")
        }
    }

    @Test func aMountIsTunedAndItsEndEndsItsTokens() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let again = try await post(api, "sys/auth/jwt", #"{"type":"jwt"}"#, token: api.admin)
            #expect(again.status == 400)
            for path in ["token", "A", "a.b"] {
                let reply = try await post(
                    api,
                    "sys/auth/\(path)",
                    #"{"type":"jwt"}"#,
                    token: api.admin
                )
                #expect(reply.status == 400, "\(path)")
            }
            let absent = try await post(api, "sys/auth/oidc", #"{"type":"oidc"}"#, token: api.admin)
            #expect(absent.status == 501)
            let tuned = try await post(
                api,
                "sys/auth/jwt/tune",
                #"{"max_lease_ttl":"1m","description":"the shop"}"#,
                token: api.admin
            )
            #expect(tuned.status == 204)
            let tuning = try await api.send(.get, "/v1/sys/auth/jwt/tune", token: api.admin)
            #expect(tuning.body["data"]?["max_lease_ttl"]?.integer == 60)
            let list = try await api.send(.get, "/v1/sys/auth", token: api.admin)
            #expect(list.body["data"]?["jwt/"]?["description"]?.text == "the shop")
            #expect(list.body["token/"]?["type"]?.text == "token")
            let reply = try await logIn(api, issuer.token(Self.good))
            #expect(reply.body["auth"]?["lease_duration"]?.integer == 60)
            let token = try #require(reply.body["auth"]?["client_token"]?.text)
            // More than one commit's worth that somebody else wrote stand before it.
            let connection = try await api.database.connect()
            try await connection.query(
                """
                INSERT INTO turnpike.tokens (accessor, token_hmac, display_name, kind, policies,
                    created_at, expires_at, created_by, mac, traits)
                SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                    sha256(n::text::bytea), display_name, kind, policies, created_at, expires_at,
                    created_by, mac, traits
                FROM (SELECT * FROM turnpike.tokens WHERE traits ->> 'path' = 'auth/jwt/login'
                    ORDER BY created_at DESC LIMIT 1) AS real, generate_series(1, 300) AS n
                """
            )
            await connection.close()
            let removed = try await api.send(.delete, "/v1/sys/auth/jwt", token: api.admin)
            #expect(removed.status == 204)
            #expect(try await api.send(.get, "/v1/status", token: token).status == 401)
            #expect(try await logIn(api, issuer.token(Self.good)).status == 404)
            // Its role does not come back with a mount of the same name.
            _ = try await post(api, "sys/auth/jwt", #"{"type":"jwt"}"#, token: api.admin)
            let role = try await api.send(.get, "/v1/auth/jwt/role/web", token: api.admin)
            #expect(role.status == 404)
        }
    }

    @Test func rowsThatSomebodyElseWroteLetNobodyIn() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let token = try issuer.token(Self.good)
            #expect(try await logIn(api, token).status == 200)
            let connection = try await api.database.connect()
            try await connection.query("CREATE TABLE public.kept AS TABLE turnpike.auth_entries")
            try await connection.query(
                """
                UPDATE turnpike.auth_entries
                SET document = jsonb_set(document, '{grant,policies}', '["admin"]')
                WHERE kind = 'jwt_role'
                """
            )
            #expect(try await logIn(api, token).status == 400)
            // A role that was removed and is put back, tag and all.
            _ = try await api.send(.delete, "/v1/sys/auth/jwt", token: api.admin)
            try await connection.query("DELETE FROM turnpike.auth_entries")
            try await connection.query(
                "INSERT INTO turnpike.auth_entries SELECT * FROM public.kept"
            )
            #expect(try await logIn(api, token).status == 404)
            await connection.close()
        }
    }

    @Test func whatIsNoBearersTokenIsRefused() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            for type in ["logout+jwt", "secevent+jwt", "dpop+jwt"] {
                let token = try issuer.token(
                    Self.good,
                    header: #"{"alg":"ES256","typ":"\#(type)"}"#
                )
                #expect(try await logIn(api, token).status == 400, "\(type)")
            }
            let bound = Self.good.dropLast() + #","cnf":{"jkt":"abc"}}"#
            #expect(try await logIn(api, issuer.token(String(bound))).status == 400)
            for type in ["JWT", "at+jwt", "application/at+jwt"] {
                let token = try issuer.token(
                    Self.good,
                    header: #"{"alg":"ES256","typ":"\#(type)"}"#
                )
                #expect(try await logIn(api, token).status == 200, "\(type)")
            }
            let reasons = try await reasons(api)
            #expect(reasons.count { $0 == "typ_not_allowed" } == 3)
            #expect(reasons.count { $0 == "bound_to_a_key" } == 1)
        }
    }

    @Test func whoSaysWhoIsBelievedNeedsWhatTheRolesGive() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let policy = try await api.send(
                .put,
                "/v1/policies/configurer",
                token: api.admin,
                body: #"{"paths":{"auth/jwt/config":["create","update"]}}"#
            )
            #expect(policy.status == 201)
            let configurer = try await api.token(policies: ["configurer"])
            let other = try configuration(Issuer())
            let refused = try await post(api, "auth/jwt/config", other, token: configurer)
            #expect(refused.status == 403, "\(refused.body)")
            #expect(try await logIn(api, issuer.token(Self.good)).status == 200)
            _ = try await api.send(.delete, "/v1/auth/jwt/role/web", token: api.admin)
            #expect(try await post(api, "auth/jwt/config", other, token: configurer).status == 204)
        }
    }

    @Test func theFirstAdministratorEndsTheBootstrapAndTheLastCannotBeRemoved() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let stored = try await post(
                api,
                "auth/jwt/role/boss",
                """
                {"role_type":"jwt","bound_audiences":["orders"],"user_claim":"sub",
                 "token_policies":["admin"]}
                """,
                token: api.admin
            )
            #expect(stored.status == 204)
            let reply = try await logIn(api, issuer.token(Self.good), role: #""boss""#)
            let boss = try #require(reply.body["auth"]?["client_token"]?.text)
            #expect(try await api.send(.get, "/v1/status", token: api.admin).status == 401)
            let removed = try await api.send(.delete, "/v1/sys/auth/jwt", token: boss)
            #expect(removed.status == 409 || removed.status == 400, "\(removed.body)")
            #expect(try await api.send(.get, "/v1/status", token: boss).status == 200)
            #expect(try await logIn(api, issuer.token(Self.good)).status == 200)
        }
    }

    @Test func forgedTokensDoNotHideThoseThatEndWithTheirLogin() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let reply = try await logIn(api, issuer.token(Self.good))
            let token = try #require(reply.body["auth"]?["client_token"]?.text)
            let connection = try await api.database.connect()
            try await connection.query(
                """
                INSERT INTO turnpike.tokens (accessor, token_hmac, display_name, kind, policies,
                    created_at, expires_at, created_by, traits, mac)
                SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                    decode(md5(n::text), 'hex'), display_name, kind, policies, created_at,
                    expires_at, created_by, traits, mac
                FROM turnpike.tokens, generate_series(1, 300) n
                WHERE traits ->> 'path' = 'auth/jwt/login'
                """
            )
            await connection.close()
            let removed = try await api.send(.delete, "/v1/sys/auth/jwt", token: api.admin)
            #expect(removed.status == 204)
            #expect(try await api.send(.get, "/v1/status", token: token).status == 401)
        }
    }

    @Test func aMountThatIsHalfRemovedLetsNobodyInAndIsRemovedAgain() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer()
            try await prepare(api, configuration(issuer))
            let reply = try await logIn(api, issuer.token(Self.good))
            let token = try #require(reply.body["auth"]?["client_token"]?.text)
            let connection = try await api.database.connect()
            // The second step fails.
            try await connection.query(
                """
                CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN RAISE EXCEPTION ''refused''; END'
                """
            )
            try await connection.query(
                """
                CREATE TRIGGER refuse BEFORE UPDATE ON turnpike.tokens
                    FOR EACH ROW EXECUTE FUNCTION public.refuse()
                """
            )
            let failed = try await api.send(.delete, "/v1/sys/auth/jwt", token: api.admin)
            #expect(failed.status >= 500)
            #expect(try await logIn(api, issuer.token(Self.good)).status == 404)
            try await connection.query("DROP TRIGGER refuse ON turnpike.tokens")
            await connection.close()
            let removed = try await api.send(.delete, "/v1/sys/auth/jwt", token: api.admin)
            #expect(removed.status == 204)
            #expect(try await api.send(.get, "/v1/status", token: token).status == 401)
        }
    }

    @Test func aKeySetIsKeptAsItIsVerified() async throws {
        try await APIFixture.with { api in
            let issuer = try Issuer("k")
            let key = issuer.jwk.dropLast() + #","x5t":"a","since":1e2}"#
            try await prepare(
                api,
                #"{"jwks":{"keys":[\#(key)]},"bound_issuer":"https://id.example"}"#
            )
            #expect(try await logIn(api, issuer.token(Self.good)).status == 200)
            for text in [
                #"{"jwks":{"keys":[{"kty":"EC","kid":"a\u0000"}]}}"#, #"{"jwks":{"keys":1}}"#,
                #"{"jwks_url":"https://id.example/keys"}"#,
            ] {
                let reply = try await post(api, "auth/jwt/config", text, token: api.admin)
                #expect(reply.status == 400, "\(text)")
            }
        }
    }
}
