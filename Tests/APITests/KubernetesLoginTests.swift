import Crypto
import HTTP
import Support
import Synchronization
import Testing
import Wire

/// Logins of service accounts: by keys that are given, and by asking the cluster's API server.
@Suite(.timeLimit(.minutes(2))) struct KubernetesLoginTests {
    private static let role = """
        {"bound_service_account_names":"web","bound_service_account_namespaces":["shop"],
         "audience":"turnpike","token_policies":["read-only"],"token_ttl":"9m"}
        """

    private func claims(
        name: String = "web",
        namespace: String = "shop",
        audience: String = "turnpike",
        subject: String? = nil,
        issuer: String = "https://kubernetes.default.svc",
        end: Int64 = 4_000_000_000
    ) -> String {
        """
        {"iss":"\(issuer)","aud":["\(audience)"],"exp":\(end),
        "sub":"\(subject ?? "system:serviceaccount:\(namespace):\(name)")",
        "kubernetes.io":{"namespace":"\(namespace)","serviceaccount":{"name":"\(name)","uid":"u-1"}}}
        """
    }

    private func review(
        _ user: String = "system:serviceaccount:shop:web",
        authenticated: Bool = true,
        audience: String = "turnpike",
        more: String = ""
    ) -> String {
        """
        {"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{
        "authenticated":\(authenticated),"user":{"username":"\(user)"},"audiences":["\(audience)"]\(more)}}
        """
    }

    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String,
        token: String?
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/\(path)", token: token, body: body)
    }

    private func prepare(_ api: APIFixture, _ configuration: String) async throws {
        let calls = [
            ("sys/auth/kubernetes", #"{"type":"kubernetes"}"#),
            ("auth/kubernetes/config", configuration), ("auth/kubernetes/role/web", Self.role),
        ]
        for (path, text) in calls {
            let reply = try await post(api, path, text, token: api.admin)
            #expect(reply.status == 204, "\(path): \(reply.body)")
        }
    }

    private func logIn(_ api: APIFixture, _ token: String) async throws -> APIFixture.Reply {
        let body = #"{"role":"web","jwt":"\#(token)"}"#
        return try await post(api, "auth/kubernetes/login", body, token: nil)
    }

    private func reasons(_ api: APIFixture) async throws -> [String] {
        let list = try await api.send(.get, "/v1/audit?action=auth.login", token: api.admin)
        return (list.body["items"]?.items ?? []).compactMap { $0["reason"]?.text }
    }

    @Test func tokensAreVerifiedByKeysThatAreGiven() async throws {
        try await APIFixture.with { api in
            let issuer = try LoginRoutesTests.Issuer()
            let pem = issuer.pem.replacing("\n", with: "\\n")
            let issued = "https://kubernetes.default.svc"
            try await prepare(api, #"{"pem_keys":["\#(pem)"],"issuer":"\#(issued)"}"#)
            let reply = try await logIn(api, issuer.token(claims()))
            #expect(reply.status == 200, "\(reply.body)")
            let auth = try #require(reply.body["auth"])
            #expect(auth["lease_duration"]?.integer == 540)
            let metadata = auth["metadata"]
            #expect(metadata?["service_account_name"]?.text == "web")
            #expect(metadata?["service_account_uid"]?.text == "u-1")
            let stranger = try LoginRoutesTests.Issuer()
            let refused = [
                try stranger.token(claims()), try issuer.token(claims(name: "other")),
                try issuer.token(claims(namespace: "other")),
                try issuer.token(claims(audience: "other")), try issuer.token(claims(end: 1_000)),
                try issuer.token(claims(issuer: "https://other.example")),
                try issuer.token(claims(subject: "system:serviceaccount:shop:admin")), "x",
            ]
            for token in refused { #expect(try await logIn(api, token).status == 400) }
            let found = try await reasons(api)
            #expect(found.count == refused.count && found.contains("kubernetes_subject"))
        }
    }

    @Test func theAPIServerIsAskedWithTheTokenItself() async throws {
        let server = try KeyServer(review())
        let address = try await server.start().replacing("/keys?set=1", with: "")
        let roots = TestCertificates.root.chainPEM.replacing("\n", with: "\\n")
        try await APIFixture.with { api in
            try await prepare(
                api,
                """
                {"kubernetes_host":"\(address)","kubernetes_ca_cert":"\(roots)",
                 "kubernetes_private_addresses":true}
                """
            )
            let issuer = try LoginRoutesTests.Issuer()
            let token = try issuer.token(claims())
            let reply = try await logIn(api, token)
            #expect(reply.status == 200, "\(reply.body)")
            let (head, body) = server.state.withLock { ($0.head, $0.body) }
            #expect(head?.path == "/apis/authentication.k8s.io/v1/tokenreviews")
            #expect(head?.fields.first(.authorization) == "Bearer \(token)")
            let asked = try JSON.parse(body, source: "review")
            #expect(asked["spec"]?["audiences"]?.items?.compactMap(\.text) == ["turnpike"])
            // What cannot be meant for us is shown to nobody.
            let foreign = try issuer.token(claims(audience: "other"))
            #expect(try await logIn(api, foreign).status == 400)
            #expect(server.requests == 1)
            let answers: [(String, Int, Int)] = [
                (review(authenticated: false), 201, 400), (review("admin"), 201, 400),
                (review("system:serviceaccount:shop:other"), 201, 400),
                (review(audience: "other"), 201, 400), (review(more: #","error":"x""#), 201, 400),
                ("{}", 200, 400), ("x", 200, 400), (review(), 401, 400), (review(), 302, 400),
                (review(), 500, 503),
            ]
            for (text, status, expected) in answers {
                server.state.withLock { state in
                    state.text = text
                    state.status = status
                }
                #expect(try await logIn(api, token).status == expected, "\(text)")
            }
        }
        await server.stop()
    }

    @Test func settingsAndRolesThatLetEverybodyInAreRefused() async throws {
        try await APIFixture.with { api in
            _ = try await post(
                api,
                "sys/auth/kubernetes",
                #"{"type":"kubernetes"}"#,
                token: api.admin
            )
            let wrong = [
                ("config", "{}"), ("config", #"{"kubernetes_host":"http://a.example"}"#),
                ("config", #"{"pem_keys":["x"]}"#),
                ("config", #"{"kubernetes_host":"https://a.example","token_reviewer_jwt":"x"}"#),
                ("role/web", "{}"), ("role/web", Self.role.replacing("turnpike", with: "")),
                ("role/web", Self.role.replacing("web", with: "w*")),
                ("role/web", Self.role.replacing("web", with: "*").replacing("shop", with: "*")),
            ]
            for (path, body) in wrong {
                let reply = try await post(api, "auth/kubernetes/\(path)", body, token: api.admin)
                #expect(reply.status == 400, "\(path) \(body)")
            }
            #expect(try await logIn(api, "x").status == 400)
            #expect(try await reasons(api) == ["not_configured"])
            let host = #"{"kubernetes_host":"https://a.example/"}"#
            let stored = try await post(api, "auth/kubernetes/config", host, token: api.admin)
            #expect(stored.status == 204, "\(stored.body)")
            let read = try await api.send(.get, "/v1/auth/kubernetes/config", token: api.admin)
            #expect(read.body["data"]?["kubernetes_host"]?.text == "https://a.example/")
            let policy = #"{"paths":{"auth/kubernetes/*":["create","read","update"]}}"#
            _ = try await api.send(.put, "/v1/policies/k", token: api.admin, body: policy)
            let denied = try await post(
                api,
                "auth/kubernetes/config",
                #"{"kubernetes_host":"https://10.0.0.1","kubernetes_private_addresses":true}"#,
                token: try await api.token(policies: ["k"])
            )
            #expect(denied.status == 403)
        }
    }
}
