import DataPlane
import Mesh
import Snapshot
import Support
import Testing
import Wire

/// Changes that act on open connections.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LiveDecisionTests {
    private func open(_ pair: MeshPair, _ count: Int) async throws -> [LoopbackSocket] {
        let port = pair.upstreamPort
        let sockets = await onThread { () -> [LoopbackSocket] in
            (0..<count).compactMap { _ in
                guard let socket = LoopbackSocket.connect(port: port) else { return nil }
                socket.send([1])
                return socket.receive(exactly: 1) == [1] ? socket : nil
            }
        }
        try #require(sockets.count == count)
        return sockets
    }

    private func echoes(_ socket: LoopbackSocket, _ bytes: [UInt8]) async -> Bool {
        await onThread {
            socket.send(bytes)
            return socket.receive(exactly: bytes.count) == bytes
        }
    }

    @Test func aFlipCutsTheDeniedAndLeavesTheOthers() async throws {
        let pair = try await MeshPair()
        let shop = try ServiceName("shop")
        let allowed = try [
            TestMesh.rule(.allow, from: "default/web", to: pair.database),
            TestMesh.rule(.allow, from: "default/shop", to: pair.database, id: "rule-2"),
        ]
        try await pair.enforce(allowed)
        try await pair.connect()
        let other = try await TestAgent("host-3", clock: pair.clock) { _ in }
        let otherPort = LoopbackSocket.freePort()
        let snapshot = try pair.mesh.snapshot(
            for: other.name,
            [
                .upstreams(
                    UpstreamsSection(
                        agent: other.name,
                        upstreams: [
                            Upstream(
                                agent: other.name,
                                source: shop,
                                destination: pair.database,
                                port: otherPort,
                                users: pair.ownUser
                            )
                        ]
                    )
                ),
                .endpoints(
                    EndpointsSection(
                        service: pair.database,
                        endpoints: [
                            Endpoint(
                                agent: pair.destination.name,
                                address: .loopback,
                                port: pair.destination.port,
                                weight: 1,
                                trustDomain: pair.mesh.trustDomain
                            )
                        ]
                    )
                ),
            ]
        ).snapshot
        await other.plane.apply(
            try pair.configuration(snapshot, leaves: [shop: try pair.mesh.leaf(of: shop)])
        )
        let denied = try await open(pair, 100)
        let kept = await onThread { () -> [LoopbackSocket] in
            (0..<100).compactMap { _ in LoopbackSocket.connect(port: otherPort) }
        }
        #expect(kept.count == 100)
        for socket in kept.prefix(5) { #expect(await echoes(socket, [3])) }
        // Bytes are under way on both sides while the rules change.
        let data = pattern(200_000)
        inBackground { for socket in kept { socket.send(data) } }
        try await pair.enforce([allowed[1]], revision: 2)
        let ends = await onThread { denied.map { $0.receiveAll().end } }
        #expect(ends.filter { $0 != .reset } == [])
        let received = await onThread { kept.map { $0.receive(exactly: data.count) == data } }
        #expect(received.allSatisfy { $0 })
        let cut = pair.destination.takeDecisions().filter { $0.reason == .policyChanged }
        #expect(cut.count == 100)
        #expect(cut.allSatisfy { $0.revision == 2 })
        let flows = await pair.destination.plane.status().flows
        #expect(flows.values.reduce(0, +) == 100)
        await other.stop()
        await pair.stop()
    }

    @Test func aRuleWithAnEndCutsWhenItsTimeComes() async throws {
        let pair = try await MeshPair()
        let end = pair.clock.now + .seconds(2)
        try await pair.enforce([
            TestMesh.rule(.allow, from: "default/web", to: pair.database, notAfter: end)
        ])
        try await pair.connect()
        let socket = try await open(pair, 1)[0]
        #expect(await onThread { socket.receiveAll().end } == .reset)
        #expect(pair.clock.now >= end)
        #expect(try await pair.destination.decision(.defaultDeny) != nil)
        await pair.stop()
    }

    /// Nothing is applied here: the agent must look at the clock by itself.
    @Test(arguments: [false, true])
    func aClockThatIsSetForwardEndsWhatHasEnded(isRule: Bool) async throws {
        let pair = try await MeshPair()
        let end = pair.mesh.now + .seconds(1_200)
        try await pair.enforce(
            [
                TestMesh.rule(
                    .allow,
                    from: "default/web",
                    to: pair.database,
                    notAfter: isRule ? end : nil
                )
            ],
            expires: isRule ? nil : pair.mesh.now + .seconds(600)
        )
        try await pair.connect(
            leaf: pair.mesh.leaf(of: pair.web, notAfter: isRule ? nil : end)
        )
        let socket = try await open(pair, 1)[0]
        pair.clock.advance(by: .seconds(1_300))
        #expect(await onThread { socket.receiveAll().end } == .reset)
        let reason = isRule ? DecisionReason.defaultDeny : .leafExpired
        #expect(try await pair.destination.decision(reason) != nil)
        await pair.stop()
    }

    @Test func aClockThatIsSetBackEndsARuleThatHasNotBegun() async throws {
        let pair = try await MeshPair()
        let rule = Intention(
            id: try RuleID("rule-1"),
            source: try ServicePattern("default/web"),
            destination: .exact(pair.database),
            effect: .action(.allow),
            notBefore: pair.mesh.now - .seconds(30)
        )
        try await pair.enforce([rule])
        try await pair.connect()
        let socket = try await open(pair, 1)[0]
        pair.clock.advance(by: .seconds(-45))
        #expect(await onThread { socket.receiveAll().end } == .reset)
        #expect(try await pair.destination.decision(.defaultDeny) != nil)
        await pair.stop()
    }

    @Test func aLeafThatEndsCutsOnlyWithoutAValidManifest() async throws {
        let pair = try await MeshPair()
        let rules = [try TestMesh.rule(.allow, from: "default/web", to: pair.database)]
        let manifestEnd = pair.mesh.now + .seconds(600)
        try await pair.enforce(rules, expires: manifestEnd)
        try await pair.connect(
            pair.sourceSnapshot(expires: pair.mesh.now + .seconds(86_000)),
            leaf: pair.mesh.leaf(of: pair.web, notAfter: pair.mesh.now + .seconds(300))
        )
        let socket = try await open(pair, 1)[0]
        pair.clock.advance(by: .seconds(400))
        try await pair.enforce(rules, revision: 2, expires: manifestEnd)
        #expect(await echoes(socket, [8, 8]))
        pair.clock.advance(by: .seconds(400))
        try await pair.enforce(rules, revision: 3, expires: manifestEnd)
        #expect(await onThread { socket.receiveAll().end } == .reset)
        #expect(try await pair.destination.decision(.leafExpired) != nil)
        await pair.stop()
    }

    @Test func anUpstreamThatGoesTakesItsConnectionsAlong() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let socket = try await open(pair, 1)[0]
        try await pair.connect(pair.sourceSnapshot(revision: 2, users: .only([4_242_424])))
        #expect(await onThread { socket.receiveAll().end } == .reset)
        #expect(try await pair.source.decision(.uidNotAllowed) != nil)
        await pair.stop()
    }

    @Test func newLeavesDisturbNoConnection() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let sockets = try await open(pair, 10)
        for revision in 2...6 {
            try await pair.enforce(
                [TestMesh.rule(.allow, from: "default/web", to: pair.database)],
                revision: UInt64(revision)
            )
            try await pair.connect(pair.sourceSnapshot(revision: UInt64(revision)))
            for socket in sockets { #expect(await echoes(socket, pattern(1_000))) }
            _ = try await open(pair, 1)
        }
        #expect(pair.destination.takeDecisions().isEmpty)
        await pair.stop()
    }
}
