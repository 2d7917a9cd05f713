import Crypto
import Foundation
import Support
import Testing
import Wire

/// What an operator's CA, here the `openssl` command, may sign for the mesh and what not.
@Suite struct SigningChainTests {
    /// At each call: what the command signs is valid from the second in which it signs.
    private static var now: Timestamp {
        Timestamp(secondsSinceEpoch: Int64(Date().timeIntervalSince1970))
    }
    private static var week: Timestamp { now + .seconds(7 * 86_400) }

    private func request(_ key: SigningKey) throws -> String {
        PEM.encode(
            PEM.Block(
                label: CertificateSigningRequest.pemLabel,
                bytes: try CertificateSigningRequest.make(
                    forIntermediate: key,
                    subject: DistinguishedName(commonName: "Mesh intermediate"),
                    trustDomain: "example.org"
                )
            )
        )
    }

    private func chain(_ certificate: String, _ others: String) throws -> SigningChain {
        try SigningChain(
            Certificate(pem: certificate),
            others: Certificate.list(pem: others).map { try Certificate(der: $0) }
        )
    }

    /// Why a chain is refused; nil if it is not.
    private func problem(
        _ certificate: String,
        _ others: String
    ) throws -> SigningChainProblem? {
        do {
            _ = try chain(certificate, others)
                .check(trustDomain: "example.org", at: Self.now, until: Self.week)
            return nil
        } catch let problem as SigningChainProblem {
            return problem
        }
    }

    @Test func theRequestAsksForWhatAnIntermediateNeeds() throws {
        let text = try OperatorAuthority.text(of: request(.generate(.ecdsaP256)), "req")
        for wanted in [
            "CN = Mesh intermediate", "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign",
            "URI:spiffe://example.org", "Permitted:", "DNS:example.org", "prime256v1",
        ] {
            #expect(text.contains(wanted), "\(wanted): \(text)")
        }
        #expect(throws: CryptoError.self) {
            try CertificateSigningRequest.make(
                forIntermediate: .generate(.ecdsaP256),
                subject: .empty,
                trustDomain: "example.org"
            )
        }
    }

    @Test(arguments: ["RSA", "EC", "ED25519"])
    func aSignedRequestLeadsToTheRootInAnyOrder(rootKey: String) throws {
        let owner = try OperatorAuthority(key: rootKey)
        let key = try SigningKey.generate(.ecdsaP256)
        let signed = try owner.sign(try request(key))
        // The file of the whole chain, its first certificate included, does as well.
        for others in [owner.chain, owner.root + owner.signer, signed + owner.chain] {
            let chain = try chain(signed, others)
            #expect(chain.root == (try Certificate(pem: owner.root)))
            #expect(chain.above == [try Certificate(pem: owner.signer)])
            #expect(chain.issuer.spki == key.publicKey.spki)
            #expect(
                SigningChain.isUnbroken([chain.issuer] + chain.above + [chain.root])
                    && !SigningChain.isUnbroken([chain.issuer, chain.root])
            )
            let warnings = try chain.check(
                trustDomain: "example.org",
                at: Self.now,
                until: Self.week
            )
            #expect(warnings.isEmpty)
        }
        let root = try chain(owner.root, "")
        #expect(root.issuer == root.root && root.above.isEmpty)
    }

    @Test func whatIsMerelyUnwiseIsSaid() throws {
        let owner = try OperatorAuthority()
        let loose = try owner.sign(
            request(.generate(.ecdsaP256)),
            ["basicConstraints=critical,CA:TRUE"] + OperatorAuthority.extensions.dropFirst(),
            copies: false
        )
        let warnings = try chain(loose, owner.chain)
            .check(trustDomain: "example.org", at: Self.now, until: Self.week)
        #expect(warnings.count == 2)
        #expect(warnings.first?.contains("no name constraints") == true)
        #expect(warnings.last?.contains("pathlen:0") == true)
    }

    @Test func aChainThatDoesNotLeadToItsRootIsRefused() throws {
        let owner = try OperatorAuthority()
        let stranger = try OperatorAuthority(key: "EC", issuing: false)
        let signed = try owner.sign(request(.generate(.ecdsaP256)))
        let missing = try problem(signed, owner.root)
        #expect(missing?.place == .above)
        #expect(missing?.description.contains("'Operator issuing CA', which signed") == true)
        let rootless = try problem(signed, owner.signer)
        #expect(rootless?.description.contains("'Operator root', which signed") == true)
        // The same name, another key.
        let namesake = try problem(signed, owner.signer + stranger.root)
        #expect(namesake?.description.contains("'Operator root', which signed") == true)
        let surplus = try problem(signed, owner.chain + stranger.root)
        #expect(surplus?.description.contains("did not sign anything") == true)
    }

    @Test(arguments: [
        (0, ["basicConstraints=critical,CA:FALSE"], "must say CA:TRUE"),
        (0, ["basicConstraints=CA:TRUE"], "must be marked critical"),
        (1, ["keyUsage=critical,digitalSignature,cRLSign"], "must contain keyCertSign"),
        (2, [], "must have a subject key identifier"),
        (3, [], "it has no authority key identifier"),
        (4, ["subjectAltName=URI:spiffe://other.org"], "another SPIFFE id"),
        (4, ["extendedKeyUsage=codeSigning"], "does not allow the role"),
        (4, ["1.2.3.4=critical,DER:0500"], "critical extension that is not understood"),
    ])
    func aCertificateThatPeersWouldRefuseIsRefused(
        _ replaced: Int,
        _ by: [String],
        _ expected: String
    ) throws {
        let owner = try OperatorAuthority()
        var extensions = OperatorAuthority.extensions
        extensions.replaceSubrange(replaced..<min(replaced + 1, extensions.count), with: by)
        // The command adds key identifiers of its own accord unless told otherwise.
        if replaced == 2 { extensions.append("subjectKeyIdentifier=none") }
        if replaced == 3 { extensions.append("authorityKeyIdentifier=none") }
        let signed = try owner.sign(
            request(.generate(.ecdsaP256)),
            extensions,
            copies: false
        )
        let problem = try problem(signed, owner.chain)
        #expect(problem?.place == .issuer)
        #expect(problem?.description.contains(expected) == true, "\(String(describing: problem))")
        #expect(problem?.description.contains("'Mesh intermediate'") == true)
    }

    @Test func whatEndsTooSoonOrAfterItsIssuerIsRefused() throws {
        let owner = try OperatorAuthority(rootDays: 30)
        let key = try SigningKey.generate(.ecdsaP256)
        let short = try problem(owner.sign(request(key), days: 3), owner.chain)
        #expect(short?.place == .issuer)
        #expect(short?.description.contains("must last until") == true)
        let long = try problem(owner.sign(request(key), days: 60), owner.chain)
        #expect(long?.description.contains("after that of its issuer") == true)
        let signed = try owner.sign(request(key), days: 20)
        #expect(throws: SigningChainProblem.self) {
            try chain(signed, owner.chain).check(
                trustDomain: "example.org",
                at: Self.now - .seconds(86_400 * 2),
                until: Self.now
            )
        }
    }

    @Test func aRootWithTooShortAPathIsRefused() throws {
        let owner = try OperatorAuthority(
            rootExtensions: [
                "basicConstraints=critical,CA:TRUE,pathlen:0",
                "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash",
            ]
        )
        let signed = try owner.sign(request(.generate(.ecdsaP256)))
        let problem = try problem(signed, owner.chain)
        #expect(problem?.place == .root)
        #expect(problem?.description.contains("pathlen:0, but CAs below it: 2") == true)
    }

    @Test func aRootThatDidNotSignItselfIsNoRoot() throws {
        let owner = try OperatorAuthority(issuing: false)
        let root = try Certificate(pem: owner.root)
        var altered = root.encoded
        altered[altered.count - 1] ^= 1
        let forged = PEM.encode(PEM.Block(label: Certificate.pemLabel, bytes: altered))
        let problem = try problem(forged, "")
        #expect(problem?.place == .issuer)
        #expect(problem?.description.contains("its own key did not sign it") == true)
        #expect(!SigningChain.isSignedByItself(try Certificate(pem: forged)))
    }
}
