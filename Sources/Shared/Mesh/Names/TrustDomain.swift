/// The trust domain of a SPIFFE id (SPIFFE-ID §2.1).
///
/// Upper case is refused, never folded: two spellings of one identity are two identities to
/// whoever compares bytes.
package struct TrustDomain: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The longest text that is accepted.
    package static let lengthMaxBytes = 255
    /// What leaves room for `<service>.<ns>.svc.` in a DNS name of 253 bytes.
    package static let servingLengthMaxBytes = 121

    /// The text as it is written.
    package let text: String

    /// Refuses upper case and everything outside the SPIFFE characters.
    package init(_ text: String) throws(NameError) {
        let bytes = text.utf8
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= Self.lengthMaxBytes else {
            throw .tooLong(limit: Self.lengthMaxBytes)
        }
        guard bytes.allSatisfy(Self.isAllowed) else {
            throw .malformed("must consist of a-z, 0-9, '.', '-' and '_'")
        }
        self.text = text
    }

    /// Checks what a trust domain of our own must obey beyond SPIFFE: every service of it needs
    /// a DNS name for SNI, so it is dot-separated labels with room for the service in front.
    package func checkServing() throws(NameError) {
        guard text.utf8.count <= Self.servingLengthMaxBytes else {
            throw .tooLong(limit: Self.servingLengthMaxBytes)
        }
        for label in text.split(separator: ".", omittingEmptySubsequences: false) {
            try DNSLabel.check(String(label))
        }
    }

    package var description: String { text }

    package static func < (left: TrustDomain, right: TrustDomain) -> Bool {
        left.text < right.text
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        DNSLabel.isLetterOrDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }
}
