import Crypto
import Testing
import Wire

struct CertificateAuthorityTests {
    @Test(arguments: [KeyKind.ecdsaP256, .ecdsaP384, .ed25519])
    func issuesWhatTheTemplateSays(kind: KeyKind) throws {
        let pki = try MeshPKI(kind: kind)
        let key = try SigningKey.generate(.ecdsaP256)
        let template = pki.template()
        let leaf = try Certificate(der: pki.intermediate.issue(template, for: key.publicKey))
        #expect(leaf.uriNames == [MeshPKI.service])
        #expect(leaf.dnsNames == ["cart.web.svc.mesh.example"])
        #expect(leaf.keyUsage == .digitalSignature)
        #expect(leaf.isMeant(for: .server) == true && leaf.isMeant(for: .client) == true)
        #expect(!leaf.isCA)
        #expect(leaf.spki == key.publicKey.spki)
        #expect(leaf.subject.isEmpty)
        #expect(leaf.notBefore == template.notBefore && leaf.notAfter == template.notAfter)
        #expect(leaf.issuer == pki.intermediate.certificate.subject)
        #expect(leaf.authorityKeyIdentifier == pki.intermediate.certificate.subjectKeyIdentifier)
        #expect(leaf.signatureScheme == kind.certificateScheme)
        #expect(leaf.isSigned(by: try pki.intermediate.certificate.publicKey()))
        #expect(!leaf.isSigned(by: try pki.root.certificate.publicKey()))
        #expect(pki.intermediate.certificate.pathLength == 0)
        #expect(try Certificate(pem: leaf.pem) == leaf)
    }

    @Test func refusesWhatNoCertificateMaySay() throws {
        let pki = try MeshPKI()
        let key = try SigningKey.generate(.ecdsaP256)
        var templates: [CertificateTemplate] = []
        for text in ["", "spiffe://mesh.example", "spiffe://mesh.example/a/../b", "https://a/b"] {
            templates.append(pki.template(spiffeID: text))
        }
        templates.append(pki.template(dnsNames: ["*.mesh.example"]))
        templates.append(pki.template(lifetime: .seconds(400 * 86_400)))
        templates.append(pki.template(lifetime: .seconds(-3600)))
        var serial = pki.template()
        serial.serialBytes = [1]
        templates.append(serial)
        var root = pki.template()
        root.purpose = .root
        templates.append(root)
        var below = pki.template()
        below.purpose = .intermediate(trustDomain: "mesh.example")
        below.subject = DistinguishedName(commonName: "below")
        templates.append(below)
        for template in templates {
            #expect(throws: CryptoError.self) {
                try pki.intermediate.issue(template, for: key.publicKey)
            }
        }
    }

    @Test func aSerialNumberThatIsZeroButForItsFirstBitIsRefused() throws {
        let pki = try MeshPKI()
        let key = try SigningKey.generate(.ecdsaP256).publicKey
        var template = pki.template()
        template.serialBytes = [0x80] + [UInt8](repeating: 0, count: 15)
        #expect(throws: CryptoError.self) { try pki.intermediate.issue(template, for: key) }
        template.serialBytes[15] = 1
        let leaf = try Certificate(der: pki.intermediate.issue(template, for: key))
        #expect(leaf.serialNumber == [1])
    }

    @Test func certificateAndKeyMustBelongTogether() throws {
        let pki = try MeshPKI()
        let key = try SigningKey.generate(.ecdsaP256)
        #expect(throws: CryptoError.self) {
            try CertificateAuthority(certificate: pki.root.certificate, key: key)
        }
        #expect(throws: CryptoError.self) {
            try CertificateAuthority(certificate: pki.leaf(key: key), key: key)
        }
    }

    @Test func anIssuedLeafIsAnIdentity() throws {
        let pki = try MeshPKI()
        let leaf = try pki.leaf()
        let validator = SVIDValidator(
            trustDomain: MeshPKI.trustDomain,
            roots: [pki.root.certificate]
        )
        for role in PeerRole.allCases {
            let identity = try validator.validate(leaf, pki.question(role: role))
            #expect(identity.spiffeID == MeshPKI.service)
            #expect(identity.notAfter == leaf.notAfter)
        }
    }
}
