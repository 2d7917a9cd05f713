import Control
import Crypto
import HTTP
import Postgres
import Support
import Testing
import Transport
import Wire

/// Workloads that log in by their certificate, and what the token is worth without it.
@Suite struct CertificateLoginTests {
    private static let cart = "spiffe://example.org/ns/default/svc/cart"
    private static let end = Timestamp(secondsSinceEpoch: 4_000_000_000)

    /// A connection that has shown a certificate of the service `cart`.
    private func connection(
        serial: UInt8 = 1,
        digest: UInt8 = 7,
        name: String = cart,
        notAfter: Timestamp = end
    ) -> StreamIdentity {
        .showing(
            name,
            serialNumber: [serial],
            digest: [UInt8](repeating: digest, count: 32),
            notAfter: notAfter
        )
    }

    /// A mount with a role, and two certificates that were issued to `cart`.
    private func with(_ body: (APIFixture) async throws -> Void) async throws {
        try await APIFixture.with { api in
            let connection = try await api.database.connect()
            try await connection.query(
                """
                INSERT INTO turnpike.certificates (serial, kind, spiffe_id, agent, namespace,
                    service, issuer, spki_sha256, not_before, not_after)
                SELECT serial, kind, \(Self.cart), 'host', 'default', 'cart',
                    (SELECT id FROM turnpike.authorities LIMIT 1), '', now(), '2090-01-01'
                FROM (VALUES ('\\x01'::bytea, 'service'), ('\\x02', 'service'), ('\\x03', 'agent'))
                    AS made (serial, kind)
                """
            )
            await connection.close()
            let calls = [
                ("sys/auth/cert", #"{"type":"cert"}"#),
                (
                    "auth/cert/certs/shop",
                    """
                    {"allowed_uri_sans":["spiffe://example.org/ns/default/svc/*"],
                     "token_policies":["read-only"],"token_ttl":"10m"}
                    """
                ),
                (
                    "auth/cert/certs/web",
                    #"{"allowed_uri_sans":"spiffe://example.org/ns/web/svc/*"}"#
                ),
            ]
            for (path, text) in calls {
                let reply = try await api.send(.post, "/v1/\(path)", token: api.admin, body: text)
                #expect(reply.status == 204, "\(path): \(reply.body)")
            }
            try await body(api)
        }
    }

    private func logIn(
        _ api: APIFixture,
        _ identity: StreamIdentity,
        _ body: String = "{}"
    ) async throws -> APIFixture.Reply {
        try await api.send(
            .post,
            "/v1/auth/cert/login",
            token: nil,
            body: body,
            identity: identity
        )
    }

    private func status(
        _ api: APIFixture,
        _ token: String,
        _ identity: StreamIdentity
    ) async throws -> Int {
        try await api.send(.get, "/v1/status", token: token, identity: identity).status
    }

    @Test func theTokenCountsWithItsCertificateOnly() async throws {
        try await with { api in
            let reply = try await logIn(api, connection())
            #expect(reply.status == 200, "\(reply.body)")
            let auth = try #require(reply.body["auth"])
            #expect(auth["metadata"]?["cert_name"]?.text == "shop")
            #expect(auth["metadata"]?["serial_number"]?.text == "01")
            #expect(auth["lease_duration"]?.integer == 600)
            let token = try #require(auth["client_token"]?.text)
            #expect(try await status(api, token, connection()) == 200)
            #expect(try await status(api, token, StreamIdentity()) == 401)
            #expect(try await status(api, token, connection(digest: 8)) == 401)
            // Not even for a moment after it was seen together with it.
            #expect(try await status(api, token, connection()) == 200)
            #expect(try await status(api, token, StreamIdentity()) == 401)
        }
    }

    @Test func whatABoundTokenMakesIsBoundToo() async throws {
        try await with { api in
            let policy =
                #"{"policy":"path \"*\" {capabilities=[\"create\",\"read\",\"update\",\"sudo\"]}"}"#
            _ = try await api.send(
                .post,
                "/v1/sys/policies/acl/wide",
                token: api.admin,
                body: policy
            )
            _ = try await api.send(
                .post,
                "/v1/auth/cert/certs/shop",
                token: api.admin,
                body: #"{"allowed_uri_sans":["\#(Self.cart)"],"token_policies":["wide"]}"#
            )
            let reply = try await logIn(api, connection())
            let token = try #require(reply.body["auth"]?["client_token"]?.text)
            for call in ["create", "create-orphan"] {
                let made = try await api.send(
                    .post,
                    "/v1/auth/token/\(call)",
                    token: token,
                    body: "{}",
                    identity: connection()
                )
                let child = try #require(made.body["auth"]?["client_token"]?.text, "\(made.body)")
                #expect(try await status(api, child, connection()) == 200)
                #expect(try await status(api, child, StreamIdentity()) == 401)
            }
            let native = try await api.send(
                .post,
                "/v1/tokens",
                token: token,
                body: #"{"display_name":"x","policies":["wide"]}"#,
                identity: connection()
            )
            #expect(native.status == 403)
        }
    }

    @Test func onlyStandingCertificatesOfServicesThatARoleAdmitsLogIn() async throws {
        try await with { api in
            let refused: [(StreamIdentity, String, String)] = [
                (StreamIdentity(), "{}", "no_certificate"),
                (connection(serial: 9), "{}", "certificate_revoked"),
                (connection(serial: 3), "{}", "certificate_revoked"),
                (
                    connection(name: "spiffe://example.org/ns/other/svc/cart"), "{}",
                    "certificate_revoked"
                ),
                (connection(), #"{"name":"web"}"#, "no_role"),
                (connection(), #"{"name":"nobody"}"#, "no_role"),
                (connection(notAfter: .epoch), "{}", "certificate_expired"),
            ]
            for (identity, body, _) in refused {
                let reply = try await logIn(api, identity, body)
                #expect(reply.status == 400, "\(reply.body)")
                #expect(reply.body["auth"] == nil)
            }
            let list = try await api.send(.get, "/v1/audit?action=auth.login", token: api.admin)
            let reasons = (list.body["items"]?.items ?? []).compactMap { $0["reason"]?.text }
            #expect(reasons.sorted() == refused.map(\.2).sorted())
            #expect(try await logIn(api, connection(), #"{"name":"shop"}"#).status == 200)
        }
    }

    @Test func aRoleMayCountOneRootOnly() async throws {
        try await with { api in
            let root = TestCertificates.root
            let pem = root.chainPEM.replacing("\n", with: "\\n")
            let stored = try await api.send(
                .post,
                "/v1/auth/cert/certs/shop",
                token: api.admin,
                body: #"{"allowed_uri_sans":["\#(Self.cart)"],"certificate":"\#(pem)"}"#
            )
            #expect(stored.status == 204, "\(stored.body)")
            #expect(try await logIn(api, connection()).status == 400)
            let under = StreamIdentity.showing(
                Self.cart,
                serialNumber: [1],
                digest: [UInt8](repeating: 7, count: 32),
                notAfter: Self.end,
                root: SHA256.digest(of: root.leaf).bytes
            )
            #expect(try await logIn(api, under).status == 200)
        }
    }

    @Test func revokingTheServiceEndsWhatItsTokensMay() async throws {
        try await with { api in
            let reply = try await logIn(api, connection())
            let token = try #require(reply.body["auth"]?["client_token"]?.text)
            #expect(try await status(api, token, connection()) == 200)
            let database = try await api.database.connect()
            try await database.query(
                "UPDATE turnpike.certificates SET revoked_at = now() WHERE serial = '\\x01'"
            )
            await database.close()
            #expect(try await status(api, token, connection()) == 401)
            #expect(try await logIn(api, connection()).status == 400)
            #expect(try await logIn(api, connection(serial: 2)).status == 200)
        }
    }

    @Test func rolesSayWhoAndNothingThatIsNotLookedAt() async throws {
        try await with { api in
            let leaf = TestCertificates.alpha.chainPEM.replacing("\n", with: "\\n")
            let wrong = [
                "{}", #"{"allowed_uri_sans":[]}"#, #"{"allowed_uri_sans":[""]}"#,
                #"{"allowed_uri_sans":["a"],"certificate":"-----BEGIN CERTIFICATE-----"}"#,
                #"{"allowed_uri_sans":["a"],"certificate":"\#(leaf)"}"#,
                #"{"allowed_uri_sans":["a"],"allowed_common_names":["x"]}"#,
                #"{"allowed_uri_sans":["a"],"required_extensions":["1.2:x"]}"#,
            ]
            for body in wrong {
                let reply = try await api.send(
                    .post,
                    "/v1/auth/cert/certs/x",
                    token: api.admin,
                    body: body
                )
                #expect(reply.status == 400, "\(body)")
            }
            let names = try await api.send(.list, "/v1/auth/cert/certs", token: api.admin)
            #expect(names.body["data"]?["keys"]?.items?.compactMap(\.text) == ["shop", "web"])
            let read = try await api.send(.get, "/v1/auth/cert/certs/shop", token: api.admin)
            #expect(read.body["data"]?["token_ttl"]?.integer == 600)
            _ = try await api.send(.delete, "/v1/auth/cert/certs/shop", token: api.admin)
            let gone = try await api.send(.get, "/v1/auth/cert/certs/shop", token: api.admin)
            #expect(gone.status == 404)
            // What belongs to the other kind of login is not there.
            let role = try await api.send(.get, "/v1/auth/cert/role/shop", token: api.admin)
            #expect(role.status == 404)
        }
    }

    @Test func whatARevokedWorkloadHoldsEndsInTheSameCommit() async throws {
        try await with { api in
            let mine = connection()
            let reply = try await logIn(api, mine)
            let token = try #require(reply.body["auth"]?["client_token"]?.text)
            let revoked = try await api.send(
                .put,
                "/v1/ca/revocations/services/default/cart",
                token: api.admin,
                body: #"{"reason":"stolen"}"#
            )
            #expect(revoked.status == 200, "\(revoked.body)")
            #expect(try await status(api, token, mine) != 200)
            let database = try await api.database.connect()
            let ended: String = try await database.query(
                """
                SELECT traits -> 'meta' ->> 'serial_number' AS serial
                FROM turnpike.tokens WHERE revoked_at IS NOT NULL
                """
            ).single().decode(at: 0)
            #expect(ended == "01")
            await database.close()
        }
    }
}
