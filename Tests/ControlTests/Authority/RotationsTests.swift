import Crypto
import Mesh
import Postgres
import Snapshot
import Store
import Testing
import Wire

@testable import Control

@Suite struct RotationsTests {
    private func trustKey(_ fixture: AuthorityFixture) throws -> SigningKey {
        try fixture.trustSigningKey
    }

    @discardableResult
    private func submit(
        _ outcome: Rotations.Outcome,
        _ fixture: AuthorityFixture,
        force: Bool = false,
        by key: SigningKey? = nil
    ) async throws -> TrustSubmission.Outcome {
        try await fixture.submit(outcome, force: force, by: key)
    }

    private func acknowledge(_ fixture: AuthorityFixture) async throws {
        try await fixture.acknowledge()
    }

    private func enrol(_ fixture: AuthorityFixture) async throws -> IssuedCertificate {
        try await fixture.join(try await fixture.invite(), .generate(.ecdsaP256))
    }

    @Test func aSnapshotKeySignsOnlyOnceEverybodyKnowsIt() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let old = fixture.authority.snapshotKey.publicKey
            _ = try await enrol(fixture)
            let early = await refusal {
                try await rotations.take(.activate, of: .snapshotKey, by: fixture.admin)
            }
            #expect(early?.code == "rotation.not_announced")
            let first = try await rotations.take(.prepare, of: .snapshotKey, by: fixture.admin)
            // Broken off and begun again: the same key, the same proposal.
            let again = try await rotations.take(.prepare, of: .snapshotKey, by: fixture.admin)
            #expect(first.proposal?.snapshotKeys == again.proposal?.snapshotKeys)
            #expect(fixture.authority.snapshotKey.publicKey == old)
            try await submit(again, fixture)
            let waiting = await refusal {
                try await rotations.take(.activate, of: .snapshotKey, by: fixture.admin)
            }
            #expect(waiting?.code == "rotation.not_acknowledged")
            #expect(waiting?.description.contains("web-1") == true)
            try await acknowledge(fixture)
            _ = try await rotations.take(.activate, of: .snapshotKey, by: fixture.admin)
            let new = fixture.authority.snapshotKey.publicKey
            #expect(new != old && again.proposal?.snapshotKeys.last?.key == new)
            try await submit(
                try await rotations.take(.retire, of: .snapshotKey, by: fixture.admin),
                fixture
            )
            #expect(fixture.authority.trust?.document.snapshotKeys.map(\.key) == [new])
            let nothing = try await rotations.take(
                .retire,
                of: .snapshotKey,
                by: fixture.admin
            )
            #expect(nothing.proposal == nil)
            _ = try await Authority.open(fixture.control)
        }
    }

    @Test func aStolenSnapshotKeyIsReplacedInOneStep() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let old = fixture.authority.snapshotKey.publicKey
            _ = try await enrol(fixture)
            let outcome = try await submit(
                try await rotations.take(.replace, of: .snapshotKey, by: fixture.admin),
                fixture
            )
            #expect(outcome.epoch == 2 && outcome.version == 2)
            let document = try #require(fixture.authority.trust?.document)
            #expect(!document.snapshotKeys.contains { $0.key == old })
            #expect(document.snapshotKeys.map(\.key) == [fixture.authority.snapshotKey.publicKey])
            _ = try await Authority.open(fixture.control)
        }
    }

    @Test func aRootSignsOnceEverybodyKnowsItAndGoesOnceNobodyNeedsIt() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let old = fixture.authority.root
            let before = try await enrol(fixture)
            try await submit(
                try await rotations.take(.prepare, of: .root, by: fixture.admin),
                fixture
            )
            #expect(fixture.authority.root == old && fixture.authority.roots.count == 2)
            let activation = try await rotations.take(.activate, of: .root, by: fixture.admin)
            #expect(activation.notAcknowledged == [.host])
            let waiting = await refusal { try await submit(activation, fixture) }
            #expect(waiting?.code == "rotation.not_acknowledged")
            #expect(fixture.authority.root == old)
            try await acknowledge(fixture)
            try await submit(activation, fixture)
            #expect(fixture.authority.root != old)
            // Both chains hold.
            #expect(try fixture.recogniseRoot(of: before) == old)
            let after = try await enrol(fixture)
            #expect(try fixture.validate(after) == "spiffe://example.org/agent/web-1")
            let retirement = try await rotations.take(.retire, of: .root, by: fixture.admin)
            let inUse = await refusal { try await submit(retirement, fixture) }
            #expect(inUse?.code == "rotation.in_use")
            #expect(inUse?.description.contains("1 certificates") == true)
            try await submit(retirement, fixture, force: true)
            #expect(fixture.authority.roots == [fixture.authority.root])
            _ = try await Authority.open(fixture.control)
        }
    }

    @Test func onlyTheTrustKeysMakeATrustDocument() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let outcome = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let thief = try SigningKey.generate(.ed25519)
            let refused = await refusal { try await submit(outcome, fixture, by: thief) }
            #expect(refused?.code == "trust.refused")
            let submission = TrustSubmission(fixture.control, fixture.authority)
            let malformed = await refusal {
                try await submission.submit([1, 2], force: false, by: fixture.admin)
            }
            #expect(malformed?.code == "trust.malformed")
            // Signed well, but naming nothing that is kept here.
            var foreign = try #require(fixture.authority.trust?.document)
            foreign.version += 1
            foreign.snapshotKeys[0].key = thief.publicKey
            let envelope = try foreign.signed(by: [try trustKey(fixture)]).encoded
            let inconsistent = await refusal {
                try await submission.submit(envelope, force: true, by: fixture.admin)
            }
            #expect(inconsistent?.code == "trust.inconsistent")
            #expect(fixture.authority.trust?.document.version == 1)
        }
    }

    @Test func theIntermediateIsReplacedBeforeItEnds() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let old = fixture.authority.intermediate.certificate
            let before = try await enrol(fixture)
            // Young as it is, nothing happens by itself.
            try await rotations.renewIntermediate()
            #expect(fixture.authority.intermediate.certificate == old)
            _ = try await rotations.take(.replace, of: .intermediate, by: fixture.admin)
            #expect(fixture.authority.intermediate.certificate != old)
            #expect(try fixture.validate(before) == fixture.validate(try await enrol(fixture)))
            let wrong = await refusal {
                try await rotations.take(.retire, of: .intermediate, by: fixture.admin)
            }
            #expect(wrong?.code == "rotation.step")
        }
    }

    @Test func theZonesBeginAtEightyAndNinetyPercent() throws {
        let zones = [0.0, 0.79, 0.8, 0.89, 0.9, 0.99, 1].map { LifeZone(share: $0) }
        #expect(zones == [.fresh, .fresh, .late, .late, .critical, .critical, .expired])
    }
}
