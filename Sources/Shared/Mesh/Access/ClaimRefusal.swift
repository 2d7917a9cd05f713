/// Why a token that was signed by the right issuer is not what a role asks for; holds no value of it.
package enum ClaimRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// A registered claim, or the whole of them, is not of the form that it must have.
    case malformed(claim: String)
    /// A claim that must be there is not.
    case missing(claim: String)
    case expired
    /// `nbf` or `iat` lies in the future.
    case notYetValid
    /// A claim has a value that is not allowed.
    case notAllowed(claim: String)
    /// The token has an audience, and the role expects none.
    case unexpectedAudience

    /// A stable word for records and metrics.
    package var code: String {
        switch self {
        case .malformed: "claim_malformed"
        case .missing: "claim_missing"
        case .expired: "token_expired"
        case .notYetValid: "token_not_yet_valid"
        case .notAllowed: "claim_not_allowed"
        case .unexpectedAudience: "audience_unexpected"
        }
    }

    /// One sentence for people.
    package var description: String {
        switch self {
        case .malformed(let claim): "the claim \(claim) does not have the form that it must have"
        case .missing(let claim): "the claim \(claim) is missing"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet"
        case .notAllowed(let claim): "the claim \(claim) has a value that the role does not allow"
        case .unexpectedAudience: "the token has an audience, and the role binds none"
        }
    }
}
