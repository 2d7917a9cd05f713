import Crypto
import Foundation
import Mesh
import Reactor
import Snapshot
import Support
import Synchronization
import Testing
import Transport
import Wire

/// A host whose one agent is a real process and follows a stand of the test.
///
/// `db` is placed on it with an origin of the test as its instance, and `web` reaches it through
/// an upstream port and the agent's own mesh port, so that one process plays both ends.
final class StandHost: Sendable {
    static let now: @Sendable () -> Timestamp = {
        Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
    }

    let mesh: TestMesh
    let stand: ControlStand
    let server: StreamServer
    let directory: AgentDirectory
    let origin = LoopbackSocket.listen()
    let upstreamPort = LoopbackSocket.freePort()
    let database: ServiceName
    let web: ServiceName

    /// Starts the stand and the origin, which serves each connection on a thread of its own.
    init(serve: @escaping @Sendable (LoopbackSocket) -> Void = StandHost.echo) async throws {
        mesh = try TestMesh(now: Self.now())
        stand = try ControlStand(mesh, now: Self.now)
        server = try await stand.start()
        directory = try AgentDirectory(mesh, agent: "host-1", servers: ["\(server.localAddress)"])
        database = try ServiceName("db")
        web = try ServiceName("web")
        let origin = origin
        inBackground {
            while let connection = origin.acceptNext() { inBackground { serve(connection) } }
        }
    }

    /// Sends everything back.
    static let echo: @Sendable (LoopbackSocket) -> Void = { connection in
        while true {
            let part = connection.receive()
            guard part.end == .open, connection.send(part.bytes) else { break }
        }
        connection.finishSending()
    }

    /// Starts the agent.
    func start(
        _ more: [String] = [],
        environment: [String: String] = [:],
        launcher: [String] = []
    ) async throws -> RunningAgent {
        try await RunningAgent(
            AgentChild(
                directory: directory.path,
                more,
                environment: environment,
                launcher: launcher
            )
        )
    }

    /// The mesh name under which `db` is reached.
    var databaseName: String { meshName(database, in: mesh.trustDomain).description }

    /// A snapshot for the agent; with a mesh port also the way from `web` to it.
    func snapshot(
        _ verdict: Verdict = .allow,
        revision: UInt64,
        through meshPort: UInt16? = nil,
        users: Upstream.Users = .only([getuid()]),
        instances: [UInt16]? = nil,
        alsoHosting others: [ServiceName] = [],
        expires: Timestamp? = nil
    ) throws -> TestMesh.Signed {
        let agent = directory.agent
        var contents = try ([database] + others).map { service in
            SectionContent.inbound(
                InboundSection(
                    service: service,
                    applicationProtocol: .tcp,
                    leafLifetime: .seconds(3_600),
                    trustDomain: mesh.trustDomain,
                    rules: [
                        try TestMesh.rule(
                            verdict,
                            from: "default/web",
                            to: service,
                            id: "rule-of-\(revision)"
                        )
                    ]
                )
            )
        }
        let local = (instances ?? [origin.port]).map { port in
            Instance(service: database, agent: agent, name: .ofPort(port), port: port)
        }
        contents.append(
            .hosted(
                HostedSection(
                    agent: agent,
                    services: [
                        // Origins of tests count what they hear: nobody else shall connect.
                        HostedService(
                            service: database,
                            healthCheck: HealthCheck(kind: .none),
                            instances: local
                        )
                    ]
                        + others.map { HostedService(service: $0, instances: []) }
                )
            )
        )
        if let meshPort { contents += way(through: meshPort, users) }
        return try mesh.snapshot(
            for: agent,
            revision: revision,
            issued: Self.now(),
            expires: expires ?? Self.now() + .seconds(3_600),
            contents
        )
    }

    private func way(through meshPort: UInt16, _ users: Upstream.Users) -> [SectionContent] {
        let agent = directory.agent
        return [
            .upstreams(
                UpstreamsSection(
                    agent: agent,
                    upstreams: [
                        Upstream(
                            agent: agent,
                            source: web,
                            destination: database,
                            port: upstreamPort,
                            users: users
                        )
                    ]
                )
            ),
            .endpoints(
                EndpointsSection(
                    service: database,
                    endpoints: [
                        Endpoint(
                            agent: agent,
                            address: .loopback,
                            port: meshPort,
                            weight: 1,
                            trustDomain: mesh.trustDomain
                        )
                    ]
                )
            ),
        ]
    }

    /// Publishes and waits until the agent has answered; gives its answer.
    @discardableResult
    func publish(_ signed: TestMesh.Signed) async throws -> Acknowledgement {
        let hash = signed.snapshot.mark.manifestHash
        try stand.publish(signed)
        let answers = try await stand.wait { state in
            state.acknowledgements.contains { $0.manifest == hash }
        }
        try #require(answers, "the agent did not answer")
        let answer = stand.state.withLock { state in
            state.acknowledgements.first { $0.manifest == hash }
        }
        return try #require(answer)
    }

    /// Publishes what lets `web` reach `db` and waits until it is enforced with all certificates.
    func allow(_ agent: RunningAgent, users: Upstream.Users = .only([getuid()])) async throws {
        try await publish(snapshot(revision: 1, through: agent.meshPort, users: users))
        try await waitForCertificates(of: agent)
    }

    /// Waits until every service that the snapshot names has its certificate.
    func waitForCertificates(of agent: RunningAgent) async throws {
        try await agent.wait(for: "all certificates") { status in
            let all = status["certificates"]?.items ?? []
            return all.count > 1 && all.allSatisfy { $0["state"]?.text == "fresh" }
        }
    }

    /// Whether a peer with the leaf of `web` is served at the mesh port.
    func probe(_ agent: RunningAgent) async throws -> MeshProbe.Outcome {
        let leaf = try mesh.leaf(of: web)
        let (port, name) = (agent.meshPort, databaseName)
        return try await onThread {
            Result { try MeshProbe.run(port: port, serverName: name, leaf: leaf) }
        }.get()
    }

    /// The decisions that have reached the stand.
    var decisions: [Decision] {
        stand.state.withLock { $0.batches.flatMap(\.decisions) }
    }

    /// Waits until a decision with the reason has reached the stand.
    func decision(_ reason: DecisionReason) async throws -> Decision? {
        _ = try await eventually { self.decisions.contains { $0.reason == reason } }
        return decisions.first { $0.reason == reason }
    }

    /// Ends the stand and the origin.
    func stop() async {
        origin.shutDown()
        await stand.stop(server)
    }
}
