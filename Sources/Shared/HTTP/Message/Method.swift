/// A request method: one of the known ones, or another token in upper case.
///
/// Methods are case-sensitive (RFC 9110 section 9.1); a lower-case one is refused, since the next
/// hop might read it as the known one.
package struct Method: Hashable, Sendable, CustomStringConvertible {
    /// The method as it stands on the wire.
    package let token: String

    /// Longest token accepted, in bytes.
    package static let byteCountMax = 32

    package static let get = Method(known: "GET")
    package static let head = Method(known: "HEAD")
    package static let post = Method(known: "POST")
    package static let put = Method(known: "PUT")
    package static let patch = Method(known: "PATCH")
    package static let delete = Method(known: "DELETE")
    package static let options = Method(known: "OPTIONS")
    /// Vault's method for lists.
    package static let list = Method(known: "LIST")
    package static let connect = Method(known: "CONNECT")
    package static let trace = Method(known: "TRACE")

    /// The closed set that a server here may implement.
    package static let known: [Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .list, .connect, .trace,
    ]

    private init(known token: String) {
        self.token = token
    }

    /// A method from its token; nil when it is no token, holds lower-case letters or is too long.
    package init?(_ token: String) {
        guard Method.isValid(Array(token.utf8).span) else { return nil }
        self.token = token
    }

    /// The method in `bytes`; nil under the rules of the other initialiser.
    init?(_ bytes: Span<UInt8>) {
        guard Method.isValid(bytes) else { return nil }
        token = bytes.text(bytes.indices)
    }

    package var isKnown: Bool { Method.known.contains(self) }

    /// Whether the method asks for no change (RFC 9110 section 9.2.1).
    package var isSafe: Bool {
        self == .get || self == .head || self == .options || self == .list || self == .trace
    }

    /// Whether sending it twice means the same as once (RFC 9110 section 9.2.2).
    package var isIdempotent: Bool { isSafe || self == .put || self == .delete }

    package var description: String { token }

    private static func isValid(_ bytes: Span<UInt8>) -> Bool {
        guard !bytes.isEmpty, bytes.count <= byteCountMax else { return false }
        for index in bytes.indices
        where !bytes[index].isTokenCharacter || bytes[index].isLowerCaseLetter {
            return false
        }
        return true
    }
}
