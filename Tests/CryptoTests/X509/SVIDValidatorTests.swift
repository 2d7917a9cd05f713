import Crypto
import Testing
import Wire

struct SVIDValidatorTests {
    let pki: MeshPKI
    let validator: SVIDValidator

    init() throws {
        pki = try MeshPKI()
        validator = SVIDValidator(trustDomain: MeshPKI.trustDomain, roots: [pki.root.certificate])
    }

    @Test func aLeafOfAnotherMeshIsNobody() throws {
        let other = try MeshPKI()
        #expect(throws: PathError.self) {
            try validator.validate(other.leaf(), other.question())
        }
    }

    @Test func theTrustDomainIsPartOfTheIdentity() throws {
        let foreign = SVIDValidator(trustDomain: "other.example", roots: [pki.root.certificate])
        #expect(throws: PathError.notAnSVID(problem: "it belongs to another trust domain")) {
            try foreign.validate(pki.leaf(), pki.question())
        }
    }

    @Test func theIntermediateIsConfinedToItsTrustDomain() throws {
        let key = try SigningKey.generate(.ecdsaP256).publicKey
        let der = try pki.intermediate.issue(
            pki.template(spiffeID: "spiffe://other.example/ns/a/svc/b", dnsNames: []),
            for: key
        )
        let foreign = SVIDValidator(trustDomain: "other.example", roots: [pki.root.certificate])
        #expect(
            throws: PathError.noPath(
                problem: "a name lies outside the name constraints of its issuer"
            )
        ) {
            try foreign.validate(Certificate(der: der), pki.question())
        }
    }

    @Test func validityEndsToTheSecond() throws {
        let leaf = try pki.leaf()
        #expect(throws: Never.self) {
            try validator.validate(leaf, pki.question(at: leaf.notAfter))
        }
        for time in [leaf.notAfter + .seconds(1), leaf.notBefore - .seconds(1)] {
            #expect(throws: PathError.self) {
                try validator.validate(leaf, pki.question(at: time))
            }
        }
    }

    @Test func withoutTheIntermediateThereIsNoPath() throws {
        var question = pki.question()
        question.intermediates = []
        #expect(throws: PathError.self) { try validator.validate(pki.leaf(), question) }
    }

    @Test func caCertificatesAreNoPeers() throws {
        for certificate in [pki.root.certificate, pki.intermediate.certificate] {
            #expect(throws: PathError.self) { try validator.validate(certificate, pki.question()) }
        }
    }
}
