import Control
import Crypto
import Foundation
import Mesh
import Postgres
import Snapshot
import Store
import Support
import Testing
import Wire

@Suite struct AuthorityTests {
    @Test func foundingMakesAChainThatOthersVerify() async throws {
        try await AuthorityFixture.with { fixture in
            let root = fixture.authority.root
            let intermediate = fixture.authority.intermediate.certificate
            #expect(root.isCA && intermediate.isCA && intermediate.pathLength == 0)
            #expect(root.pem != fixture.authority.apiRoot.certificate.pem)
            let key = try SigningKey.generate(.ecdsaP256)
            let issued = try await fixture.issuance.issueServerLeaf(for: key)
            #expect(try fixture.validate(issued) == "spiffe://example.org/server/one")
            try AuthorityFixture.withDirectory { directory in
                let leaf = try Certificate(der: issued.chain[0])
                for (name, pem) in [
                    ("root", root.pem), ("middle", intermediate.pem), ("leaf", leaf.pem),
                ] {
                    try Data(pem.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name).pem"))
                }
                let verdict = OpenSSLCommand.run([
                    "verify", "-x509_strict", "-CAfile", "\(directory)/root.pem", "-untrusted",
                    "\(directory)/middle.pem", "\(directory)/leaf.pem",
                ])
                #expect(verdict.status == 0, "\(verdict.output)")
                let short = OpenSSLCommand.run([
                    "verify", "-CAfile", "\(directory)/root.pem", "\(directory)/leaf.pem",
                ])
                #expect(short.status != 0)
            }
        }
    }

    @Test func theTrustKeyLeavesOnceAndSignedTheDocument() async throws {
        try await AuthorityFixture.with { fixture in
            let trust = try #require(fixture.authority.trust)
            #expect(trust.document.version == 1 && trust.document.epoch == 1)
            let key = try SigningKey(pem: try #require(fixture.trustKey.all.first))
            #expect(fixture.trustKey.all.count == 1)
            #expect(trust.document.trustKeys == [key.publicKey])
            #expect(
                trust.document.snapshotKeys.map(\.key) == [fixture.authority.snapshotKey.publicKey]
            )
            #expect(
                trust.document.authorities.map(\.certificate) == [fixture.authority.root.encoded]
            )
        }
    }

    @Test func replicasThatStartTogetherFoundOneAuthority() async throws {
        try await ControlFixture.withPool { _, pool in
            let kept = AuthorityFixture.KeptText()
            let step = AuthorityFounding(writeTrustKey: kept.write).step
            let hashes = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 1...3 {
                    group.addTask {
                        let control = try await ControlFixture.open(
                            pool,
                            server: "server-\(number)",
                            steps: [step]
                        )
                        let authority = try await Authority.open(control)
                        return authority.trust?.hash.hex ?? ""
                    }
                }
                var found: Set<String> = []
                for try await hash in group { found.insert(hash) }
                return found
            }
            #expect(hashes.count == 1 && hashes.first?.count == 64)
            #expect(kept.all.count == 1)
        }
    }

    @Test func reopeningFindsTheSameKeys() async throws {
        try await AuthorityFixture.with { fixture in
            let again = try await ControlFixture.open(fixture.base.pool, server: "two")
            let opened = try await Authority.open(again)
            #expect(opened.snapshotKey.publicKey == fixture.authority.snapshotKey.publicKey)
            #expect(opened.intermediate.certificate == fixture.authority.intermediate.certificate)
            #expect(opened.trust == fixture.authority.trust)
        }
    }

    @Test func anotherKeyEncryptionKeyOpensNothing() async throws {
        try await AuthorityFixture.with { fixture in
            let pool = fixture.base.pool
            await #expect(throws: StartError.self) {
                try await ControlFixture.open(pool, key: Bytes.key(filledWith: 99))
            }
        }
    }

    @Test(
        arguments: [
            // The key of another row, which its seal is not bound to.
            """
            UPDATE turnpike.authorities SET sealed_key =
                (SELECT sealed_key FROM turnpike.authorities WHERE kind = 'root')
            WHERE kind = 'intermediate'
            """,
            // A certificate that the root did not sign.
            """
            UPDATE turnpike.authorities SET certificate =
                (SELECT certificate FROM turnpike.authorities WHERE kind = 'api')
            WHERE kind = 'intermediate'
            """,
            "UPDATE turnpike.authorities SET state = 'retired' WHERE kind = 'root'",
            "UPDATE turnpike.snapshot_keys SET state = 'retired'",
            "DELETE FROM turnpike.trust_documents",
            "UPDATE turnpike.trust_documents SET envelope = set_byte(envelope, 10, 0)",
        ] as [SQL]
    )
    func partsThatDoNotBelongTogetherAreRefused(_ change: SQL) async throws {
        try await AuthorityFixture.with { fixture in
            try await fixture.base.tamper(change)
            let control = fixture.control
            await #expect(throws: StartError.self) { try await Authority.open(control) }
        }
    }
}

/// What somebody who writes the database, or another replica, does to the trust document.
@Suite struct TrustChangeTests {
    private func document(
        after anchor: TrustAnchor,
        roots: [[UInt8]] = [],
        trustKey: SigningKey
    ) -> TrustDocument {
        var document = anchor.document
        document.authorities += roots.map { .init(certificate: $0, state: .next) }
        document.trustKeys = [trustKey.publicKey]
        return document
    }

    /// A first document of somebody else's that names our own root and key beside theirs.
    @Test func aFirstDocumentOfSomebodyElseIsRefused() async throws {
        try await AuthorityFixture.with { fixture in
            let mole = try SigningKey.generate(.ed25519)
            let anchor = try #require(fixture.authority.trust)
            let envelope = try document(
                after: anchor,
                roots: [fixture.authority.apiRoot.certificate.encoded],
                trustKey: mole
            ).signed(by: [mole])
            // By itself it is as good as any first document.
            _ = try TrustAnchor.first(
                envelope,
                trustDomain: fixture.control.trustDomain,
                pinnedHash: nil
            )
            try await fixture.base.tamper(
                """
                UPDATE turnpike.trust_documents SET hash = \(envelope.payloadHash.bytes),
                    envelope = \(envelope.encoded)
                """
            )
            let control = fixture.control
            await #expect(throws: StartError.self) { try await Authority.open(control) }
            #expect(try await control.status().rowAlarms.map(\.table) == ["trust_documents"])
            // The replica that runs keeps what it holds.
            await fixture.authority.refresh(control)
            #expect(fixture.authority.trust == anchor)
        }
    }

    @Test func anotherReplicasRotationIsReadAtRunTime() async throws {
        try await AuthorityFixture.with { fixture in
            let control = fixture.control
            let anchor = try #require(fixture.authority.trust)
            let key = try SigningKey(pem: try #require(fixture.trustKey.all.first))
            let next = try SigningKey.generate(.ed25519)
            let root = fixture.authority.apiRoot.certificate
            var document = document(after: anchor, roots: [root.encoded], trustKey: next)
            document.version = 2
            document.epoch = 3
            let envelope = try document.signed(by: [key, next])
            try await control.write { database in
                try await TrustRepository.insert(
                    TrustRow(
                        version: 2,
                        epoch: 3,
                        hash: envelope.payloadHash.bytes,
                        envelope: envelope.encoded
                    ),
                    guardedBy: control.rowGuard,
                    in: database
                )
            }
            #expect(fixture.authority.trust == anchor)
            await fixture.authority.refresh(control)
            #expect(fixture.authority.trustChain.map(\.document.version) == [1, 2])
            #expect(fixture.authority.roots == [fixture.authority.root, root])
            #expect(try await fixture.invite().trustHash == envelope.payloadHash)
        }
    }
}

@Suite struct AuthorityLifetimesTests {
    private let now = Timestamp(secondsSinceEpoch: 1_700_000_000)

    @Test(arguments: [
        (3_600, 86_400, 3_600), (3_600, 600, 600), (300, 300, 300), (86_400, 299, nil),
        (3_600, -1, nil),
    ])
    func aLeafEndsWithItsIssuerAndIsNeverTooShort(
        _ lifetime: Int64,
        _ issuer: Int64,
        _ expected: Int64?
    ) {
        let end = AuthorityLifetimes.leafEnd(
            now: now,
            lifetime: .seconds(lifetime),
            issuerEnd: now + .seconds(issuer)
        )
        #expect(end == expected.map { now + .seconds($0) })
    }
}
