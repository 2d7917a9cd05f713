import Crypto
import Mesh
import Postgres
import Snapshot
import Store
import Support
import Testing
import Wire

@testable import Control

/// What somebody who writes the database puts where a key waits to be used.
@Suite struct SealedProofTests {
    private static let forged = "01900000-0000-7000-8000-00000000f00d"

    private func alarms(_ fixture: AuthorityFixture) async throws -> [RowAlarm] {
        try await fixture.control.status().rowAlarms
    }

    private func mole() throws -> FoundedAuthority {
        try FoundedAuthority.found(
            try TrustDomain("example.org"),
            now: Timestamp(secondsSinceEpoch: 1_800_000_000),
            randomBytes: { [UInt8](repeating: 9, count: $0) }
        )
    }

    /// A root of the mole's, with whatever may pass for its key.
    @Test(
        arguments: [
            "''", "(SELECT sealed_key FROM turnpike.authorities WHERE kind = 'root')",
        ] as [SQL]
    )
    func aRootThatWasInsertedIsNotProposed(key: SQL) async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let foreign = try mole().root.authority.certificate.encoded
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.authorities (
                    id, kind, state, certificate, sealed_key, not_before, not_after
                ) VALUES (
                    \(Self.forged)::text::uuid, 'root', 'prepared', \(foreign), \(fragment: key),
                    now(), now() + interval '1 year'
                )
                """
            )
            let outcome = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let proposed = try #require(outcome.proposal?.authorities.map(\.certificate))
            #expect(proposed.count == 2 && !proposed.contains(foreign))
            #expect(
                try await alarms(fixture) == [RowAlarm(table: "authorities", key: Self.forged)]
            )
            try await fixture.submit(outcome)
            let activation = try await rotations.take(.activate, of: .root, by: fixture.admin)
            try await fixture.submit(activation)
            #expect(fixture.authority.root.encoded == proposed[1])
        }
    }

    /// The certificate under a key of ours is exchanged for the mole's, or for one of ours that is
    /// no root.
    @Test func aPreparedRootWhoseCertificateWasExchangedIsMadeAnew() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let first = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let foreign = try mole().root.authority.certificate.encoded
            try await fixture.base.tamper(
                """
                UPDATE turnpike.authorities SET certificate = \(foreign)
                WHERE kind = 'root' AND state = 'prepared'
                """
            )
            let second = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let proposed = try #require(second.proposal?.authorities.map(\.certificate))
            #expect(!proposed.contains(foreign))
            #expect(proposed.last != first.proposal?.authorities.last?.certificate)
            // The root, and the intermediate that belongs to none any more.
            #expect(try await alarms(fixture).map(\.table) == ["authorities", "authorities"])
            let row = try #require(
                try await fixture.authorities().last { $0.kind == .intermediate }
            )
            let lifted = AuthorityRow(
                id: row.id,
                kind: .root,
                state: .prepared,
                issuer: nil,
                certificate: row.certificate,
                sealedKey: row.sealedKey,
                notBefore: row.notBefore,
                notAfter: row.notAfter
            )
            let proof = SealedProof(control: fixture.control)
            #expect(proof.believed([row]) == [] && proof.believed([lifted]) == [])
        }
    }

    @Test(arguments: ["prepared", "active"])
    func aSnapshotKeyThatWasInsertedIsNeitherProposedNorUsed(state: String) async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let foreign = try SigningKey.generate(.ed25519).publicKey
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.snapshot_keys (
                    key_id, public_key, sealed_key, state, not_before, not_after, created_at
                ) SELECT \(foreign.keyID.hex), \(foreign.spki), sealed_key, \(state), not_before,
                    not_after, created_at - interval '1 day' FROM turnpike.snapshot_keys
                """
            )
            for step in [Rotations.Step.prepare, .replace] {
                let outcome = try await rotations.take(
                    step,
                    of: .snapshotKey,
                    by: fixture.admin
                )
                let proposed = try #require(outcome.proposal?.snapshotKeys.map(\.key))
                #expect(!proposed.contains(foreign) && !proposed.isEmpty)
            }
            #expect(
                try await alarms(fixture)
                    == [RowAlarm(table: "snapshot_keys", key: foreign.keyID.hex)]
            )
            // And it stops nobody who starts.
            let opened = try await Authority.open(fixture.control)
            #expect(opened.snapshotKey.publicKey == fixture.authority.snapshotKey.publicKey)
        }
    }

    @Test func aSnapshotKeyThatWasTakenOutIsNotProposedAgain() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let stolen = fixture.authority.snapshotKey.publicKey
            try await fixture.submit(
                try await rotations.take(.replace, of: .snapshotKey, by: fixture.admin)
            )
            try await fixture.base.tamper(
                """
                UPDATE turnpike.snapshot_keys SET state = 'prepared', created_at = now()
                WHERE key_id = \(stolen.keyID.hex)
                """
            )
            let outcome = try await rotations.take(.prepare, of: .snapshotKey, by: fixture.admin)
            let proposed = try #require(outcome.proposal?.snapshotKeys.map(\.key))
            #expect(proposed.count == 2 && !proposed.contains(stolen))
            let alarm = RowAlarm(table: "snapshot_keys", key: stolen.keyID.hex)
            #expect(try await alarms(fixture) == [alarm])
        }
    }

    @Test func aPreparedSnapshotKeyThatWasProlongedIsMadeAnew() async throws {
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            _ = try await rotations.take(.prepare, of: .snapshotKey, by: fixture.admin)
            try await fixture.base.tamper(
                """
                UPDATE turnpike.snapshot_keys SET not_after = not_after + interval '1 year'
                WHERE state = 'prepared'
                """
            )
            let outcome = try await rotations.take(.prepare, of: .snapshotKey, by: fixture.admin)
            let end = try #require(outcome.proposal?.snapshotKeys.last?.notAfter)
            #expect(end <= fixture.control.now() + AuthorityLifetimes.snapshotKey)
            #expect(try await alarms(fixture).map(\.table) == ["snapshot_keys"])
        }
    }

    @Test func aRequestThatWasExchangedIsNotGivenOut() async throws {
        try await AuthorityFixture.with { fixture in
            let imports = AuthorityImport(fixture.control, fixture.authority)
            let first = try await imports.request(renewed: false, by: fixture.admin)
            let key = try SigningKey.generate(.ecdsaP256)
            let request = try CertificateSigningRequest.make(
                forIntermediate: key,
                subject: DistinguishedName(commonName: "Turnpike mesh intermediate example.org"),
                trustDomain: "example.org"
            )
            try await fixture.base.tamper(
                "UPDATE turnpike.authority_requests SET request = \(request)"
            )
            let again = try await imports.request(renewed: false, by: fixture.admin)
            #expect(again.isNew && again.keyID != key.publicKey.keyID.hex)
            #expect(again.keyID != first.keyID)
            let known = try await imports.request(renewed: false, by: fixture.admin)
            #expect(!known.isNew && known.pem == again.pem)
            #expect(try await alarms(fixture).map(\.table) == ["authority_requests"])
            // One whose id is none of ours gives way as well.
            try await fixture.base.tamper(
                "UPDATE turnpike.authority_requests SET id = '00000000-0000-4000-8000-000000000001'"
            )
            #expect(try await imports.request(renewed: false, by: fixture.admin).isNew)
            #expect(try await alarms(fixture).count == 2)
        }
    }

    @Test func aRowThatDoesNotReadStopsNeitherRotationsNorIssuance() async throws {
        try await AuthorityFixture.with { fixture in
            let id = "00000000-0000-4000-8000-000000000001"
            try await fixture.base.tamper(
                """
                INSERT INTO turnpike.authorities (
                    id, kind, state, certificate, sealed_key, not_before, not_after
                ) VALUES (
                    \(id)::text::uuid, 'intermediate', 'retired', '', '', now(), now()
                )
                """
            )
            await fixture.authority.refresh(fixture.control)
            _ = try await Authority.open(fixture.control)
            let key = try SigningKey.generate(.ecdsaP256)
            #expect(try await fixture.issuance.issueServerLeaf(for: key).chain.count == 2)
            let outcome = try await Rotations(fixture.control, fixture.authority)
                .take(.prepare, of: .root, by: fixture.admin)
            #expect(outcome.proposal != nil)
            #expect(try await alarms(fixture) == [RowAlarm(table: "authorities", key: id)])
        }
    }
}
