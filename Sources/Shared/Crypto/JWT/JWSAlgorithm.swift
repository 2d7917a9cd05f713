/// The signature algorithms of JOSE that are verified here (RFC 7518 §3.1, RFC 8037 §3.1).
package enum JWSAlgorithm: String, Sendable, Hashable, CaseIterable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case edDSA = "EdDSA"

    /// Those whose keys may be published; a verifier that takes the others can also sign.
    package static let asymmetric: Set<JWSAlgorithm> = Set(allCases)
        .subtracting([.hs256, .hs384, .hs512])

    /// Registered signature algorithms that are left out on purpose.
    static let leftOut: Set<String> = [
        "ES256K", "Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
    ]

    /// The name in a header or a key; nil for every other text, `none` in any case included.
    init?(name: String) {
        // Strings that are canonically equivalent compare equal: only the bytes count.
        guard let known = Self(rawValue: name), known.rawValue.utf8.elementsEqual(name.utf8)
        else { return nil }
        self = known
    }

    /// How an asymmetric signature is made; nil for those with a shared key.
    var scheme: SignatureScheme? {
        switch self {
        case .hs256, .hs384, .hs512: nil
        case .rs256, .rs384, .rs512: .rsaPKCS1(hash)
        case .ps256, .ps384, .ps512: .rsaPSS(hash)
        // r and s side by side, each as long as the curve's order (RFC 7518 §3.4).
        case .es256, .es384, .es512: .ecdsaP1363(hash)
        case .edDSA: .ed25519
        }
    }

    /// The hash inside; Ed25519 has one of its own.
    var hash: HashFunction {
        switch self {
        case .hs256, .rs256, .ps256, .es256: .sha256
        case .hs384, .rs384, .ps384, .es384: .sha384
        case .hs512, .rs512, .ps512, .es512, .edDSA: .sha512
        }
    }

    /// What a public key can verify: the key decides, never the token.
    static func fitting(_ kind: KeyKind) -> Set<JWSAlgorithm> {
        switch kind {
        case .ed25519: [.edDSA]
        case .ecdsaP256: [.es256]
        case .ecdsaP384: [.es384]
        case .ecdsaP521: [.es512]
        case .rsa: [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
        }
    }

    /// What a shared key of so many bytes can verify: one at least as long as the hash
    /// (RFC 7518 §3.2).
    static func fitting(secretByteCount count: Int) -> Set<JWSAlgorithm> {
        Set([.hs256, .hs384, .hs512].filter { $0.hash.byteCount <= count })
    }
}
