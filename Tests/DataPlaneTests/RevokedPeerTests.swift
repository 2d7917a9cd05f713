import Crypto
import DataPlane
import Mesh
import Snapshot
import Support
import Testing
import Wire

/// Certificates and roots that stop counting under live connections.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RevokedPeerTests {
    private func rule(_ pair: MeshPair) throws -> [Intention] {
        [try TestMesh.rule(.allow, from: "default/web", to: pair.database)]
    }

    private func open(_ pair: MeshPair) async throws -> LoopbackSocket {
        let port = pair.upstreamPort
        let socket = await onThread { LoopbackSocket.connect(port: port) }
        return try #require(socket)
    }

    private func echoes(_ socket: LoopbackSocket) async -> Bool {
        await onThread {
            socket.send([7, 8])
            return socket.receive(exactly: 2) == [7, 8]
        }
    }

    private func serial(_ leaf: TestMesh.Leaf) throws -> [UInt8] {
        try Certificate(der: leaf.chain[0]).serialNumber
    }

    private func denying(
        _ serials: [[UInt8]],
        cutoffs: [ServiceName: Timestamp] = [:],
        _ pair: MeshPair,
        revision: UInt64,
        expires: Timestamp? = nil
    ) throws -> ValidatedSnapshot {
        let agent = pair.destination.name
        return try pair.mesh.snapshot(
            for: agent,
            revision: revision,
            expires: expires,
            [
                .hosted(
                    HostedSection(
                        agent: agent,
                        services: [
                            HostedService(
                                service: pair.database,
                                instances: [
                                    Instance(
                                        service: pair.database,
                                        agent: agent,
                                        name: .ofPort(pair.origin.port),
                                        port: pair.origin.port
                                    )
                                ]
                            )
                        ]
                    )
                ),
                .inbound(
                    InboundSection(
                        service: pair.database,
                        applicationProtocol: .tcp,
                        leafLifetime: .seconds(3_600),
                        trustDomain: pair.mesh.trustDomain,
                        rules: try rule(pair)
                    )
                ),
                .revocations(RevocationsSection(serials: serials, cutoffs: cutoffs)),
            ]
        ).snapshot
    }

    @Test func aRevokedLeafIsCutAndRefusedAndItsSuccessorPasses() async throws {
        let pair = try await MeshPair()
        let own = try pair.mesh.leaf(of: pair.database)
        let web = try pair.mesh.leaf(of: pair.web)
        try await pair.enforce(try rule(pair), leaf: own)
        try await pair.connect(leaf: web)
        let live = try await open(pair)
        #expect(await echoes(live))
        // Another serial number is nobody's business.
        await pair.destination.plane.apply(
            try pair.configuration(
                try denying([[1, 2, 3]], pair, revision: 2),
                leaves: [pair.database: own]
            )
        )
        #expect(await echoes(live))
        await pair.destination.plane.apply(
            try pair.configuration(
                try denying([[1, 2, 3], try serial(web)], pair, revision: 3),
                leaves: [pair.database: own]
            )
        )
        let cut = try #require(try await pair.destination.decision(.leafRevoked))
        #expect(cut.source?.description == "spiffe://mesh.example/ns/default/svc/web")
        #expect(await onThread { live.receive().end } != .open)
        // Still shown, and refused in the handshake now.
        let refused = try await open(pair)
        #expect(await !echoes(refused))
        _ = try #require(try await pair.destination.decision(.leafRevoked))
        try await pair.connect(leaf: try pair.mesh.leaf(of: pair.web))
        #expect(await echoes(try await open(pair)))
        await pair.stop()
    }

    @Test(arguments: [true, false])
    func whatOutlivedItsLeafIsCutWhenItsServiceIsRevoked(isRevoked: Bool) async throws {
        let pair = try await MeshPair()
        let expires = pair.clock.now + .seconds(7_200)
        let end = pair.clock.now + .seconds(600)
        let own = try pair.mesh.leaf(of: pair.database, notAfter: expires)
        try await pair.enforce(try rule(pair), expires: expires, leaf: own)
        try await pair.connect(
            try pair.sourceSnapshot(expires: expires),
            leaf: try pair.mesh.leaf(of: pair.web, notAfter: end)
        )
        let live = try await open(pair)
        #expect(await echoes(live))
        pair.clock.advance(by: .seconds(900))
        #expect(await echoes(live))
        let cutoffs = [isRevoked ? pair.web : pair.database: pair.clock.now]
        await pair.destination.plane.apply(
            try pair.configuration(
                try denying([], cutoffs: cutoffs, pair, revision: 2, expires: expires),
                leaves: [pair.database: own]
            )
        )
        if isRevoked {
            #expect(await onThread { live.receive().end } != .open)
            #expect(try await pair.destination.decision(.leafRevoked) != nil)
        } else {
            #expect(await echoes(live))
        }
        await pair.stop()
    }

    @Test func anOwnLeafThatWasRevokedIsNotShownAnyMore() async throws {
        let pair = try await MeshPair()
        let own = try pair.mesh.leaf(of: pair.database)
        try await pair.enforce(try rule(pair), leaf: own)
        try await pair.connect()
        let live = try await open(pair)
        #expect(await echoes(live))
        let snapshot = try denying([try serial(own)], pair, revision: 2)
        await pair.destination.plane.apply(
            try pair.configuration(snapshot, leaves: [pair.database: own])
        )
        #expect(await onThread { live.receive().end } != .open)
        #expect(try await pair.destination.decision(.leafRevoked) != nil)
        #expect(await !echoes(try await open(pair)))
        await pair.destination.plane.apply(
            try pair.configuration(
                snapshot,
                leaves: [pair.database: try pair.mesh.leaf(of: pair.database)]
            )
        )
        #expect(await echoes(try await open(pair)))
        await pair.stop()
    }

    @Test func aRootThatIsTakenOutTakesItsConnectionsAlong() async throws {
        let pair = try await MeshPair()
        let own = try pair.mesh.leaf(of: pair.database)
        try await pair.enforce(try rule(pair), leaf: own)
        try await pair.connect()
        let live = try await open(pair)
        #expect(await echoes(live))
        let (retiring, gone) = try documents(of: pair)
        // While both roots are trusted nothing happens.
        try await apply(try denying([], pair, revision: 2), own, [retiring], pair)
        #expect(await echoes(live))
        // Its leaf has not ended, and nobody vouches for it any more.
        try await apply(try denying([], pair, revision: 3), own, [retiring, gone], pair)
        _ = try #require(try await pair.destination.decision(.untrustedChain))
        #expect(await onThread { live.receive().end } != .open)
        await pair.stop()
    }

    @Test(arguments: [true, false])
    func whatOutlivedItsLeafOutlivesARootThatRetiredInGoodOrder(isPlanned: Bool) async throws {
        let pair = try await MeshPair()
        let expires = pair.clock.now + .seconds(7_200)
        let own = try pair.mesh.leaf(of: pair.database, notAfter: expires)
        let web = try pair.mesh.leaf(of: pair.web, notAfter: pair.clock.now + .seconds(600))
        try await pair.enforce(try rule(pair), expires: expires, leaf: own)
        try await pair.connect(try pair.sourceSnapshot(expires: expires), leaf: web)
        let live = try await open(pair)
        #expect(await echoes(live))
        pair.clock.advance(by: .seconds(900))
        let (retiring, gone) = try documents(of: pair)
        let snapshot = try pair.destinationSnapshot(
            rules: try rule(pair),
            revision: 2,
            expires: expires
        )
        try await apply(snapshot, own, isPlanned ? [retiring, gone] : [gone], pair)
        if isPlanned {
            #expect(await echoes(live))
        } else {
            #expect(await onThread { live.receive().end } != .open)
            #expect(try await pair.destination.decision(.untrustedChain) != nil)
        }
        await pair.stop()
    }

    /// The document in which the mesh's root retires beside a new one, and the one without it.
    private func documents(of pair: MeshPair) throws -> (TrustDocument, TrustDocument) {
        let other = try TestMesh(now: pair.mesh.now).root.certificate
        var retiring = pair.mesh.trust.document
        retiring.authorities[0].state = .retiring
        retiring.authorities.append(
            TrustDocument.Authority(certificate: other.encoded, state: .active)
        )
        var gone = retiring
        gone.authorities.removeFirst()
        return (retiring, gone)
    }

    private func apply(
        _ snapshot: ValidatedSnapshot,
        _ own: TestMesh.Leaf,
        _ documents: [TrustDocument],
        _ pair: MeshPair
    ) async throws {
        var roots = TrustedRoots(pair.mesh.trust.document)
        for document in documents { roots.follow(document) }
        let newest = try #require(documents.last)
        let certificates = try newest.authorities.map { try Certificate(der: $0.certificate) }
        await pair.destination.plane.apply(
            EnforcedConfiguration(
                snapshot: snapshot,
                identities: [
                    pair.database: try ServiceIdentity(
                        chain: own.chain,
                        privateKey: own.privateKey
                    )
                ],
                validator: SVIDValidator(
                    trustDomain: pair.mesh.trustDomain.text,
                    roots: certificates
                ),
                trustedRoots: roots,
                trustHash: SHA256.digest(of: newest.encoded)
            )
        )
    }
}
