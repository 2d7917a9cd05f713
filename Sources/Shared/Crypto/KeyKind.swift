/// The kinds of asymmetric keys that this house takes; everything else is refused when it is parsed.
package enum KeyKind: Sendable, Hashable, CustomStringConvertible {
    case ed25519
    case ecdsaP256
    case ecdsaP384
    /// Verified in foreign certificate paths only, never made.
    case ecdsaP521
    /// RSA with a modulus of `bits`, 2048 to 8192.
    case rsa(bits: Int)

    /// The name that logs and errors use.
    package var description: String {
        switch self {
        case .ed25519: "Ed25519"
        case .ecdsaP256: "ECDSA P-256"
        case .ecdsaP384: "ECDSA P-384"
        case .ecdsaP521: "ECDSA P-521"
        case .rsa(let bits): "RSA \(bits)"
        }
    }

    /// The length of r and of s, nil for other algorithms than ECDSA.
    var orderByteCount: Int? {
        switch self {
        case .ecdsaP256: 32
        case .ecdsaP384: 48
        case .ecdsaP521: 66
        case .ed25519, .rsa: nil
        }
    }

    /// Whether a key of this kind can make signatures of `scheme`.
    package func fits(_ scheme: SignatureScheme) -> Bool {
        switch (self, scheme) {
        case (.ed25519, .ed25519): true
        case (.ecdsaP256, .ecdsaDER), (.ecdsaP256, .ecdsaP1363): true
        case (.ecdsaP384, .ecdsaDER), (.ecdsaP384, .ecdsaP1363): true
        case (.ecdsaP521, .ecdsaDER), (.ecdsaP521, .ecdsaP1363): true
        case (.rsa, .rsaPKCS1), (.rsa, .rsaPSS): true
        case (.ed25519, _), (.ecdsaP256, _), (.ecdsaP384, _), (.ecdsaP521, _), (.rsa, _): false
        }
    }

    /// The scheme in which a key of this kind signs certificates and documents.
    package var certificateScheme: SignatureScheme {
        switch self {
        case .ed25519: .ed25519
        case .ecdsaP256: .ecdsaDER(.sha256)
        case .ecdsaP384: .ecdsaDER(.sha384)
        case .ecdsaP521: .ecdsaDER(.sha512)
        case .rsa: .rsaPKCS1(.sha256)
        }
    }
}
