import Control
import Crypto
import HTTP
import Postgres
import Support
import Synchronization
import Testing
import Wire

/// Logins by a signed request, against a server that checks the signature as STS does.
@Suite(.timeLimit(.minutes(2))) struct AWSLoginTests {
    private static let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    private static let key = "AKIAIOSFODNN7EXAMPLE"
    private static let body = "Action=GetCallerIdentity&Version=2011-06-15"
    private static let type = "application/x-www-form-urlencoded; charset=utf-8"

    private static let answer = """
        <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
        <GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/deploy/i-1</Arn>
        <UserId>AROA1:i-1</UserId><Account>123456789012</Account></GetCallerIdentityResult>
        </GetCallerIdentityResponse>
        """

    private static let role = """
        {"auth_type":"iam","bound_account_id":["123456789012"],"token_policies":["read-only"],
         "bound_iam_principal_arn":["arn:aws:iam::123456789012:role/deploy"]}
        """

    /// What Signature Version 4 gives for a request to STS.
    private static func signature(_ fields: [(String, String)], _ body: [UInt8], date: String)
        -> String
    {
        func keyed(_ key: [UInt8], _ text: String) -> [UInt8] {
            HMACSHA256.tag(of: Array(text.utf8), key: SecretBytes(copying: key)).bytes
        }
        let names = fields.map(\.0).joined(separator: ";")
        let lines = fields.map { "\($0.0):\($0.1)\n" }.joined()
        let request = "POST\n/\n\n\(lines)\n\(names)\n\(SHA256.digest(of: body).hex)"
        let day = String(date.prefix(8))
        let scope = "\(day)/us-east-1/sts/aws4_request"
        let hash = SHA256.digest(of: Array(request.utf8)).hex
        var key = keyed(Array("AWS4\(secret)".utf8), day)
        for part in ["us-east-1", "sts", "aws4_request"] { key = keyed(key, part) }
        return Hex.encode(keyed(key, "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(hash)"))
    }

    /// Whether the request that arrived is the one that was signed.
    private static func isGenuine(_ server: KeyServer) throws -> Bool {
        let (head, body) = server.state.withLock { ($0.head, $0.body) }
        let sent = try #require(head)
        let authorization = try #require(sent.fields.first(.authorization))
        let names = try #require(
            authorization.split(separator: "SignedHeaders=").last?.split(separator: ",").first
        )
        func value(_ name: String) throws -> String {
            if name == "host" { return try #require(sent.authority?.description) }
            let field = try #require(FieldName(name))
            return try #require(sent.fields.values(field).first)
        }
        var fields: [(String, String)] = []
        for name in names.split(separator: ";") {
            fields.append((String(name), try value(String(name))))
        }
        let date = try value("x-amz-date")
        let expected = signature(fields, body, date: date)
        return authorization.hasSuffix("Signature=\(expected)") && sent.method == .post
    }

    private func login(
        _ serverID: String,
        at now: Timestamp,
        _ change: (inout [(String, String)]) -> Void = { _ in }
    ) -> String {
        let text = now.description.filter { $0 != "-" && $0 != ":" }
        let date = "\(text.prefix(15))Z"
        var fields = [
            ("content-length", "43"), ("content-type", Self.type), ("host", "sts.amazonaws.com"),
            ("x-amz-date", date), ("x-vault-aws-iam-server-id", serverID),
        ]
        change(&fields)
        let names = fields.map(\.0).joined(separator: ";")
        let signature = Self.signature(fields, Array(Self.body.utf8), date: date)
        fields.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(Self.key)/\(date.prefix(8))/us-east-1/sts/aws4_request, "
                    + "SignedHeaders=\(names), Signature=\(signature)"
            )
        )
        let headers = Document.map(Dictionary(uniqueKeysWithValues: fields))
        let encoded = [
            "iam_request_url": Array("https://sts.amazonaws.com/".utf8),
            "iam_request_body": Array(Self.body.utf8),
            "iam_request_headers": JSON.canonical(headers),
        ].mapValues(Base64.encode)
        let body = encoded.merging(["role": "deploy", "iam_http_request_method": "POST"]) { a, _ in
            a
        }
        return String(decoding: JSON.canonical(.map(body)), as: UTF8.self)
    }

    private func post(
        _ api: APIFixture,
        _ path: String,
        _ body: String,
        token: String? = nil
    ) async throws -> APIFixture.Reply {
        try await api.send(.post, "/v1/\(path)", token: token, body: body)
    }

    private func header(_ api: APIFixture) async throws -> String {
        let reply = try await post(api, "auth/aws/nonce", "{}")
        return try #require(reply.body["data"]?["header_value"]?.text, "\(reply.body)")
    }

    private func reasons(_ api: APIFixture) async throws -> [String] {
        let list = try await api.send(.get, "/v1/audit?action=auth.login", token: api.admin)
        return (list.body["items"]?.items ?? []).compactMap { $0["reason"]?.text }
    }

    private func with(_ body: (APIFixture, KeyServer) async throws -> Void) async throws {
        let server = try KeyServer(Self.answer)
        server.state.withLock { $0.fields = [("content-type", "text/xml")] }
        let address = try await server.start()
        let roots = TestCertificates.root.chainPEM.replacing("\n", with: "\\n")
        let outcome: Result<Void, any Error>
        do {
            try await APIFixture.with { api in
                let origin = address.replacing("keys?set=1", with: "")
                let calls = [
                    ("sys/auth/aws", #"{"type":"aws"}"#),
                    (
                        "auth/aws/config/client",
                        #"{"sts_endpoint":"\#(origin)","sts_ca_pem":"\#(roots)","sts_private_addresses":true}"#
                    ), ("auth/aws/role/deploy", Self.role),
                ]
                for (path, text) in calls {
                    let reply = try await post(api, path, text, token: api.admin)
                    #expect(reply.status == 204, "\(path): \(reply.body)")
                }
                try await body(api, server)
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await server.stop()
        try outcome.get()
    }

    @Test func whoeverSignedGetsATokenOnce() async throws {
        try await with { api, server in
            let body = login(try await header(api), at: api.control.now())
            let reply = try await post(api, "auth/aws/login", body)
            #expect(reply.status == 200, "\(reply.body)")
            #expect(try Self.isGenuine(server))
            let metadata = reply.body["auth"]?["metadata"]
            #expect(
                metadata?["canonical_arn"]?.text == "arn:aws:iam::123456789012:role/deploy"
            )
            #expect(metadata?["account_id"]?.text == "123456789012")
            #expect(reply.body["auth"]?["policies"]?.items?.compactMap(\.text) == ["read-only"])
            // The same request, and another one with the same nonce.
            #expect(try await post(api, "auth/aws/login", body).status == 400)
            #expect(try await reasons(api) == ["aws_replayed"])
            let names = try await api.send(.list, "/v1/auth/aws/roles", token: api.admin)
            #expect(names.body["data"]?["keys"]?.items?.compactMap(\.text) == ["deploy"])
        }
    }

    @Test func whatCannotBeProvedIsRefusedWithoutAsking() async throws {
        try await with { api, server in
            let now = api.control.now()
            let good = try await header(api)
            let plain = String(try #require(good.split(separator: ";").first))
            let refused = [
                (login(plain, at: now), "aws_no_nonce"),
                (login("other;x", at: now), "aws_server_id"),
                (login("\(plain);AAAA", at: now), "aws_nonce"),
                (login("\(good);x", at: now), "aws_server_id"),
                (login(good, at: now + .seconds(-400)), "aws_date"),
                (login(good, at: now + .seconds(400)), "aws_date"),
                (login(good, at: now) { $0.insert(("accept", "a"), at: 0) }, "aws_signed_headers"),
                (
                    login(good, at: now).replacing(#""deploy""#, with: #""nobody""#),
                    "unknown_role"
                ),
            ]
            for (body, reason) in refused {
                let reply = try await post(api, "auth/aws/login", body)
                #expect(reply.status == 400, "\(reason)")
            }
            #expect(try await reasons(api).sorted() == refused.map(\.1).sorted())
            #expect(server.requests == 0)
            // For clients that send a fixed header; whoever says so is in the trail.
            let fixed = Self.role.replacing("{\"auth", with: "{\"require_nonce\":false,\"auth")
            _ = try await post(api, "auth/aws/role/deploy", fixed, token: api.admin)
            let body = login(plain, at: now)
            #expect(try await post(api, "auth/aws/login", body).status == 200)
            #expect(try await post(api, "auth/aws/login", body).status == 400)
            let trail = try await api.send(.get, "/v1/audit?action=auth.put", token: api.admin)
            let switched = trail.body["items"]?.items?.contains {
                $0["detail"]?["entry"]?["needs_nonce"]?.bool == false
            }
            #expect(switched == true)
        }
    }

    @Test func onlyWhomSTSNamesAndTheRoleAdmitsComesIn() async throws {
        try await with { api, server in
            let changes: [(String, Int, String, Int, String)] = [
                (
                    Self.answer.replacing("123456789012", with: "210987654321"), 200, "text/xml",
                    400, "aws_account"
                ),
                (
                    Self.answer.replacing("/deploy/", with: "/other/"), 200, "text/xml", 400,
                    "aws_principal"
                ),
                (Self.answer, 403, "text/xml", 400, "aws_refused"),
                (Self.answer, 301, "text/xml", 400, "aws_refused"),
                (Self.answer, 200, "text/html", 400, "aws_refused"),
                ("<a></a>", 200, "text/xml", 400, "aws_refused"),
                (Self.answer + String(repeating: " ", count: 20_000), 200, "text/xml", 503, ""),
                (Self.answer, 500, "text/xml", 503, ""),
            ]
            for (text, status, type, expected, reason) in changes {
                server.state.withLock { state in
                    state.text = text
                    state.status = status
                    state.fields = [("content-type", type)]
                }
                let body = login(try await header(api), at: api.control.now())
                let reply = try await post(api, "auth/aws/login", body)
                #expect(reply.status == expected, "\(reason): \(reply.body)")
            }
            let found = try await reasons(api).sorted()
            #expect(found == changes.map(\.4).filter { !$0.isEmpty }.sorted())
        }
    }

    @Test func settingsAndRolesThatProveNothingAreRefused() async throws {
        try await with { api, _ in
            let policy = #"{"paths":{"auth/aws/*":["create","read","update"]}}"#
            _ = try await api.send(.put, "/v1/policies/aws", token: api.admin, body: policy)
            let writer = try await api.token(policies: ["aws"])
            // Whoever names the server decides who everybody is.
            let denied = try await post(api, "auth/aws/config/client", "{}", token: writer)
            #expect(denied.status == 403)
            let wrong = [
                ("config/client", #"{"sts_endpoint":"http://a.example/"}"#),
                ("config/client", #"{"iam_server_id_header_value":"a;bcdefghi"}"#),
                ("config/client", #"{"access_key":"AKIA"}"#), ("role/x", "{}"),
                ("role/x", #"{"auth_type":"ec2"}"#),
                ("role/x", #"{"bound_account_id":"123456789012"}"#),
                ("role/x", Self.role.replacing("::123456789012:role", with: "::*:role")),
                (
                    "role/x",
                    Self.role.replacing("{\"auth", with: "{\"resolve_aws_unique_ids\":true,\"auth")
                ),
                (
                    "role/x",
                    Self.role.replacing("{\"auth", with: "{\"bound_vpc_id\":[\"a\"],\"auth")
                ),
                ("login", "{}"),
            ]
            for (path, body) in wrong {
                let reply = try await post(api, "auth/aws/\(path)", body, token: api.admin)
                #expect(reply.status == 400, "\(path) \(body)")
            }
            let read = try await api.send(.get, "/v1/auth/aws/role/deploy", token: api.admin)
            #expect(read.body["data"]?["require_nonce"]?.bool == true)
        }
    }
}
