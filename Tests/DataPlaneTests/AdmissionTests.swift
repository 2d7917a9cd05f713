import Crypto
import DataPlane
import Mesh
import Support
import Testing
import Wire

@Suite(.serialized, .timeLimit(.minutes(2))) struct AdmissionTests {
    /// Whether a byte through the upstream port comes back.
    private func isServed(_ pair: MeshPair) async -> Bool {
        let port = pair.upstreamPort
        return await onThread {
            guard let client = LoopbackSocket.connect(port: port) else { return false }
            client.send([1])
            return client.receive().bytes == [1]
        }
    }

    @Test func whatNoRuleAllowsIsDenied() async throws {
        let pair = try await MeshPair()
        try await pair.enforce([])
        try await pair.connect()
        #expect(await !isServed(pair))
        let decision = try await pair.destination.decision(.defaultDeny)
        #expect(decision?.source?.description == "spiffe://mesh.example/ns/default/svc/web")
        #expect(decision?.destination == pair.database)
        #expect(decision?.revision == 1)
        await pair.stop()
    }

    @Test func aRuleThatDeniesIsNamedInTheDecision() async throws {
        let pair = try await MeshPair()
        try await pair.enforce([TestMesh.rule(.deny, from: "default/web", to: pair.database)])
        try await pair.connect()
        #expect(await !isServed(pair))
        let decision = try await pair.destination.decision(.deniedByIntention)
        #expect(decision?.ruling.ruleID?.text == "rule-1")
        await pair.stop()
    }

    @Test func aUserWhoIsNotNamedIsRefused() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        try await pair.connect(pair.sourceSnapshot(users: .only([4_242_424])))
        #expect(await !isServed(pair))
        #expect(try await pair.source.decision(.uidNotAllowed) != nil)
        try await pair.connect(pair.sourceSnapshot(revision: 2, users: .any))
        #expect(await isServed(pair))
        await pair.stop()
    }

    /// What is left of the leaves is the outage budget, not what is left of the manifest, whose life
    /// is that of the shortest leaf on the host.
    @Test func anExpiredManifestDoesNotShortenTheOutageBudget() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let expires = pair.mesh.now + .seconds(60)
        try await pair.connect(pair.sourceSnapshot(expires: expires))
        #expect(await isServed(pair))
        pair.clock.advance(by: .seconds(120))
        #expect(await isServed(pair))
        pair.clock.advance(by: .seconds(3_600))
        #expect(await !isServed(pair))
        #expect(try await pair.source.decision(.ownCertificateExpired) != nil)
        await pair.stop()
    }

    @Test func anOwnLeafThatExpiredIsNotShown() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let old = try pair.mesh.leaf(of: pair.web, notAfter: pair.mesh.now - .seconds(5))
        try await pair.connect(leaf: old)
        #expect(await !isServed(pair))
        #expect(try await pair.source.decision(.ownCertificateExpired) != nil)
        await pair.stop()
    }

    @Test func aLeafThatBeginsLaterIsNotShown() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let early = try pair.mesh.leaf(of: pair.web, notBefore: pair.mesh.now + .seconds(600))
        try await pair.connect(leaf: early)
        #expect(await !isServed(pair))
        #expect(try await pair.source.decision(.ownCertificateNotYetValid) != nil)
        await pair.stop()
    }

    @Test func theDestinationsLeafThatExpiredIsRefusedWithTheReason() async throws {
        let pair = try await MeshPair()
        let rule = try TestMesh.rule(.allow, from: "default/web", to: pair.database)
        let old = try pair.mesh.leaf(of: pair.database, notAfter: pair.mesh.now - .seconds(5))
        try await pair.enforce([rule], leaf: old)
        try await pair.connect()
        #expect(await !isServed(pair))
        #expect(try await pair.destination.decision(.ownCertificateExpired) != nil)
        await pair.stop()
    }

    @Test func anotherServiceUnderTheNameIsRefused() async throws {
        let pair = try await MeshPair()
        let rule = try TestMesh.rule(.allow, from: "default/web", to: pair.database)
        let other = try pair.mesh.leaf(of: ServiceName("impostor"))
        try await pair.enforce([rule], leaf: other)
        try await pair.connect()
        #expect(await !isServed(pair))
        #expect(try await pair.source.decision(.upstreamIdentityMismatch) != nil)
        await pair.stop()
    }

    @Test func aDeadEndpointIsPassedOver() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let dead = [LoopbackSocket.freePort()]
        try await pair.connect(
            pair.sourceSnapshot(ports: dead + [pair.destination.port])
        )
        for _ in 0..<6 { #expect(await isServed(pair)) }
        try await pair.connect(pair.sourceSnapshot(revision: 2, ports: dead))
        #expect(await !isServed(pair))
        #expect(try await pair.source.decision(.connectFailed) != nil)
        await pair.stop()
    }

    @Test func aDeadInstanceIsPassedOver() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let rule = try TestMesh.rule(.allow, from: "default/web", to: pair.database)
        let dead = LoopbackSocket.freePort()
        try await pair.enforce([rule], revision: 2, instances: [dead, pair.origin.port])
        for _ in 0..<6 { #expect(await isServed(pair)) }
        try await pair.enforce([rule], revision: 3, instances: [])
        #expect(await !isServed(pair))
        #expect(try await pair.destination.decision(.noEndpoints) != nil)
        await pair.stop()
    }

    @Test func upstreamPortsComeAndGoWithoutTheOthers() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let second = LoopbackSocket.freePort()
        let port = pair.upstreamPort
        let kept = try #require(await onThread { LoopbackSocket.connect(port: port) })
        try await pair.connect(
            pair.sourceSnapshot(revision: 2, upstreamPorts: [port, second])
        )
        #expect(await onThread { LoopbackSocket.connect(port: second) != nil })
        try await pair.connect(pair.sourceSnapshot(revision: 3))
        #expect(await onThread { LoopbackSocket.connect(port: second) == nil })
        let echoed = await onThread { () -> [UInt8] in
            kept.send([4, 2])
            return kept.receive(exactly: 2)
        }
        #expect(echoed == [4, 2])
        let status = await pair.source.plane.status()
        #expect(status.upstreams.map(\.declared.port) == [port])
        #expect(status.upstreams.allSatisfy { $0.failure == nil })
        #expect(status.revision == 3)
        await pair.stop()
    }
}
