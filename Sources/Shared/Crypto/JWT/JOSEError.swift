/// Why a signed token, or a key to verify it with, is refused; holds no part of either.
package enum JOSEError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is no compact JWS, or its header is not what it must be.
    case malformed(problem: String)
    /// A registered algorithm or kind of key that is left out on purpose.
    case unsupported(problem: String)
    /// The key is malformed, weak or ambiguous; a set that holds one must not be used.
    case unusableKey(problem: String)
    /// The key is well-formed, but not for verifying signatures, or of an unknown kind.
    case otherPurpose(problem: String)
    /// No key of the set has the name that the token gives.
    case unknownKey
    /// The token does not say which of several keys it means.
    case keyNotNamed
    /// The token's algorithm is not one that the key is for, or that is allowed here.
    case wrongAlgorithm
    /// The signature is not the key's.
    case wrongSignature

    /// A stable word for records and metrics.
    package var code: String {
        switch self {
        case .malformed: "malformed"
        case .unsupported: "unsupported"
        case .unusableKey: "unusable_key"
        case .otherPurpose: "other_purpose"
        case .unknownKey: "unknown_key"
        case .keyNotNamed: "key_not_named"
        case .wrongAlgorithm: "wrong_algorithm"
        case .wrongSignature: "wrong_signature"
        }
    }

    /// One sentence for people.
    package var description: String {
        switch self {
        case .malformed(let problem): "malformed token: \(problem)"
        case .unsupported(let problem): "unsupported: \(problem)"
        case .unusableKey(let problem): "unusable key: \(problem)"
        case .otherPurpose(let problem): "the key is for something else: \(problem)"
        case .unknownKey: "no key has the name that the token gives in kid"
        case .keyNotNamed: "the token must name its key in kid, because there are several"
        case .wrongAlgorithm: "the token's algorithm is not one that is allowed with the key"
        case .wrongSignature: "the signature does not verify"
        }
    }
}
