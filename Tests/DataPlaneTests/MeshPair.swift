import Crypto
import DataPlane
import Foundation
import Mesh
import Observability
import Reactor
import Snapshot
import Support
import Synchronization
import Wire

/// A wall clock that a test may move.
final class TestClock: Sendable {
    private let offset = Mutex(Duration.zero)

    var now: Timestamp {
        let seconds = Date().timeIntervalSince1970
        return Timestamp(nanosecondsSinceEpoch: Int64(seconds * 1e9)) + offset.withLock { $0 }
    }

    func advance(by duration: Duration) {
        offset.withLock { $0 += duration }
    }
}

/// One agent's data path on reactors of its own.
final class TestAgent: Sendable {
    let name: AgentName
    let plane: DataPlane
    let address: SocketAddress
    let metrics = MetricRegistry()
    private let group: ReactorGroup

    init(_ name: String, clock: TestClock, settings change: (inout DataPlaneSettings) -> Void)
        async throws
    {
        self.name = try AgentName(name)
        group = try ReactorGroup(count: 2, name: name)
        var settings = DataPlaneSettings(meshAddress: .loopback(), now: { clock.now })
        change(&settings)
        plane = try DataPlane(
            settings: settings,
            reactors: group.reactors,
            metrics: metrics,
            logger: .silent
        )
        address = try await plane.start()
    }

    var port: UInt16 { address.port ?? 0 }

    /// All decisions that wait in the queues.
    func takeDecisions() -> [Decision] {
        plane.evidenceQueues.flatMap { $0.takeAll().decisions }
    }

    /// Waits until a decision with the reason is there; gives those that came meanwhile.
    func decision(_ reason: DecisionReason) async throws -> Decision? {
        for _ in 0..<500 {
            if let found = takeDecisions().first(where: { $0.reason == reason }) { return found }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    func stop() async {
        await plane.stop()
        let group = group
        await onThread { group.stop() }
    }
}

/// `web` on one agent reaches `db` on another, whose instance is an origin of the test.
final class MeshPair: Sendable {
    let clock = TestClock()
    let mesh: TestMesh
    let web: ServiceName
    let database: ServiceName
    let source: TestAgent
    let destination: TestAgent
    let upstreamPort = LoopbackSocket.freePort()
    let origin = LoopbackSocket.listen()

    /// Starts both agents; the origin serves each connection on a thread of its own.
    init(
        settings change: (inout DataPlaneSettings) -> Void = { _ in },
        serve: @escaping @Sendable (LoopbackSocket) -> Void = MeshPair.echo
    ) async throws {
        mesh = try TestMesh(now: clock.now)
        web = try ServiceName("web")
        database = try ServiceName("db")
        source = try await TestAgent("host-1", clock: clock, settings: change)
        destination = try await TestAgent("host-2", clock: clock, settings: change)
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

    /// Whom the upstream port serves: who runs the tests.
    var ownUser: Upstream.Users { .only([getuid()]) }

    /// What the destination's agent enforces.
    func destinationSnapshot(
        rules: [Intention],
        revision: UInt64 = 1,
        expires: Timestamp? = nil,
        instances: [UInt16]? = nil
    ) throws -> ValidatedSnapshot {
        let agent = destination.name
        return try mesh.snapshot(
            for: agent,
            revision: revision,
            expires: expires,
            [
                .hosted(
                    HostedSection(
                        agent: agent,
                        services: [
                            HostedService(
                                service: database,
                                instances: (instances ?? [origin.port]).map {
                                    Instance(
                                        service: database,
                                        agent: agent,
                                        name: .ofPort($0),
                                        port: $0
                                    )
                                }
                            )
                        ]
                    )
                ),
                .inbound(
                    InboundSection(
                        service: database,
                        applicationProtocol: .tcp,
                        leafLifetime: .seconds(3_600),
                        trustDomain: mesh.trustDomain,
                        rules: rules
                    )
                ),
            ]
        ).snapshot
    }

    /// What the source's agent enforces.
    func sourceSnapshot(
        revision: UInt64 = 1,
        expires: Timestamp? = nil,
        users: Upstream.Users? = nil,
        ports: [UInt16]? = nil,
        upstreamPorts: [UInt16]? = nil,
        traffic: UpstreamTraffic = .standard
    ) throws -> ValidatedSnapshot {
        let agent = source.name
        return try mesh.snapshot(
            for: agent,
            revision: revision,
            expires: expires,
            [
                .upstreams(
                    UpstreamsSection(
                        agent: agent,
                        upstreams: (upstreamPorts ?? [upstreamPort]).map {
                            Upstream(
                                agent: agent,
                                source: web,
                                destination: database,
                                port: $0,
                                users: users ?? ownUser,
                                traffic: traffic
                            )
                        }
                    )
                ),
                .endpoints(
                    EndpointsSection(
                        service: database,
                        endpoints: (ports ?? [destination.port]).map {
                            Endpoint(
                                agent: destination.name,
                                address: .loopback,
                                port: $0,
                                weight: 1,
                                trustDomain: mesh.trustDomain
                            )
                        }
                    )
                ),
            ]
        ).snapshot
    }

    /// A configuration with leaves for the services.
    func configuration(
        _ snapshot: ValidatedSnapshot,
        leaves: [ServiceName: TestMesh.Leaf]
    ) throws -> EnforcedConfiguration {
        try EnforcedConfiguration(
            snapshot: snapshot,
            identities: try leaves.mapValues {
                try ServiceIdentity(chain: $0.chain, privateKey: $0.privateKey)
            },
            trust: mesh.trust
        )
    }

    /// Gives the destination's agent its rules.
    func enforce(
        _ rules: [Intention],
        revision: UInt64 = 1,
        expires: Timestamp? = nil,
        instances: [UInt16]? = nil,
        leaf: TestMesh.Leaf? = nil
    ) async throws {
        let snapshot = try destinationSnapshot(
            rules: rules,
            revision: revision,
            expires: expires,
            instances: instances
        )
        let leaf = try leaf ?? mesh.leaf(of: database)
        await destination.plane.apply(try configuration(snapshot, leaves: [database: leaf]))
    }

    /// Gives the source's agent its upstream port.
    func connect(_ snapshot: ValidatedSnapshot? = nil, leaf: TestMesh.Leaf? = nil) async throws {
        let snapshot = try snapshot ?? sourceSnapshot()
        let leaf = try leaf ?? mesh.leaf(of: web)
        await source.plane.apply(try configuration(snapshot, leaves: [web: leaf]))
        // Somebody may have taken the port since it was free.
        for upstream in await source.plane.status().upstreams {
            if let failure = upstream.failure { throw failure }
        }
    }

    /// Both sides, with a rule that allows.
    func allow() async throws {
        try await enforce([TestMesh.rule(.allow, from: "default/web", to: database)])
        try await connect()
    }

    func stop() async {
        origin.shutDown()
        await source.stop()
        await destination.stop()
    }
}
