import Crypto
import Mesh
import Snapshot
import Wire

/// What was brought, read but not believed.
struct ImportedMaterial {
    let chain: SigningChain
    /// Where the CA's key shall be kept here.
    let key: SigningKey?

    /// Whether it is a root alone, under which an intermediate has to be made.
    var isRoot: Bool { chain.issuer == chain.root }

    init(_ material: AuthorityImport.Material) throws(ControlError) {
        let certificate = try Self.certificates(material.certificate, field: "certificate")
        guard certificate.count == 1, let issuer = certificate.first else {
            throw .invalid(
                "ca.certificate",
                field: "certificate",
                "it must hold one certificate in PEM, not \(certificate.count): what signed it belongs"
                    + " into the chain"
            )
        }
        let others = try Self.certificates(material.chain, field: "chain")
        do throws(SigningChainProblem) {
            chain = try SigningChain(issuer, others: others)
        } catch {
            throw Self.refusal(error)
        }
        guard chain.root.encoded.count <= TrustDocument.entryMaxBytes else {
            throw .invalid(
                "ca.chain",
                field: "chain",
                "the root has \(chain.root.encoded.count) bytes, but a trust document takes"
                    + " \(TrustDocument.entryMaxBytes) at most"
            )
        }
        key = try material.privateKey.map { text throws(ControlError) in
            try Self.key(text, of: issuer)
        }
    }

    /// The checks that need a clock.
    func check(in control: ControlPlane, at time: Timestamp) throws(ControlError) -> [String] {
        do throws(SigningChainProblem) {
            return try chain.check(
                trustDomain: control.trustDomain.text,
                at: time,
                until: time + AuthorityLifetimes.importedMin
            )
        } catch {
            throw Self.refusal(error)
        }
    }

    private static func refusal(_ problem: SigningChainProblem) -> ControlError {
        let field =
            switch problem.place {
            case .issuer: "certificate"
            case .above, .root: "chain"
            }
        return .invalid("ca.\(field)", field: field, problem.description)
    }

    private static func certificates(
        _ text: String,
        field: String
    ) throws(ControlError) -> [Certificate] {
        var certificates: [Certificate] = []
        do throws(CryptoError) {
            for der in try Certificate.list(pem: text) {
                certificates.append(try Certificate(der: der))
            }
        } catch {
            throw .invalid("ca.\(field)", field: field, "\(error)")
        }
        guard !certificates.isEmpty || text.isEmpty else {
            throw .invalid("ca.\(field)", field: field, "it holds no certificate in PEM")
        }
        return certificates
    }

    /// Never says anything of the text itself, which may be the key of a CA.
    private static func key(
        _ text: String,
        of certificate: Certificate
    ) throws(ControlError) -> SigningKey {
        guard let key = try? SigningKey(pem: text) else {
            throw .invalid(
                "ca.private_key",
                field: "private_key",
                "it must be one unencrypted PKCS#8 key in PEM ('BEGIN PRIVATE KEY'): `openssl pkcs8"
                    + " -topk8 -nocrypt` makes one of any other"
            )
        }
        // A root signs a few intermediates, but what signs leaves must be quick and known to peers.
        let signsLeaves = !SigningChain.isSignedByItself(certificate)
        switch key.kind {
        case .ecdsaP256, .ecdsaP384: break
        case .rsa, .ed25519, .ecdsaP521:
            guard signsLeaves else { break }
            throw .invalid(
                "ca.private_key",
                field: "private_key",
                "an intermediate's key must be P-256 or P-384, not \(key.kind): bring one of that"
                    + " kind, or have a request signed (`turnpike ca csr`)"
            )
        }
        guard key.publicKey.spki == certificate.spki else {
            throw .invalid(
                "ca.private_key",
                field: "private_key",
                "it is not the key of the certificate"
            )
        }
        return key
    }
}
