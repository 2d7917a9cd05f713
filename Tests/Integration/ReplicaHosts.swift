import Foundation
import Support
import Testing
import Wire

/// Two hosts of a replicated control plane: `web` on host-a reaches `db` on host-b.
final class ReplicaHosts: Sendable {
    static let names = ["host-a", "host-b"]

    let source: RunningAgent
    let destination: RunningAgent
    let upstreamPort = LoopbackSocket.freePort()
    private let origin = EchoOrigin()

    var agents: [RunningAgent] { [source, destination] }

    /// Both agents run, know every replica, and the way is open.
    init(_ replicas: ReplicaSet) async throws {
        let homes = [
            try await replicas[0].enrol("host-a"), try await replicas[0].enrol("host-b"),
        ]
        let applied = try await replicas[0].turnpike(
            ["apply", "-f", "-"],
            input: """
                kind: service
                name: db
                placements: ["host-b"]
                instances:
                  - agent: host-b
                    port: \(origin.port)
                ---
                kind: service
                name: web
                placements: ["host-a"]
                upstreams:
                  - agent: host-a
                    port: \(upstreamPort)
                    destination: db
                    uids: [\(getuid())]
                """
        )
        try #require(applied.code == 0, "\(applied.errors)")
        let servers = ["--servers", replicas.agentAddresses]
        source = try await RunningAgent(homes[0].start(servers))
        destination = try await RunningAgent(homes[1].start(servers))
        try await replicas.put(
            "/v1/intentions/default/db/default/web",
            at: 0,
            body: #"{"action":"allow"}"#
        )
        let isOpen = try await eventually(within: .seconds(40)) { await self.echoes() }
        try #require(isOpen, "\(source.child.log)\n\(destination.child.log)")
    }

    /// Whether a connection from `web` to `db` comes back with what was sent.
    func echoes() async -> Bool {
        let port = upstreamPort
        return await onThread {
            guard let socket = LoopbackSocket.connect(port: port) else { return false }
            return socket.send([1, 2, 3]) && socket.receive(exactly: 3) == [1, 2, 3]
        }
    }

    /// Ends both.
    func end() async {
        for agent in agents { _ = await agent.end() }
    }
}
