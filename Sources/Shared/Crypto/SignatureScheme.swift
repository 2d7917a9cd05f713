/// How a signature is made and written; the key's kind must fit.
package enum SignatureScheme: Sendable, Hashable {
    /// Ed25519, 64 bytes (RFC 8032).
    case ed25519
    /// ECDSA over the key's curve, a DER SEQUENCE of r and s (RFC 5480, X9.62).
    case ecdsaDER(HashFunction)
    /// ECDSA over the key's curve, r and s each as long as the curve's order (IEEE P1363, RFC 7518).
    case ecdsaP1363(HashFunction)
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    case rsaPKCS1(HashFunction)
    /// RSASSA-PSS with MGF1 over the same hash and a salt as long as it (RFC 8017 §8.1).
    case rsaPSS(HashFunction)

    /// The hash that OpenSSL applies to the message, nil where the algorithm has its own.
    var hash: HashFunction? {
        switch self {
        case .ed25519: nil
        case .ecdsaDER(let hash), .ecdsaP1363(let hash): hash
        case .rsaPKCS1(let hash), .rsaPSS(let hash): hash
        }
    }
}
