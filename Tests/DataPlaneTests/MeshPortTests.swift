import Crypto
import DataPlane
import Mesh
import Support
import TLS
import Testing
import Wire

/// What the mesh port refuses, with the alert that the peer sees and the decision that is kept.
@Suite(.serialized, .timeLimit(.minutes(2))) struct MeshPortTests {
    private static let name = "db.default.svc.mesh.example"
    private static let id = "spiffe://mesh.example/ns/default/svc/web"

    private func probe(
        _ pair: MeshPair,
        _ leaf: TestMesh.Leaf?,
        serverName: String? = name,
        protocols: [String] = ["turnpike/1"]
    ) async throws -> MeshProbe.Outcome {
        let port = pair.destination.port
        return try await onThread {
            Result {
                try MeshProbe.run(
                    port: port,
                    serverName: serverName,
                    leaf: leaf,
                    protocols: protocols
                )
            }
        }.get()
    }

    @Test func anAllowedPeerIsServedWithOrWithoutALPN() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let leaf = try pair.mesh.leaf(of: pair.web)
        #expect(try await probe(pair, leaf) == .answered([1, 2, 3]))
        #expect(try await probe(pair, leaf, protocols: []) == .answered([1, 2, 3]))
        #expect(
            try await probe(pair, leaf, protocols: ["h2"]) == .alert(.noApplicationProtocol)
        )
        #expect(try await pair.destination.decision(.alpnMismatch) != nil)
        await pair.stop()
    }

    @Test(arguments: [
        nil, "other.default.svc.mesh.example", "db.default.svc.mesh.example.evil", "localhost",
    ])
    func unknownNamesAreRefused(serverName: String?) async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let leaf = try pair.mesh.leaf(of: pair.web)
        let outcome = try await probe(pair, leaf, serverName: serverName)
        #expect(outcome == .alert(.unrecognizedName))
        #expect(try await pair.destination.decision(.unknownSNI) != nil)
        await pair.stop()
    }

    @Test func aPeerWithoutACertificateIsRefused() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        #expect(try await probe(pair, nil) == .alert(.certificateRequired))
        #expect(try await pair.destination.decision(.noClientCertificate) != nil)
        await pair.stop()
    }

    @Test func withoutASnapshotNobodyIsServed() async throws {
        let pair = try await MeshPair()
        let leaf = try pair.mesh.leaf(of: pair.web)
        #expect(try await probe(pair, leaf) == .alert(.unrecognizedName))
        await pair.stop()
    }

    struct BadPeer: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let reason: DecisionReason
        let make: @Sendable (MeshPair) throws -> TestMesh.Leaf
    }

    static let badPeers: [BadPeer] = [
        BadPeer(testDescription: "foreign trust domain", reason: .foreignTrustDomain) { pair in
            try TestMesh("other.example", now: pair.mesh.now).leaf(of: pair.web)
        },
        BadPeer(testDescription: "our domain, foreign root", reason: .untrustedChain) { pair in
            try TestMesh(now: pair.mesh.now).leaf(of: pair.web)
        },
        BadPeer(testDescription: "two URI names", reason: .multipleURISANs) { pair in
            try pair.mesh.leaf(
                .peer(names: [.uri(id), .uri(id + "2")], roles: [.client, .server])
            )
        },
        BadPeer(testDescription: "no URI name", reason: .malformedSPIFFEID) { pair in
            try pair.mesh.leaf(.peer(names: [.dns(name)], roles: [.client, .server]))
        },
        BadPeer(testDescription: "expired", reason: .leafExpired) { pair in
            try pair.mesh.leaf(of: pair.web, notAfter: pair.mesh.now - .seconds(5))
        },
        BadPeer(testDescription: "not yet valid", reason: .leafNotYetValid) { pair in
            try pair.mesh.leaf(of: pair.web, notBefore: pair.mesh.now + .seconds(600))
        },
        BadPeer(testDescription: "for servers only", reason: .wrongEKUs) { pair in
            try pair.mesh.leaf(.peer(names: [.uri(id)], roles: [.server]))
        },
        BadPeer(testDescription: "an agent", reason: .notAService) { pair in
            try pair.mesh.leaf(.leaf(spiffeID: "spiffe://mesh.example/agent/host-1", dnsNames: []))
        },
        BadPeer(testDescription: "a CA", reason: .notAService) { pair in
            TestMesh.Leaf(
                chain: [pair.mesh.intermediate.certificate.encoded],
                key: pair.mesh.intermediateKey
            )
        },
    ]

    @Test(arguments: badPeers)
    func badPeersAreRefusedWithTheirReason(peer: BadPeer) async throws {
        let pair = try await MeshPair()
        try await pair.enforce([TestMesh.rule(.allow, from: "*/*", to: pair.database)])
        let outcome = try await probe(pair, peer.make(pair))
        guard case .alert = outcome else {
            Issue.record("\(outcome)")
            return await pair.stop()
        }
        #expect(try await pair.destination.decision(peer.reason) != nil)
        // Nothing of it may be remembered as verified.
        #expect(try await probe(pair, peer.make(pair)) == outcome)
        await pair.stop()
    }

    @Test func olderTLSIsRefused() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let port = pair.destination.port
        let output = await onThread {
            OpenSSLCommand.run([
                "s_client", "-connect", "127.0.0.1:\(port)", "-tls1_2", "-servername", Self.name,
            ]).output
        }
        #expect(output.contains("protocol version"))
        #expect(try await pair.destination.decision(.tlsVersion) != nil)
        await pair.stop()
    }

    @Test func silenceAndGarbageAreEnded() async throws {
        let pair = try await MeshPair { $0.handshakeTimeout = .milliseconds(300) }
        try await pair.allow()
        let port = pair.destination.port
        let ends = await onThread { () -> [LoopbackSocket.End] in
            let sockets = (0..<100).compactMap { _ in LoopbackSocket.connect(port: port) }
            for (index, socket) in sockets.enumerated() where index % 2 == 0 {
                socket.send(pattern(200, seed: UInt64(index)))
            }
            return sockets.map { $0.receiveAll().end }
        }
        #expect(ends.count == 100)
        #expect(ends.allSatisfy { $0 == .ended || $0 == .reset })
        #expect(try await pair.destination.decision(.handshakeTimeout) != nil)
        let leaf = try pair.mesh.leaf(of: pair.web)
        #expect(try await probe(pair, leaf) == .answered([1, 2, 3]))
        for _ in 0..<200 where await pair.destination.plane.status().connectionCount > 0 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(await pair.destination.plane.status().connectionCount == 0)
        await pair.stop()
    }

    @Test func silentPeersGiveWayToThoseWhoSpeak() async throws {
        let pair = try await MeshPair { $0.handshakesMax = 8 }
        try await pair.allow()
        let port = pair.destination.port
        let silent = await onThread {
            (0..<60).compactMap { _ in LoopbackSocket.connect(port: port) }
        }
        #expect(silent.count == 60)
        #expect(try await pair.destination.decision(.overloaded) != nil)
        let leaf = try pair.mesh.leaf(of: pair.web)
        #expect(try await probe(pair, leaf) == .answered([1, 2, 3]))
        #expect(await pair.destination.plane.status().connectionCount <= 8)
        // The latest wait still: only the oldest were given up.
        let end = await onThread { silent[0].receive().end }
        #expect(end == .ended || end == .reset)
        await pair.stop()
    }

    @Test func strangersDoNotFillTheEvidence() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let port = pair.destination.port
        await onThread {
            for _ in 0..<500 { LoopbackSocket.connect(port: port)?.send([0x47, 0x0A]) }
        }
        var kept = 0
        var dropped: UInt64 = 0
        for _ in 0..<500 where kept + Int(dropped) < 500 {
            for queue in pair.destination.plane.evidenceQueues {
                let batch = queue.takeAll()
                kept += batch.decisions.count
                dropped += batch.droppedDecisionCount
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(kept + Int(dropped) == 500)
        // For each of the two reactors, and the minute may have changed.
        #expect((120...480).contains(kept))
        await pair.stop()
    }

    @Test func aFloodIsRefusedAtTheLimit() async throws {
        let pair = try await MeshPair { $0.connectionsMax = 8 }
        try await pair.allow()
        let port = pair.destination.port
        let ends = await onThread { () -> [LoopbackSocket.End] in
            let sockets = (0..<40).compactMap { _ in LoopbackSocket.connect(port: port) }
            return sockets.suffix(20).map { $0.receive().end }
        }
        #expect(ends.contains { $0 == .ended || $0 == .reset })
        #expect(try await pair.destination.decision(.overloaded) != nil)
        await pair.stop()
    }
}
