/// Why no certification path was accepted.
package enum PathError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The peer's own certificate cannot be used; `problem` says which rule it breaks.
    case unacceptableLeaf(problem: String)
    /// No path to a root; `problem` says what was wrong with the one that came furthest.
    case noPath(problem: String)
    /// The chain asks for more work than any honest one does.
    case tooMuchWork
    /// A CRL names a certificate of the path.
    case revoked
    /// No CRL that is in force, genuine and in scope speaks about a certificate of the path.
    case revocationUnknown
    /// The certificate does not have the name that it must have.
    case nameMismatch(expected: String)
    /// The certificate is valid, but is no SVID of the trust domain.
    case notAnSVID(problem: String)

    /// One sentence for people.
    package var description: String {
        switch self {
        case .unacceptableLeaf(let problem): "the peer's certificate is refused: \(problem)"
        case .noPath(let problem): "no path to a trusted root: \(problem)"
        case .tooMuchWork: "the chain asks for too much work"
        case .revoked: "a certificate of the path is revoked"
        case .revocationUnknown: "no valid CRL tells whether the certificate is revoked"
        case .nameMismatch(let expected): "the certificate does not name \(expected)"
        case .notAnSVID(let problem): "the certificate is no X509-SVID: \(problem)"
        }
    }
}
