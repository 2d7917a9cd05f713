import Crypto
import Mesh
import Support
import Testing
import Wire

@testable import Snapshot

@Suite struct TrustChangeTests {
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    private func root() throws -> [UInt8] { try TestMesh(now: now).root.certificate.encoded }

    private func key() throws -> TrustDocument.SnapshotKey {
        TrustDocument.SnapshotKey(
            key: try SigningKey.generate(.ed25519).publicKey,
            notBefore: now,
            notAfter: now + .seconds(60)
        )
    }

    @Test func aRootIsAnnouncedThenSignsThenTheOldOneGoes() throws {
        let first = try TestMesh(now: now).trust.document
        let other = try root()
        let (old, new) = (
            SHA256.digest(of: first.authorities[0].certificate), SHA256.digest(of: other)
        )
        #expect(throws: TrustChangeError.self) {
            try first.applying([.activateRoot(new)], at: now)
        }
        let announced = try #require(try first.applying([.addRoot(other)], at: now))
        #expect(announced.version == first.version + 1 && announced.epoch == first.epoch)
        #expect(announced.authorities.map(\.state) == [.active, .next])
        #expect(throws: TrustChangeError.self) {
            try announced.applying([.removeRoot(old)], at: now)
        }
        let active = try #require(try announced.applying([.activateRoot(new)], at: now))
        #expect(active.authorities.map(\.state) == [.retiring, .active])
        let last = try #require(try active.applying([.removeRoot(old)], at: now))
        #expect(last.authorities.map(\.certificate) == [other] && last.version == 4)
        #expect(
            active.differences(to: last) == ["version 3 -> 4", "root \(old): removed"]
        )
        // Said again, a step that was taken changes nothing: it may be repeated after a crash.
        #expect(try active.applying([.activateRoot(new)], at: now) == nil)
        #expect(try announced.applying([.addRoot(other)], at: now) == nil)
    }

    @Test func aStolenSnapshotKeyGoesWithItsEpoch() throws {
        let mesh = try TestMesh(now: now)
        let fresh = try key()
        let next = try #require(
            try mesh.trust.document.applying(
                [.addSnapshotKey(fresh), .keepSnapshotKeys([fresh.key.keyID]), .raiseEpoch],
                at: now
            )
        )
        #expect(next.snapshotKeys == [fresh] && next.epoch == 2)
        #expect(throws: TrustChangeError.self) {
            try mesh.trust.document.applying([.keepSnapshotKeys([])], at: now)
        }
        let anchor = try mesh.trust.succeeded(by: try next.signed(by: [mesh.trustKey]))
        #expect(anchor.document == next)
        // What the thief signs for the new epoch is signed by a key that no document of it names.
        var verifier = SnapshotVerifier(agent: try AgentName("host-1"), trust: anchor, mark: nil)
        let stolen = Manifest(
            trustDomain: mesh.trustDomain,
            agent: verifier.agent,
            epoch: 2,
            revision: 1 << 40,
            previous: nil,
            issued: now,
            expires: now + .seconds(60),
            trustVersion: 2,
            trustHash: anchor.hash,
            sections: []
        )
        let envelope = try stolen.signed(by: mesh.snapshotKey).encoded
        #expect(throws: SnapshotRefusal.unknownKey) {
            try verifier.verify(envelope, origin: .received, now: now)
        }
        // Nor does it hold the epoch up that was before.
        verifier.mark = SnapshotMark(
            epoch: 1,
            revision: 1 << 40,
            manifestHash: SHA256.digest(of: [1]),
            sectionsHash: SHA256.digest(of: [2]),
            issued: now
        )
        verifier.trust = anchor
        #expect(throws: SnapshotRefusal.unknownKey) {
            try verifier.verify(envelope, origin: .received, now: now)
        }
    }

    @Test func otherTrustKeysNeedTheOldAndTheNew() throws {
        let mesh = try TestMesh(now: now)
        let fresh = [try SigningKey.generate(.ed25519), try SigningKey.generate(.ed25519)]
        let next = try #require(
            try mesh.trust.document.applying(
                [.replaceTrustKeys(fresh.map(\.publicKey), threshold: 2)],
                at: now
            )
        )
        for tooFew in [[mesh.trustKey], fresh, [mesh.trustKey, fresh[0]]] {
            #expect(throws: TrustRefusal.notEnoughSignatures) {
                try mesh.trust.succeeded(by: try next.signed(by: tooFew))
            }
        }
        let anchor = try mesh.trust.succeeded(by: try next.signed(by: [mesh.trustKey] + fresh))
        #expect(anchor.document.threshold == 2)
        #expect(throws: TrustChangeError.self) {
            try next.applying([.replaceTrustKeys([], threshold: 1)], at: now)
        }
    }
}
