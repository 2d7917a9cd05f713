import Foundation
import HTTP
import Support
import Testing
import Wire

/// A control plane and two hosts whose agents are real processes.
///
/// `web` and `reports` on host-a reach `db` on host-b, each through an upstream port of its own; the
/// instance of `db` is an origin of the test. Both agents keep their mesh ports when they are
/// started again, as real ones do.
final class TwoHosts: Sendable {
    let site: ServerSite
    let server: ServerChild
    let sourceHome: JoinedAgent
    let destinationHome: JoinedAgent
    let webPort = LoopbackSocket.freePort()
    let reportsPort = LoopbackSocket.freePort()
    private let sourceMeshPort = LoopbackSocket.freePort()
    private let destinationMeshPort = LoopbackSocket.freePort()

    /// Starts the server and lets both hosts join; no agent runs yet.
    init(instance: UInt16, leafLifetime: String = "1h") async throws {
        site = try ServerSite()
        server = try await site.start()
        sourceHome = try await server.enrol("host-a")
        destinationHome = try await server.enrol("host-b")
        let applied = try await server.turnpike(
            ["apply", "-f", "-"],
            input: """
                kind: service
                name: db
                leaf_ttl: \(leafLifetime)
                placements: ["host-b"]
                instances:
                  - agent: host-b
                    port: \(instance)
                ---
                kind: service
                name: web
                leaf_ttl: \(leafLifetime)
                placements: ["host-a"]
                upstreams:
                  - agent: host-a
                    port: \(webPort)
                    destination: db
                    uids: [\(getuid())]
                ---
                kind: service
                name: reports
                leaf_ttl: \(leafLifetime)
                placements: ["host-a"]
                upstreams:
                  - agent: host-a
                    port: \(reportsPort)
                    destination: db
                    uids: [\(getuid())]
                """
        )
        try #require(applied.code == 0, "\(applied.errors)")
    }

    /// Starts the agent of host-a.
    func startSource(
        _ more: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> RunningAgent {
        try await RunningAgent(
            sourceHome.start(
                ["--mesh-listen", "127.0.0.1:\(sourceMeshPort)"] + more,
                environment: environment
            )
        )
    }

    /// Starts the agent of host-b.
    func startDestination(
        _ more: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> RunningAgent {
        try await RunningAgent(
            destinationHome.start(
                ["--mesh-listen", "127.0.0.1:\(destinationMeshPort)"] + more,
                environment: environment
            )
        )
    }

    /// Lets a source reach `db`, or keeps it away; gives the revision.
    @discardableResult
    func decide(_ action: String, from source: String) async throws -> Int64 {
        let answer = try await server.send(
            .put,
            "/v1/intentions/default/db/default/\(source)",
            body: #"{"action":"\#(action)"}"#
        )
        try #require((200...201).contains(answer.status), "\(answer.text)")
        return try #require(answer.body["revision"]?.integer, "\(answer.text)")
    }

    /// Waits until an agent has its snapshot and every certificate.
    func waitUntilReady(_ agent: RunningAgent, services: Int) async throws {
        try await agent.wait(for: "all certificates") { status in
            let all = status["certificates"]?.items ?? []
            return all.count == services + 1
                && all.allSatisfy { ["missing", "expired"].contains($0["state"]?.text) == false }
        }
    }

    /// Both agents with everything they need, and an intention that lets `web` in.
    func startBoth(
        environment: [String: String] = [:]
    ) async throws -> (source: RunningAgent, destination: RunningAgent) {
        let destination = try await startDestination(environment: environment)
        let source = try await startSource(environment: environment)
        try await waitUntilReady(destination, services: 1)
        try await waitUntilReady(source, services: 2)
        let revision = try await decide("allow", from: "web")
        try await destination.wait(forRevision: revision)
        // The way is open once host-a knows where host-b listens.
        let isOpen = try await eventually { await self.echoes(self.webPort) }
        try #require(isOpen, "\(source.child.log)\n\(destination.child.log)")
        return (source, destination)
    }

    /// Whether a connection through a port comes back with what was sent.
    func echoes(_ port: UInt16) async -> Bool {
        await onThread {
            guard let socket = LoopbackSocket.connect(port: port) else { return false }
            return socket.send([1, 2, 3]) && socket.receive(exactly: 3) == [1, 2, 3]
        }
    }
}

/// An origin that sends everything back, each connection on a thread of its own.
final class EchoOrigin: Sendable {
    private let listener = LoopbackSocket.listen()

    init() {
        let listener = listener
        inBackground {
            while let connection = listener.acceptNext() {
                inBackground { StandHost.echo(connection) }
            }
        }
    }

    var port: UInt16 { listener.port }

    deinit { listener.shutDown() }
}
