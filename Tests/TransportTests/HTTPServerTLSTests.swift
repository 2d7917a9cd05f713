import HTTP
import Reactor
import Support
import TLS
import Testing
import Transport

@Suite(.timeLimit(.minutes(1))) struct HTTPServerTLSTests {
    /// Answers with who asked whom.
    private static let who: HTTPServer.RequestHandler = { request in
        let identity = request.context.identity
        let text = "\(identity.peer?.name ?? "-") \(identity.serverName ?? "-")"
        return HTTPResponse(status: .ok, body: Array(text.utf8))
    }

    @Test(arguments: [
        ("localhost", "web", false), ("localhost", "web", true),
        ("enroll.example.test", "alpha", true), (nil, "web", true),
    ])
    func serverNameChoosesTheCertificate(
        _ name: String?,
        _ shown: String,
        _ hasCertificate: Bool
    ) async throws {
        let fixture = try await HTTPFixture(
            security: try TestContexts.server(.optional),
            handler: Self.who
        )
        let client = try fixture.client(
            TestContexts.clientSecurity(
                serverName: name,
                certificate: hasCertificate ? TestCertificates.beta : nil
            )
        )
        let answer = try await client.send(.get, "/")
        let expected = "\(hasCertificate ? "beta" : "-") \(name ?? "-")"
        #expect(String(decoding: answer.body, as: UTF8.self) == expected)
        #expect(answer.identity.peer?.name == shown)
        await client.close()
        await fixture.finish()
    }

    @Test func unknownServerNameGetsNoAnswer() async throws {
        let fixture = try await HTTPFixture(security: try TestContexts.server(.none))
        let client = try fixture.client(
            TestContexts.clientSecurity(serverName: "other.example.test")
        )
        do {
            _ = try await client.send(.get, "/")
            Issue.record("answered")
        } catch {
            guard case .connecting(_, .tls(let failure)) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(failure.alert == .unrecognizedName)
        }
        await client.close()
        await fixture.finish()
    }

    @Test func foreignClientCertificateIsRefused() async throws {
        let fixture = try await HTTPFixture(security: try TestContexts.server(.required))
        let client = try fixture.client(
            TestContexts.clientSecurity(certificate: TestCertificates.impostor)
        )
        await #expect(throws: HTTPClientError.self) { _ = try await client.send(.get, "/") }
        await client.close()
        await fixture.finish()
        guard case .connectionFailed(_, .tls(let failure)) = fixture.events.all.first else {
            Issue.record("\(fixture.events.all)")
            return
        }
        #expect(failure.kind == .peerRefused)
    }

    @Test func largeBodiesOverTLSAreExact() async throws {
        let fixture = try await HTTPFixture(security: try TestContexts.server(.none)) {
            $0.policy.limits.bodyByteCountMax = 4 << 20
        }
        let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 131) >> 5) }
        let client = try fixture.client(TestContexts.clientSecurity())
        let answer = try await client.send(.put, "/", body: body)
        #expect(answer.body == body)
        await client.close()
        await fixture.finish()
    }

    @Test func truncatedRequestIsNotServed() async throws {
        let served = Log<String>()
        let fixture = try await HTTPFixture(security: try TestContexts.server(.none)) { _ in
        } handler: { request in
            served.append(request.head.path)
            return HTTPResponse(status: .ok)
        }
        let connection = try await fixture.connect(TestContexts.clientSecurity())
        let text = "POST /cut HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"
        try await connection.write(Array(text.utf8))
        await connection.abort()
        while await fixture.server.connectionCount() > 0 {
            try await fixture.reactor.sleep(for: .milliseconds(2))
        }
        #expect(served.all.isEmpty)
        await fixture.finish()
    }

    @Test func silentHandshakeIsCut() async throws {
        let fixture = try await HTTPFixture(security: try TestContexts.server(.none)) {
            $0.connectionLimits.handshakeTimeout = .milliseconds(60)
        }
        #expect(try await fixture.converse("") == "")
        guard case .connectionFailed(_, .timedOut(.handshake)) = fixture.events.all.first else {
            Issue.record("\(fixture.events.all)")
            return
        }
        await fixture.finish()
    }
}
