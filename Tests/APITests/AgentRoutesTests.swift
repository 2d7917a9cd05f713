import API
import Control
import Crypto
import HTTP
import Mesh
import Snapshot
import Support
import Testing
import Wire

/// Agents, join tokens, enrolment and the authority, from the request to the row.
@Suite struct AgentRoutesTests {
    private static let enrolmentName = "enroll.example.org"

    @Test func anAgentGoesThroughItsLife() async throws {
        try await APIFixture.with { api in
            let made = try await api.send(
                .put,
                "/v1/agents/web-1",
                token: api.admin,
                body: #"{"description":"Front"}"#
            )
            #expect(made.status == 201 && made.body["state"]?.text == "invited")
            let tag = try #require(made.fields.first(.etag))
            let same = try await api.send(
                .put,
                "/v1/agents/web-1",
                token: api.admin,
                body: #"{"description":"Front"}"#,
                [("if-match", tag)]
            )
            #expect(same.status == 200 && same.fields.first(.etag) == tag)
            let stale = try await api.send(
                .delete,
                "/v1/agents/web-1",
                token: api.admin,
                [("if-match", "\"77777\"")]
            )
            #expect(stale.status == 412)
            let (status, token) = try await invite(api)
            #expect(status == 201 && token.agent.text == "web-1")
            #expect(token.servers == ["tp.example.org:7400"])
            let chain = try await enrol(api, token)
            let leaf = try Certificate(der: try #require(chain.first))
            #expect(leaf.uriNames == ["spiffe://example.org/agent/web-1"])
            let agent = try await api.send(.get, "/v1/agents/web-1", token: api.admin)
            #expect(agent.body["state"]?.text == "enrolled")
            #expect(agent.body["enrolled_at"]?.text != nil)
            let page = try await api.send(
                .get,
                "/v1/ca/certificates?agent=web-1&limit=1",
                token: api.admin
            )
            #expect(page.body["items"]?[0]?["serial"]?.text == Hex.encode(leaf.serialNumber))
            #expect(page.body["next"]?.isNull == true)
            let gone = try await api.send(.delete, "/v1/agents/web-1", token: api.admin)
            #expect(gone.status == 200 && gone.body["revision"]?.integer != nil)
            let list = try await api.send(.get, "/v1/agents", token: api.admin)
            #expect(list.body["items"]?[0]?["state"]?.text == "revoked")
        }
    }

    @Test func aDescriptionWithControlCharactersIsRefused() async throws {
        try await APIFixture.with { api in
            let reply = try await api.send(
                .put,
                "/v1/agents/host-1",
                token: api.admin,
                body: #"{"description":"a\u0000b"}"#
            )
            #expect(reply.status == 400)
        }
    }

    @Test func joinTokensAreListedWithoutTheirSecretAndRevoked() async throws {
        try await APIFixture.with { api in
            let (_, token) = try await invite(api)
            let path = "/v1/agents/web-1/join-tokens"
            let list = try await api.send(.get, path, token: api.admin)
            let item = try #require(list.body["items"]?[0])
            #expect(item["token"] == nil && item["redeemed_at"]?.isNull == true)
            let id = try #require(item["id"]?.text)
            let revoked = try await api.send(.delete, "\(path)/\(id)", token: api.admin)
            #expect(revoked.status == 200 && revoked.body["revoked_at"]?.text != nil)
            let reply = try await post(api, token, serverName: Self.enrolmentName)
            #expect(reply.status == 401 && reply.code == "join_token.refused")
            let long = try await api.send(
                .post,
                path,
                token: api.admin,
                body: #"{"ttl":"61m"}"#
            )
            #expect(long.status == 400)
        }
    }

    @Test func enrolmentIsUnderItsOwnNameOnly() async throws {
        try await APIFixture.with { api in
            let (_, token) = try await invite(api)
            for name in [nil, "server.example.org"] {
                let trust = try await api.send(.get, "/v1/trust", token: nil, serverName: name)
                #expect(trust.status == 404)
                #expect(try await post(api, token, serverName: name).status == 404)
            }
            let trust = try await api.send(
                .get,
                "/v1/trust",
                token: nil,
                serverName: Self.enrolmentName
            )
            #expect(trust.status == 200)
            let envelope = try Envelope(encoded: JSON.canonical(trust.body))
            #expect(envelope.payloadHash == token.trustHash)
        }
    }

    @Test func invitingNeedsTheRightOnTheTokensAndOnEachPlacement() async throws {
        try await APIFixture.with { api in
            try await policy(
                api,
                "inviter",
                #"{"agents/web-1/join-tokens":["update"],"agents/web-1":["read"]}"#
            )
            let inviter = try await api.token(policies: ["inviter"])
            let path = "/v1/agents/web-1/join-tokens"
            let placed = try await api.send(
                .post,
                path,
                token: inviter,
                body: #"{"placements":["default/web"]}"#
            )
            #expect(placed.status == 403)
            #expect(
                placed.body["errors"]?[0]?.text?.contains("placements/default/web/web-1") == true
            )
            let plain = try await api.send(.post, path, token: inviter, body: "{}")
            #expect(plain.status == 201)
            let other = try await api.send(
                .post,
                "/v1/agents/db-1/join-tokens",
                token: inviter,
                body: "{}"
            )
            #expect(other.status == 403)
            _ = try await api.send(.put, "/v1/agents/db-1", token: api.admin, body: "{}")
            let list = try await api.send(.get, "/v1/agents", token: inviter)
            #expect(list.body["items"]?.items?.compactMap { $0["name"]?.text } == ["web-1"])
            #expect(try await api.send(.get, "/v1/ca", token: inviter).status == 403)
        }
    }

    @Test func theAuthorityShowsRootsIntermediatesAndTrust() async throws {
        try await APIFixture.with { api in
            let reply = try await api.send(.get, "/v1/ca", token: api.admin)
            #expect(reply.status == 200)
            #expect(reply.body["trust_domain"]?.text == "example.org")
            let root = try Certificate(
                pem: try #require(reply.body["roots"]?[0]?["certificate"]?.text)
            )
            let middle = try Certificate(
                pem: try #require(reply.body["intermediates"]?[0]?["certificate"]?.text)
            )
            #expect(try middle.isSigned(by: root.publicKey()))
            #expect(reply.body["trust_document"]?["version"]?.integer == 1)
            #expect(reply.body["trust_document"]?["hash"]?.text?.count == 64)
            let bad = try await api.send(
                .get,
                "/v1/ca/certificates?after=zz",
                token: api.admin
            )
            #expect(bad.status == 400)
        }
    }

    private func policy(_ api: APIFixture, _ name: String, _ paths: String) async throws {
        let reply = try await api.send(
            .put,
            "/v1/policies/\(name)",
            token: api.admin,
            body: "{\"paths\":\(paths)}"
        )
        try #require(reply.status == 201)
    }

    private func invite(_ api: APIFixture) async throws -> (status: Int, token: JoinToken) {
        let reply = try await api.send(
            .post,
            "/v1/agents/web-1/join-tokens",
            token: api.admin,
            body: #"{"ttl":"15m"}"#
        )
        return (reply.status, try JoinToken(try #require(reply.body["token"]?.text)))
    }

    private func post(
        _ api: APIFixture,
        _ token: JoinToken,
        serverName: String?
    ) async throws -> APIFixture.Reply {
        let secret = token.secret.withBytes { bytes in
            var copy: [UInt8] = []
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            return copy
        }
        let request = EnrolmentRequest(
            secret: secret,
            csr: try CertificateSigningRequest.make(for: .generate(.ecdsaP256))
        )
        return try await api.send(
            .post,
            "/v1/enroll",
            token: nil,
            body: String(decoding: JSON.canonical(request.document), as: UTF8.self),
            serverName: serverName
        )
    }

    private func enrol(_ api: APIFixture, _ token: JoinToken) async throws -> [[UInt8]] {
        let reply = try await post(api, token, serverName: Self.enrolmentName)
        let answer = try FieldReader.read(reply.body) { reader throws(FieldError) in
            try EnrolmentAnswer(from: &reader)
        }
        #expect(answer.servers == ["tp.example.org:7401"])
        return answer.chain
    }
}
