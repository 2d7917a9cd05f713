import Crypto
import Testing
import Wire

struct PathValidatorTests {
    let pki: MeshPKI
    let validator: PathValidator

    init() throws {
        pki = try MeshPKI()
        validator = PathValidator(roots: [pki.root.certificate])
    }

    /// A TLS peer without a SPIFFE id, right under the root.
    func peer(_ names: [GeneralName], roles: Set<PeerRole> = [.server]) throws -> Certificate {
        let template = CertificateTemplate(
            serialBytes: Randomness.bytes(16),
            notBefore: pki.now - .seconds(60),
            notAfter: pki.now + .seconds(60),
            purpose: .peer(names: names, roles: roles)
        )
        let key = try SigningKey.generate(.ecdsaP256).publicKey
        return try Certificate(der: pki.root.issue(template, for: key))
    }

    @Test(arguments: [
        ("db.example", "db.example", true), ("DB.example", "db.EXAMPLE", true),
        ("*.db.example", "a.db.example", true), ("*.db.example", "db.example", false),
        ("*.db.example", "a.b.db.example", false), ("*.example", "db.example", false),
        ("d*.db.example", "dx.db.example", false), ("db.example", "xdb.example", false),
        ("db.example", "", false), ("*.db.example", "*.db.example", false),
    ])
    func namesFollowRFC9525(presented: String, reference: String, matches: Bool) throws {
        var question = pki.question()
        question.name = ReferenceName(host: reference)
        let leaf = try peer([.dns(presented)])
        if matches {
            #expect(throws: Never.self) { try validator.validate(leaf, question) }
        } else {
            #expect(throws: PathError.nameMismatch(expected: reference)) {
                try validator.validate(leaf, question)
            }
        }
    }

    @Test(arguments: [
        ("192.0.2.1", true), ("192.0.2.2", false), ("192.0.02.1", false), ("2001:db8::1", true),
        ("2001:DB8:0:0::1", true), ("2001:db8::2", false), ("::ffff:192.0.2.1", false),
        ("1::2::3", false), (":", false), ("2001:db8:::1", false),
    ])
    func addressesAreComparedAsBytes(reference: String, matches: Bool) throws {
        let six: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        var question = pki.question()
        question.name = ReferenceName(host: reference)
        let leaf = try peer([.ip([192, 0, 2, 1]), .ip(six)])
        let path = try? validator.validate(leaf, question)
        #expect((path != nil) == matches)
    }

    @Test func theRoleMustBeAllowed() throws {
        let leaf = try peer([.dns("a.example")], roles: [.client])
        #expect(throws: PathError.self) {
            try validator.validate(leaf, pki.question(role: .server))
        }
        let path = try validator.validate(leaf, pki.question(role: .client))
        #expect(path.certificates == [leaf, pki.root.certificate])
        #expect(path.notAfter == leaf.notAfter)
    }

    @Test func uselessAndRepeatedIntermediatesAreNoObstacle() throws {
        let leaf = try pki.leaf()
        let other = try MeshPKI()
        var question = pki.question()
        question.intermediates =
            [leaf, other.root.certificate, other.intermediate.certificate, pki.root.certificate]
            + [pki.intermediate.certificate, pki.intermediate.certificate]
        let path = try validator.validate(leaf, question)
        #expect(path.certificates.count == 3)
        question.intermediatesMax = 0
        #expect(throws: PathError.self) { try validator.validate(leaf, question) }
    }

    @Test func manyIssuersOfOneNameEndInABudget() throws {
        let stranger = try MeshPKI()
        let leaf = try stranger.leaf()
        var question = pki.question()
        let subject = stranger.intermediate.certificate.subject
        for _ in 0..<PathValidator.signaturesMax + 10 {
            let twin = try pki.root.intermediate(
                CertificateTemplate(
                    serialBytes: Randomness.bytes(16),
                    notBefore: pki.now,
                    notAfter: pki.now,
                    subject: subject,
                    purpose: .intermediate(trustDomain: MeshPKI.trustDomain)
                ),
                key: .generate(.ecdsaP256)
            )
            question.intermediates.append(twin.certificate)
        }
        #expect(throws: PathError.tooMuchWork) { try validator.validate(leaf, question) }
    }
}
