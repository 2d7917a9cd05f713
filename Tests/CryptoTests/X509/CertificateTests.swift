import Crypto
import Testing
import Wire

struct CertificateTests {
    @Test func everyCutAndEveryAlteredByteIsHandled() throws {
        let pki = try MeshPKI()
        let leaf = try pki.leaf()
        let validator = SVIDValidator(
            trustDomain: MeshPKI.trustDomain,
            roots: [pki.root.certificate]
        )
        for count in 0..<leaf.encoded.count {
            #expect(throws: CryptoError.self) {
                try Certificate(der: Array(leaf.encoded.prefix(count)))
            }
        }
        for index in leaf.encoded.indices {
            var altered = leaf.encoded
            altered[index] ^= 1 << UInt8(index % 8)
            guard let certificate = try? Certificate(der: altered) else { continue }
            #expect(throws: PathError.self) {
                try validator.validate(certificate, pki.question())
            }
        }
    }

    @Test func refusesOtherPEM() throws {
        let pem = try MeshPKI().root.certificate.pem
        #expect(throws: CryptoError.self) { try Certificate(pem: pem + pem) }
        #expect(throws: CryptoError.self) { try Certificate(pem: "") }
        #expect(try Certificate.list(pem: pem + pem).count == 2)
        let key = try SigningKey.generate(.ed25519).pem()
        #expect(throws: CryptoError.self) { try Certificate.list(pem: pem + key) }
    }

    @Test func farTimesAreHeldAsNoEnd() throws {
        let key = try SigningKey.generate(.ecdsaP256)
        for text in ["1950-01-01T00:00:00Z", "2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z"] {
            let time = try Timestamp(rfc3339: text)
            let root = try CertificateAuthority.root(
                CertificateTemplate(
                    serialBytes: Randomness.bytes(16),
                    notBefore: time,
                    notAfter: time + .seconds(1),
                    subject: DistinguishedName(commonName: "Root"),
                    purpose: .root
                ),
                key: key
            )
            #expect(root.certificate.notBefore == time)
            #expect(root.certificate.notAfter == time + .seconds(1))
        }
    }

    @Test func namesCompareWithoutRegardToCaseAndBlanks() {
        let one = DistinguishedName(commonName: "Mesh  Root", organization: "Acme")
        #expect(one == DistinguishedName(commonName: " mesh root", organization: "ACME"))
        #expect(one != DistinguishedName(commonName: "meshroot", organization: "Acme"))
        #expect(one != DistinguishedName(commonName: "Mesh Root"))
        #expect(one.commonName == "Mesh  Root")
    }
}
