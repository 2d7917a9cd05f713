import Crypto
import Mesh
import Wire

// What a peer shows in a handshake, and what it asks a certificate with.
extension FuzzTarget {
    static let certificates: [FuzzTarget] = [
        FuzzTarget(name: "certificate") { bytes in
            guard let certificate = try? Certificate(der: bytes) else { return nil }
            guard certificate.encoded == bytes else { return "bytes behind the end" }
            guard (try? Certificate(pem: certificate.pem)) == certificate else {
                return "its PEM differs"
            }
            // At worst it vouches for itself.
            guard let name = certificate.uriNames.first, let id = try? SPIFFEID(name) else {
                return nil
            }
            var question = PathValidator.Question(role: .client, time: certificate.notBefore)
            question.intermediates = [certificate]
            let validator = SVIDValidator(trustDomain: id.trustDomain.text, roots: [certificate])
            guard let identity = try? validator.validate(certificate, question) else { return nil }
            guard certificate.uriNames.count == 1, identity.spiffeID == name else {
                return "an identity beside the only URI name"
            }
            return certificate.isCA ? "an authority as a leaf" : nil
        },
        FuzzTarget(name: "certificate_request") { bytes in
            _ = try? CertificateSigningRequest(verifying: bytes)
            return nil
        },
        FuzzTarget(name: "public_key") { bytes in
            guard let key = try? PublicKey(spki: bytes) else { return nil }
            return key.spki == bytes ? nil : "a second spelling"
        },
    ]
}
