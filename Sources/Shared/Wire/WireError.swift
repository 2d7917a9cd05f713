/// Why bytes or text could not be read or written.
package enum WireError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A read wanted more bytes than there are.
    case truncated(needed: Int, available: Int)
    /// The input or output is longer than `limit` bytes.
    case tooLarge(limit: Int)
    /// Bytes follow where the value should have ended.
    case trailingBytes(count: Int)
    /// The text of `format` is wrong at byte `offset`; `problem` also says what would be right.
    case malformed(format: String, offset: Int, problem: String)

    /// One sentence for people; never holds the input itself.
    package var description: String {
        switch self {
        case .truncated(let needed, let available):
            "truncated: \(needed) bytes needed, \(available) available"
        case .tooLarge(let limit):
            "too large: at most \(limit) bytes are allowed"
        case .trailingBytes(let count):
            "\(count) bytes follow the end of the value"
        case .malformed(let format, let offset, let problem):
            "malformed \(format) at byte \(offset): \(problem)"
        }
    }
}
