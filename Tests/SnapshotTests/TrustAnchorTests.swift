import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct TrustAnchorTests {
    private let world: World
    private let newKey: SigningKey

    init() throws {
        world = try World()
        newKey = try SigningKey.generate(.ed25519)
    }

    private func next(
        version: UInt64 = 2,
        epoch: UInt64 = 1,
        trustKeys: [PublicKey]? = nil,
        threshold: Int = 1,
        by signers: [SigningKey]
    ) throws -> Envelope {
        try World.trustDocument(
            trustDomain: world.trustDomain,
            version: version,
            epoch: epoch,
            snapshotKeys: [world.snapshotKey.publicKey],
            trustKeys: trustKeys ?? [world.trustKey.publicKey],
            threshold: threshold
        ).signed(by: signers)
    }

    @Test func theFirstIsPinnedByItsHash() throws {
        let envelope = world.trust.envelope
        #expect(throws: TrustRefusal.wrongHash) {
            try TrustAnchor.first(
                envelope,
                trustDomain: world.trustDomain,
                pinnedHash: SHA256.digest(of: [])
            )
        }
        #expect(throws: TrustRefusal.foreignTrustDomain) {
            try TrustAnchor.first(
                envelope,
                trustDomain: try TrustDomain("other.example"),
                pinnedHash: nil
            )
        }
        let unsigned = Envelope(
            payloadType: envelope.payloadType,
            payload: envelope.payload,
            signatures: []
        )
        #expect(throws: TrustRefusal.notEnoughSignatures) {
            try TrustAnchor.first(unsigned, trustDomain: world.trustDomain, pinnedHash: nil)
        }
    }

    @Test func aChangeOfKeysNeedsBothSets() throws {
        let keys = [newKey.publicKey]
        for signers in [[newKey], [world.trustKey]] {
            let envelope = try next(trustKeys: keys, by: signers)
            #expect(throws: TrustRefusal.notEnoughSignatures) {
                try world.trust.succeeded(by: envelope)
            }
        }
        let both = try next(trustKeys: keys, by: [newKey, world.trustKey])
        let rotated = try world.trust.succeeded(by: both)
        #expect(rotated.document.version == 2)
        // From now on the old key alone says nothing.
        let old = try next(version: 3, by: [world.trustKey])
        #expect(throws: TrustRefusal.notEnoughSignatures) { try rotated.succeeded(by: old) }
    }

    @Test func oneKeyCountsOnce() throws {
        let keys = [world.trustKey.publicKey, newKey.publicKey]
        let envelope = try next(
            trustKeys: keys,
            threshold: 2,
            by: [world.trustKey, world.trustKey]
        )
        #expect(throws: TrustRefusal.notEnoughSignatures) {
            try world.trust.succeeded(by: envelope)
        }
    }

    @Test func versionsAndEpochsNeverGoDown() throws {
        let raised = try world.nextTrust(epoch: 2)
        #expect(raised.document.epoch == 2)
        #expect(throws: TrustRefusal.olderVersion(held: 2, shown: 1)) {
            try raised.succeeded(by: world.trust.envelope)
        }
        let lower = try next(version: 3, epoch: 1, by: [world.trustKey])
        #expect(throws: TrustRefusal.olderEpoch(held: 2, shown: 1)) {
            try raised.succeeded(by: lower)
        }
        #expect(try raised.succeeded(by: raised.envelope) == raised)
        let fork = try next(version: 2, epoch: 3, by: [world.trustKey])
        #expect(throws: TrustRefusal.fork(version: 2)) { try raised.succeeded(by: fork) }
    }

    /// The remedy for a stolen snapshot key that has signed the highest revision there is.
    @Test func onlyTheTrustDocumentLeavesALineOfRevisionsBehind() throws {
        let sections = try world.sections()
        let highest = try world.publication(revision: UInt64(Int64.max), sections: sections)
        let fresh = try SigningKey.generate(.ed25519)
        let raised = try world.nextTrust(epoch: 2, snapshotKeys: [fresh.publicKey])
        var manifest = world.manifest(revision: 1, sections: sections)
        manifest.epoch = 2
        let verifier = SnapshotVerifier(agent: world.agent, trust: raised, mark: highest.mark)
        let encoded = try manifest.signed(by: fresh).encoded
        let acceptance = try verifier.verify(encoded, origin: .received, now: World.now)
        #expect(acceptance != .unchanged)
        #expect(throws: SnapshotRefusal.unknownKey) {
            try verifier.verify(highest.envelope, origin: .received, now: World.now)
        }
    }

    @Test func documentsHaveOneSpelling() throws {
        let encoded = world.trust.document.encoded
        #expect(try TrustDocument(encoded: encoded) == world.trust.document)
        #expect(throws: SnapshotFormatError.self) { try TrustDocument(encoded: encoded + [0x20]) }
        for count in stride(from: 0, to: encoded.count, by: 11) {
            #expect(throws: SnapshotFormatError.self) {
                try TrustDocument(encoded: Array(encoded[..<count]))
            }
        }
    }
}
