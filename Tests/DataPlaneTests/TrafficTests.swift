import DataPlane
import Mesh
import Observability
import Snapshot
import Support
import Testing
import Wire

/// Where connections go when instances and hosts fail, are full, or are taken away.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TrafficTests {
    private func answers(_ port: UInt16) async -> Bool {
        await onThread {
            guard let socket = LoopbackSocket.connect(port: port) else { return false }
            return socket.send([7]) && socket.receive(exactly: 1) == [7]
        }
    }

    private func open(_ port: UInt16) async throws -> LoopbackSocket {
        try #require(
            await onThread {
                guard let socket = LoopbackSocket.connect(port: port), socket.send([7]),
                    socket.receive(exactly: 1) == [7]
                else { return nil }
                return socket
            }
        )
    }

    private func counted(_ metric: MetricDefinition, _ agent: TestAgent) -> String? {
        agent.metrics.prometheusText().split(separator: "\n")
            .first { $0.hasPrefix(metric.name) }.map(String.init)
    }

    @Test func aDeadInstanceCostsNoConnectionAndIsLeftOut() async throws {
        let pair = try await MeshPair()
        let dead = LoopbackSocket.freePort()
        try await pair.enforce(
            [TestMesh.rule(.allow, from: "default/web", to: pair.database)],
            instances: [dead, pair.origin.port]
        )
        try await pair.connect()
        for _ in 0..<40 { #expect(await answers(pair.upstreamPort)) }
        #expect(counted(MetricNames.agentEjections, pair.destination)?.hasSuffix(" 0") == false)
        #expect(
            counted(MetricNames.agentConnectRetries, pair.destination)?.hasSuffix(" 0") == false
        )
        #expect(pair.destination.takeDecisions().isEmpty)
        await pair.stop()
    }

    @Test func aDeadHostCostsNoConnection() async throws {
        let pair = try await MeshPair()
        try await pair.enforce([TestMesh.rule(.allow, from: "default/web", to: pair.database)])
        let dead = LoopbackSocket.freePort()
        try await pair.connect(pair.sourceSnapshot(ports: [dead, pair.destination.port]))
        for _ in 0..<20 { #expect(await answers(pair.upstreamPort)) }
        await pair.stop()
    }

    @Test func theOnlyInstanceIsTriedHoweverOftenItFailed() async throws {
        let pair = try await MeshPair()
        let port = LoopbackSocket.freePort()
        try await pair.enforce(
            [TestMesh.rule(.allow, from: "default/web", to: pair.database)],
            instances: [port]
        )
        try await pair.connect()
        for _ in 0..<8 { #expect(await answers(pair.upstreamPort) == false) }
        // Its check says the same; it stays the last one.
        await pair.destination.plane.apply(
            HealthView(downInstances: [
                InstanceKey(service: pair.database, name: .ofPort(port))
            ])
        )
        let late = LoopbackSocket.listen(port: port)
        inBackground {
            while let connection = late.acceptNext() {
                inBackground { MeshPair.echo(connection) }
            }
        }
        #expect(await answers(pair.upstreamPort))
        late.shutDown()
        await pair.stop()
    }

    @Test func whatIsDownGetsNoConnections() async throws {
        let pair = try await MeshPair()
        let other = LoopbackSocket.listen()
        inBackground { while let connection = other.acceptNext() { connection.send([9]) } }
        try await pair.enforce(
            [TestMesh.rule(.allow, from: "default/web", to: pair.database)],
            instances: [other.port, pair.origin.port]
        )
        try await pair.connect()
        await pair.destination.plane.apply(
            HealthView(downInstances: [
                InstanceKey(service: pair.database, name: .ofPort(other.port))
            ])
        )
        for _ in 0..<20 { #expect(await answers(pair.upstreamPort)) }
        other.shutDown()
        await pair.stop()
    }

    @Test func connectionsBeyondTheLimitAreRefusedWithTheReason() async throws {
        let pair = try await MeshPair()
        try await pair.enforce([TestMesh.rule(.allow, from: "default/web", to: pair.database)])
        try await pair.connect(
            pair.sourceSnapshot(traffic: UpstreamTraffic(connectionsMax: 2))
        )
        let first = try await open(pair.upstreamPort)
        let second = try await open(pair.upstreamPort)
        #expect(await answers(pair.upstreamPort) == false)
        let decision = try await pair.source.decision(.upstreamConnectionsExceeded)
        #expect(decision?.destination == pair.database)
        let status = await pair.source.plane.status()
        #expect(status.upstreams.first?.openCount == 2)
        first.resetOnClose()
        await onThread { first.shutDown() }
        second.finishSending()
        for _ in 0..<200 {
            if await answers(pair.upstreamPort) { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(await answers(pair.upstreamPort))
        await pair.stop()
    }

    @Test func connectionsToADeregisteredInstanceFinishOrAreCutAtTheDrainTimeout() async throws {
        let pair = try await MeshPair(settings: { $0.drainTimeout = .seconds(3) })
        let next = LoopbackSocket.listen()
        inBackground {
            while let connection = next.acceptNext() {
                inBackground { MeshPair.echo(connection) }
            }
        }
        let rules = try [TestMesh.rule(.allow, from: "default/web", to: pair.database)]
        try await pair.enforce(rules)
        try await pair.connect()
        let old = try await open(pair.upstreamPort)
        try await pair.enforce(rules, revision: 2, instances: [next.port])
        // New ones go to the new instance, the old one goes on.
        pair.origin.shutDown()
        let fresh = try await open(pair.upstreamPort)
        let goesOn = await onThread { old.send([1, 2]) && old.receive(exactly: 2) == [1, 2] }
        #expect(goesOn)
        let end = await onThread { old.receive().end }
        #expect(end != .open)
        let decision = try await pair.destination.decision(.instanceDrained)
        #expect(decision?.source?.description.hasSuffix("/svc/web") == true)
        let stays = await onThread { fresh.send([3]) && fresh.receive(exactly: 1) == [3] }
        #expect(stays)
        next.shutDown()
        await pair.stop()
    }
}
