/// The rule that the names of targets and profiles share: `\w([\w.-]*\w)?` in ASCII, as the clients
/// that people have send them; at most 63 bytes, and no two dots in a row.
package protocol LeaseName: Hashable, Comparable, Sendable, CustomStringConvertible {
    var text: String { get }
    init(_ text: String) throws(NameError)
}

extension LeaseName {
    package var description: String { text }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

private enum LeaseNameRule {
    static let lengthMaxBytes = 63

    static func check(_ text: String) throws(NameError) {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last else { throw .empty }
        guard bytes.count <= lengthMaxBytes else { throw .tooLong(limit: lengthMaxBytes) }
        let isPlain = bytes.allSatisfy { isWord($0) || $0 == 0x2D || $0 == 0x2E }
        let hasDots = zip(bytes, bytes.dropFirst()).contains { $0 == 0x2E && $1 == 0x2E }
        guard isPlain, isWord(first), isWord(last), !hasDots else {
            throw .malformed(
                "must consist of letters, digits, '_', '-' and '.', and begin and end with one of the"
                    + " first three"
            )
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }
}

/// The name of a system that credentials are leased on.
package struct TargetName: LeaseName {
    /// The text as it is written.
    package let text: String

    /// Refuses what breaks the rule of `LeaseName`.
    package init(_ text: String) throws(NameError) {
        try LeaseNameRule.check(text)
        self.text = text
    }
}

/// The name of a profile: what a leased credential may do.
package struct ProfileName: LeaseName {
    /// The text as it is written.
    package let text: String

    /// Refuses what breaks the rule of `LeaseName`.
    package init(_ text: String) throws(NameError) {
        try LeaseNameRule.check(text)
        self.text = text
    }
}
