import Crypto
import Foundation
import HTTP
import Mesh
import Support
import Testing
import Wire

/// A service that no agent hosts, reached through an egress agent: two real agents, a real server,
/// and a TLS server outside.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ExternalServiceTests {
    private static let name = "db.example.com"

    /// Lets host-b be the way out to `saas`, and opens a port to it for each source.
    private func declare(
        _ hosts: TwoHosts,
        port: UInt16,
        authority: OutsideAuthority,
        webPort: UInt16,
        reportsPort: UInt16
    ) async throws {
        let bundle = FileManager.default.temporaryDirectory
            .appendingPathComponent("outside-\(UUID().uuidString).pem")
        try authority.pem.write(to: bundle, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: bundle) }
        let user = "\(getuid())"
        let commands = [
            ["service", "put", "saas"],
            ["placement", "put", "saas", "host-b"],
            [
                "external", "put", "saas", "host-b", "127.0.0.1:\(port)", "--server-name",
                Self.name, "--ca", bundle.path, "--allow-local",
            ],
            ["upstream", "put", "host-a", "\(webPort)", "web", "saas", "--uid", user],
            ["upstream", "put", "host-a", "\(reportsPort)", "reports", "saas", "--uid", user],
        ]
        for command in commands {
            let done = try await hosts.server.turnpike(command)
            try #require(done.code == 0, "\(command): \(done.errors)")
        }
    }

    private static let rule = "/v1/intentions/default/saas/default/web"

    private func allow(_ hosts: TwoHosts) async throws {
        let answer = try await hosts.server.send(
            .put,
            Self.rule + "?wait=enforced&timeout=10s",
            body: #"{"action":"allow"}"#
        )
        try #require((200...201).contains(answer.status), "\(answer.text)")
    }

    private func explain(_ hosts: TwoHosts, _ source: String) async throws -> String {
        let told = try await hosts.server.turnpike(["explain", source, "saas"])
        return told.output + told.errors
    }

    @Test func itsIntentionsAndItsCertificateDecide() async throws {
        let origin = EchoOrigin()
        let hosts = try await TwoHosts(instance: origin.port)
        let (source, destination) = try await hosts.startBoth()
        let now = Timestamp(nanosecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1e9))
        let authority = try OutsideAuthority(now: now)
        let server = try OutsideServer(authority.leaf([.dns(Self.name)]))
        let (webPort, reportsPort) = (LoopbackSocket.freePort(), LoopbackSocket.freePort())
        try await declare(
            hosts,
            port: server.port,
            authority: authority,
            webPort: webPort,
            reportsPort: reportsPort
        )
        try await allow(hosts)

        // Who may passes, in plain TCP to its own port; who may not is refused with the reason.
        let passes = try await eventually { await hosts.echoes(webPort) }
        #expect(passes, "\(destination.child.log)")
        #expect(await !hosts.echoes(reportsPort))
        let isTold = try await eventually {
            let told = try await explain(hosts, "reports")
            return told.contains("DENIED") && told.contains("last refusal between them")
        }
        #expect(isTold)

        // The end of the intention is the end of the connection.
        let open = try #require(
            await onThread { () -> LoopbackSocket? in
                guard let socket = LoopbackSocket.connect(port: webPort), socket.send([7]),
                    socket.receive(exactly: 1) == [7]
                else { return nil }
                return socket
            }
        )
        let deleted = try await hosts.server.send(.delete, Self.rule)
        let began = ContinuousClock.now
        try #require(deleted.status == 200, "\(deleted.text)")
        let end = await onThread { open.receive().end }
        #expect(end != .open && end != .timedOut)
        #expect(ContinuousClock.now - began < .seconds(1))
        #expect(await !hosts.echoes(webPort))

        // Another certificate outside is refused, and everybody is told why.
        try await allow(hosts)
        let impostor = try OutsideServer(
            try OutsideAuthority(now: now).leaf([.dns(Self.name)])
        )
        let bundle = authority.pem.split(separator: "\n").joined(separator: "\\n") + "\\n"
        let moved = try await hosts.server.turnpike(
            ["apply", "-f", "-"],
            input: """
                kind: external
                service: saas
                agent: host-b
                host: "127.0.0.1"
                port: \(impostor.port)
                tls:
                  mode: verify
                  server_name: \(Self.name)
                  ca: "\(bundle)"
                allow_local: true
                """
        )
        try #require(moved.code == 0, "\(moved.errors)")
        let isRefused = try await eventually {
            guard await !hosts.echoes(webPort) else { return false }
            return try await explain(hosts, "web").contains(
                DecisionReason.outsideUntrusted.sentence
            )
        }
        let told = try await explain(hosts, "web")
        #expect(isRefused, "\(told)\n\(destination.child.log)")
        _ = await source.end()
        _ = await destination.end()
        server.stop()
        impostor.stop()
        _ = await hosts.server.stop()
    }
}
