import Crypto
import Ledger
import Mesh
import Postgres
import Snapshot
import Store
import Support
import Testing
import Wire

@testable import Control

/// An operator's CA, kept by the `openssl` command, signs for the mesh.
@Suite struct AuthorityImportTests {
    private func imports(_ fixture: AuthorityFixture) -> AuthorityImport {
        AuthorityImport(fixture.control, fixture.authority)
    }

    private func take(
        _ certificate: String,
        _ chain: String,
        key: String? = nil,
        _ fixture: AuthorityFixture
    ) async throws -> Rotations.Outcome {
        try await imports(fixture).take(
            AuthorityImport.Material(certificate: certificate, chain: chain, privateKey: key),
            by: fixture.admin
        )
    }

    private func request(_ fixture: AuthorityFixture, renewed: Bool = false) async throws -> String
    {
        try await imports(fixture).request(renewed: renewed, by: fixture.admin).pem
    }

    /// Announces, acknowledges and activates what was imported.
    private func activate(
        _ outcome: Rotations.Outcome,
        _ fixture: AuthorityFixture
    ) async throws {
        try await fixture.submit(outcome)
        try await fixture.acknowledge()
        let rotations = Rotations(fixture.control, fixture.authority)
        try await fixture.submit(
            try await rotations.take(.activate, of: .root, by: fixture.admin)
        )
    }

    private func enrol(_ fixture: AuthorityFixture) async throws -> IssuedCertificate {
        try await fixture.join(try await fixture.invite(), .generate(.ecdsaP256))
    }

    @Test func oneRequestWaitsUntilItIsForgotten() async throws {
        try await AuthorityFixture.with { fixture in
            let first = try await imports(fixture).request(renewed: false, by: fixture.admin)
            let again = try await imports(fixture).request(renewed: false, by: fixture.admin)
            #expect(first.isNew && !again.isNew && first.pem == again.pem)
            #expect(first.keyID == again.keyID && first.keyID.count == 64)
            let other = try await imports(fixture).request(renewed: true, by: fixture.admin)
            #expect(other.isNew && other.keyID != first.keyID)
            let text = try OperatorAuthority.text(of: other.pem, "req")
            #expect(text.contains("CN = Turnpike mesh intermediate example.org"), "\(text)")
            let row = try #require(
                try await fixture.control.read { database in
                    try await AuthorityRequestRepository.find(
                        guardedBy: fixture.control.rowGuard,
                        in: database
                    )
                }
            )
            // What a thief of the database finds is no key, not even at another row's place.
            #expect((try? SigningKey(pkcs8: row.sealedKey)) == nil)
            #expect(throws: KeyError.self) {
                try AuthoritySealing.open(
                    row.sealedKey,
                    for: .ca,
                    at: AuthoritySealing.place(row.id),
                    fixture.control
                )
            }
            #expect(try await fixture.base.audited("ca.request").map(\.outcome).count == 3)
        }
    }

    @Test(arguments: ["RSA", "EC"])
    func whatAnOutsideCASignedIsAnnouncedAcknowledgedAndThenSigns(rootKey: String) async throws {
        let owner = try OperatorAuthority(key: rootKey)
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            let before = fixture.authority.root
            _ = try await enrol(fixture)
            let signed = try owner.sign(try await request(fixture))
            let outcome = try await take(signed, owner.chain, fixture)
            #expect(outcome.warnings.isEmpty && outcome.differences.count == 2)
            #expect(fixture.authority.root == before)
            // Broken off and begun again: the same proposal, and no request waits any more.
            let again = try await take(signed, owner.chain, fixture)
            #expect(again.proposal?.authorities == outcome.proposal?.authorities)
            try await fixture.submit(again)
            let activation = try await rotations.take(.activate, of: .root, by: fixture.admin)
            #expect(activation.notAcknowledged == [.host])
            let waiting = await refusal { try await fixture.submit(activation) }
            #expect(waiting?.code == "rotation.not_acknowledged")
            try await fixture.acknowledge()
            try await fixture.submit(activation)

            #expect(fixture.authority.root == (try Certificate(pem: owner.root)))
            #expect(fixture.authority.isRootOutside)
            let issued = try await enrol(fixture)
            #expect(issued.chain.count == 3)
            #expect(issued.chain[2] == (try Certificate(pem: owner.signer)).encoded)
            #expect(try fixture.validate(issued) == "spiffe://example.org/agent/web-1")
            #expect(try fixture.recogniseRoot(of: issued) == fixture.authority.root)
            let view = try AuthorityView(fixture.control, fixture.authority).document()
            #expect(view["root_key"]?.text == "outside")
            // No row holds a key of the owner's.
            let rows = try await fixture.authorities()
            let root = rows.first { $0.certificate == fixture.authority.root.encoded }
            #expect(root?.sealedKey == [] && root?.state == .active)
            _ = try await Authority.open(fixture.control)
        }
    }

    @Test func anIntermediateUnderAnOutsideRootIsReplacedByAnotherRequest() async throws {
        let owner = try OperatorAuthority(key: "EC", issuing: false)
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            _ = try await enrol(fixture)
            let first = try owner.sign(try await request(fixture))
            try await activate(take(first, owner.root, fixture), fixture)
            let outside = await refusal {
                try await rotations.take(.replace, of: .intermediate, by: fixture.admin)
            }
            #expect(outside?.code == "rotation.root_outside")
            #expect(outside?.description.contains("turnpike ca csr") == true)

            let old = fixture.authority.intermediate.certificate
            let second = try owner.sign(try await request(fixture))
            let outcome = try await take(second, owner.root, fixture)
            #expect(outcome.proposal == nil && outcome.revision != nil)
            #expect(fixture.authority.intermediate.certificate != old)
            #expect(fixture.authority.intermediate.certificate == (try Certificate(pem: second)))
            #expect(try fixture.validate(try await enrol(fixture)).hasSuffix("/agent/web-1"))
            let same = try await take(second, owner.root, fixture)
            #expect(same.summary.contains("signs already") && same.revision == nil)
            let gone = await refusal { try await take(first, owner.root, fixture) }
            #expect(gone?.code == "ca.retired")

            // And back to a root of the server's own.
            try await activate(
                try await rotations.take(.prepare, of: .root, by: fixture.admin),
                fixture
            )
            #expect(!fixture.authority.isRootOutside)
            _ = try await rotations.take(.replace, of: .intermediate, by: fixture.admin)
            // The owner's root once more: what is retired is history, what is new is announced.
            let third = try owner.sign(try await request(fixture))
            let back = try await take(third, owner.root, fixture)
            #expect(back.summary.contains("announced already"))
            try await fixture.submit(
                try await rotations.take(.activate, of: .root, by: fixture.admin),
                force: true
            )
            #expect(fixture.authority.intermediate.certificate == (try Certificate(pem: third)))
            _ = try await Authority.open(fixture.control)
        }
    }

    @Test func anImportedRootThatIsNotWantedAfterAllGivesWay() async throws {
        let (first, second) = (
            try OperatorAuthority(key: "EC", issuing: false),
            try OperatorAuthority(key: "EC", issuing: false)
        )
        try await AuthorityFixture.with { fixture in
            let rotations = Rotations(fixture.control, fixture.authority)
            func root(_ owner: OperatorAuthority) throws -> [UInt8] {
                try Certificate(pem: owner.root).encoded
            }
            let (firstRoot, secondRoot) = (try root(first), try root(second))
            func announced() -> [[UInt8]] {
                (fixture.authority.trust?.document.authorities ?? []).filter { $0.state == .next }
                    .map(\.certificate)
            }
            // Announced, while another one is imported that is not: the announced one is next.
            let known = try await take(first.root, "", key: first.signerKey, fixture)
            try await fixture.submit(known)
            let signed = try second.sign(try await request(fixture))
            _ = try await take(signed, second.root, fixture)
            let activation = try await rotations.take(.activate, of: .root, by: fixture.admin)
            #expect(
                activation.proposal?.authorities.first { $0.state == .active }?.certificate
                    == firstRoot
            )
            // Back to a root of the server's own, from two that were imported.
            let own = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let again = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let proposed = try #require(own.proposal?.authorities.last?.certificate)
            #expect(again.proposal?.authorities.last?.certificate == proposed)
            #expect(proposed != firstRoot && proposed != secondRoot)
            #expect(try Certificate(der: proposed).subject == fixture.authority.root.subject)
            // Given up: out of the trust document, and not to be activated any more.
            try await fixture.submit(
                try await rotations.take(.retire, of: .root, by: fixture.admin)
            )
            #expect(announced().isEmpty)
            let rows = try await fixture.authorities().filter { $0.state == .retired }
            #expect(rows.count == 2 && rows.contains { $0.kind == .intermediate })
            #expect(rows.first { $0.kind == .root }?.certificate == firstRoot)
            let early = await refusal {
                try await rotations.take(.activate, of: .root, by: fixture.admin)
            }
            #expect(early?.code == "rotation.not_announced")
            // Where one of ours and a later import are both announced, ours would not be next, so
            // that a newer one is made.
            try await fixture.submit(
                try await rotations.take(.prepare, of: .root, by: fixture.admin)
            )
            let third = try OperatorAuthority(key: "EC", issuing: false)
            try await fixture.submit(
                try await take(third.root, "", key: third.signerKey, fixture)
            )
            let thirdRoot = try root(third)
            #expect(announced() == [proposed, thirdRoot])
            let newer = try await rotations.take(.prepare, of: .root, by: fixture.admin)
            let newest = try #require(newer.proposal?.authorities.last?.certificate)
            #expect(!announced().contains(newest))
            try await fixture.submit(newer)
            let last = try await rotations.take(.activate, of: .root, by: fixture.admin)
            #expect(last.proposal?.authorities.last?.state == .active)
        }
    }

    @Test func whatIsAnnouncedIsTheRootThatTheCallerBrings() async throws {
        let (owner, mole) = (
            try OperatorAuthority(key: "EC", issuing: false),
            try OperatorAuthority(key: "EC", issuing: false)
        )
        try await AuthorityFixture.with { fixture in
            let signed = try owner.sign(try await request(fixture))
            let outcome = try await take(signed, owner.root, fixture)
            let foreign = try Certificate(pem: mole.root).encoded
            try await fixture.base.tamper(
                """
                UPDATE turnpike.authorities SET certificate = \(foreign)
                WHERE kind = 'root' AND state = 'prepared'
                """
            )
            let refused = await refusal { try await take(signed, owner.root, fixture) }
            // Root and intermediate do not belong together any more, so both count as absent.
            #expect(refused?.code == "ca.no_request")
            #expect(outcome.proposal != nil)
            let alarms = try await fixture.control.status().rowAlarms
            #expect(alarms.map(\.table) == ["authorities", "authorities"])
        }
    }

    @Test func aRootWithItsKeySignsAsOneMadeHere() async throws {
        for kind in ["RSA", "EC"] {
            let owner = try OperatorAuthority(key: kind, issuing: false)
            try await AuthorityFixture.with { fixture in
                _ = try await enrol(fixture)
                let keyless = await refusal { try await take(owner.root, "", fixture) }
                #expect(keyless?.code == "ca.certificate")
                #expect(keyless?.description.contains("give its private key") == true)
                let outcome = try await take(owner.root, "", key: owner.signerKey, fixture)
                let again = try await take(owner.root, "", key: owner.signerKey, fixture)
                #expect(again.proposal?.authorities == outcome.proposal?.authorities)
                try await activate(again, fixture)
                #expect(fixture.authority.root == (try Certificate(pem: owner.root)))
                #expect(!fixture.authority.isRootOutside)
                #expect(try fixture.validate(try await enrol(fixture)).hasSuffix("/agent/web-1"))
                _ = try await Rotations(fixture.control, fixture.authority)
                    .take(.replace, of: .intermediate, by: fixture.admin)
                #expect(try fixture.validate(try await enrol(fixture)).hasSuffix("/agent/web-1"))
                try await keepsSecret(owner.signerKey, fixture)
            }
        }
    }

    @Test func anIntermediateWithItsKeyIsSealed() async throws {
        let owner = try OperatorAuthority(key: "RSA")
        try await AuthorityFixture.with { fixture in
            _ = try await enrol(fixture)
            let outcome = try await take(
                owner.signer,
                owner.root,
                key: owner.signerKey,
                fixture
            )
            #expect(outcome.warnings.count == 2, "\(outcome.warnings)")
            try await activate(outcome, fixture)
            let issued = try await enrol(fixture)
            #expect(issued.chain.count == 2 && fixture.authority.isRootOutside)
            #expect(try fixture.validate(issued).hasSuffix("/agent/web-1"))
            try await keepsSecret(owner.signerKey, fixture)
        }
    }

    /// Neither the audit trail nor any row shows a key.
    private func keepsSecret(_ pem: String, _ fixture: AuthorityFixture) async throws {
        let line = try #require(pem.split(separator: "\n").dropFirst().first.map(String.init))
        let records = try await fixture.control.audit.list(AuditFilter(), limit: 1_000).records
        #expect(!records.isEmpty && !records.contains { "\($0.record)".contains(line) })
        let secret = try #require(try? PEM.decode(pem).first?.bytes)
        let rows = try await fixture.authorities()
        let tail = secret.suffix(32)
        #expect(!rows.contains { $0.sealedKey.contains(tail) })
    }

    @Test func aCertificateThatIsNotForTheRequestIsRefused() async throws {
        let owner = try OperatorAuthority(key: "EC")
        try await AuthorityFixture.with { fixture in
            let early = await refusal { try await take(owner.signer, owner.root, fixture) }
            #expect(early?.code == "ca.no_request")
            let forgotten = try owner.sign(try await request(fixture))
            _ = try await request(fixture, renewed: true)
            let other = await refusal { try await take(forgotten, owner.chain, fixture) }
            #expect(other?.code == "ca.certificate")
            #expect(other?.description.contains("certificate: its public key is not") == true)
            let missing = await refusal { try await take(forgotten, owner.root, fixture) }
            #expect(missing?.code == "ca.chain")
            let noPEM = await refusal { try await take("hello", owner.root, fixture) }
            #expect(noPEM?.description.hasPrefix("certificate: it holds no certificate") == true)
            let two = await refusal { try await take(owner.chain, owner.root, fixture) }
            #expect(two?.code == "ca.certificate")
            let broken = await refusal {
                try await take(forgotten, "-----BEGIN CERTIFICATE-----\n", fixture)
            }
            #expect(broken?.code == "ca.chain")
            #expect(try await fixture.base.audited("ca.import").isEmpty)
            #expect(fixture.authority.trust?.document.version == 1)
        }
    }

    @Test(arguments: [
        "nameConstraints=critical,permitted;URI:other.org",
        "nameConstraints=critical,permitted;DNS:other.org",
        "nameConstraints=critical,excluded;URI:example.org",
        "nameConstraints=critical,excluded;DNS:svc.example.org",
    ])
    func namesThatItMayNotSignAreFoundByTrial(constraint: String) async throws {
        let owner = try OperatorAuthority(key: "EC")
        try await AuthorityFixture.with { fixture in
            let signed = try owner.sign(
                try await request(fixture),
                OperatorAuthority.extensions + [constraint],
                copies: false
            )
            let refused = await refusal { try await take(signed, owner.chain, fixture) }
            #expect(refused?.code == "ca.certificate")
            #expect(refused?.description.contains("outside the name constraints") == true)
            #expect(refused?.description.contains("spiffe://example.org/") == true)
            let rows = try await fixture.authorities()
            #expect(rows.count == 3)
        }
    }

    /// Peers read 32 KiB of a handshake.
    @Test func aChainThatNoPeerReadsIsRefused() async throws {
        let owner = try OperatorAuthority(key: "EC")
        try await AuthorityFixture.with { fixture in
            let signed = try owner.sign(
                try await request(fixture),
                OperatorAuthority.extensions
                    + ["nsComment=" + String(repeating: "a", count: 34_000)],
                copies: false
            )
            let refused = await refusal { try await take(signed, owner.chain, fixture) }
            #expect(refused?.code == "ca.certificate")
            #expect(refused?.description.contains("16384 may be") == true)
            #expect(try await fixture.authorities().count == 3)
        }
    }

    @Test func theRulesOfTheChainNameTheirField() async throws {
        let owner = try OperatorAuthority(key: "EC", rootDays: 5)
        try await AuthorityFixture.with { fixture in
            let signed = try owner.sign(
                try await request(fixture),
                ["basicConstraints=critical,CA:FALSE"],
                copies: false
            )
            let leaf = await refusal { try await take(signed, owner.chain, fixture) }
            #expect(leaf?.code == "ca.certificate")
            #expect(leaf?.description.contains("must say CA:TRUE") == true)
            let ending = try owner.sign(try await request(fixture), days: 4)
            let soon = await refusal { try await take(ending, owner.chain, fixture) }
            #expect(soon?.description.contains("must last until") == true)
        }
    }

    @Test func aKeyThatDoesNotFitIsRefusedWithoutBeingShown() async throws {
        let owner = try OperatorAuthority(key: "RSA")
        let other = try OperatorAuthority(key: "EC", issuing: false)
        try await AuthorityFixture.with { fixture in
            let foreign = await refusal {
                try await take(owner.signer, owner.root, key: other.signerKey, fixture)
            }
            #expect(foreign?.code == "ca.private_key")
            #expect(foreign?.description.contains("not the key of the certificate") == true)
            let malformed = await refusal {
                try await take(owner.signer, owner.root, key: "SECRET", fixture)
            }
            #expect(malformed?.code == "ca.private_key")
            #expect(malformed?.description.contains("SECRET") == false)
            #expect(malformed?.description.contains("openssl pkcs8 -topk8") == true)
            let rsa = try SigningKey.generate(.rsa(bits: 2_048)).pem()
            let slow = await refusal {
                try await take(owner.signer, owner.root, key: rsa, fixture)
            }
            #expect(slow?.description.contains("must be P-256 or P-384") == true)
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: ArraySlice<UInt8>) -> Bool {
        guard part.count <= count, !part.isEmpty else { return false }
        return (0...(count - part.count)).contains { self[$0..<($0 + part.count)] == part }
    }
}
