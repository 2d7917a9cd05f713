import COpenSSL

/// What can go wrong in this room, apart from a signature or tag that does not verify.
package enum CryptoError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The bytes of `field` are not what they should be; `problem` also says what would be right.
    case malformed(field: String, problem: String)
    /// `field` is well-formed, but of a kind that is refused on purpose.
    case unsupported(field: String, problem: String)
    /// The ciphertext or its associated data were altered, or the key is another one.
    case authenticationFailed
    /// OpenSSL refused an operation that cannot fail on valid arguments (memory, randomness).
    case backend(operation: String)

    /// What OpenSSL would not do; empties its queue of errors, which the next TLS call on this thread
    /// would take for its own.
    static func refused(_ operation: String) -> CryptoError {
        ERR_clear_error()
        return .backend(operation: operation)
    }

    /// One sentence for people; never holds key material or input.
    package var description: String {
        switch self {
        case .malformed(let field, let problem): "malformed \(field): \(problem)"
        case .unsupported(let field, let problem): "unsupported \(field): \(problem)"
        case .authenticationFailed: "authentication failed: altered data or another key"
        case .backend(let operation): "OpenSSL failed to \(operation)"
        }
    }
}
