/// DNS names as certificates and reference identities write them (RFC 1123, RFC 9525 §6.3).
enum DNSName {
    /// The longest name and the longest label.
    static let bytesMax = 253
    static let labelBytesMax = 63

    /// Labels of letters, digits, hyphens and underscores, none empty, none of them only digits last.
    static func isWellFormed(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard 1...bytesMax ~= bytes.count else { return false }
        let labels = bytes.split(separator: 0x2E, omittingEmptySubsequences: false)
        // A name whose last label is a number would be taken for an IPv4 address (RFC 3696 §2).
        guard let last = labels.last, !last.allSatisfy({ 0x30...0x39 ~= $0 }) else { return false }
        return labels.allSatisfy { label in
            guard 1...labelBytesMax ~= label.count, label.first != 0x2D, label.last != 0x2D else {
                return false
            }
            return label.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
        }
    }

    /// A well-formed name, of which the leftmost label may be a lone asterisk.
    static func isWellFormedPresented(_ name: String) -> Bool {
        isWellFormed(withoutWildcard(name))
    }

    /// The name without a leading `*.`.
    static func withoutWildcard(_ name: String) -> String {
        name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
    }

    /// What follows the first label, empty when there is one label only.
    static func parent(_ name: String) -> String {
        guard let dot = name.firstIndex(of: ".") else { return "" }
        return String(name[name.index(after: dot)...])
    }

    /// Equal but for the case of ASCII letters.
    static func equals(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { lowercased($0) == lowercased($1) }
    }

    /// The bytes with ASCII letters in lower case.
    static func folded(_ name: String) -> [UInt8] {
        name.utf8.map(lowercased)
    }

    /// `base` itself or a name below it, both folded; everything lies within the empty base.
    static func isWithin(_ name: [UInt8], _ base: [UInt8]) -> Bool {
        let extra = name.count - base.count
        guard extra >= 0, name[extra...].elementsEqual(base) else { return false }
        return extra == 0 || base.isEmpty || name[extra - 1] == 0x2E
    }

    /// Whether a name in a certificate stands for `reference`, which must be well-formed.
    ///
    /// An asterisk counts only as the whole leftmost label, for exactly one label, and with two or more
    /// labels after it, so that nobody is certified for a whole top-level domain.
    static func matches(presented: String, reference: String) -> Bool {
        guard isWellFormed(reference), isWellFormedPresented(presented) else { return false }
        guard presented.hasPrefix("*.") else { return equals(presented, reference) }
        let suffix = withoutWildcard(presented)
        return suffix.contains(".") && equals(parent(reference), suffix)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        0x41...0x5A ~= byte ? byte + 0x20 : byte
    }
}

/// A mailbox as certificates write it: `local@host` (RFC 5280 §4.2.1.6).
struct Mailbox: Equatable {
    let local: String
    let host: String

    init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.count <= 64 else { return nil }
        guard parts[0].utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
        guard DNSName.isWellFormed(String(parts[1])) else { return nil }
        local = String(parts[0])
        host = String(parts[1])
    }

    /// The local part compares exactly, the host without regard to case (RFC 5280 §7.5).
    static func == (left: Mailbox, right: Mailbox) -> Bool {
        left.local == right.local && DNSName.equals(left.host, right.host)
    }
}

/// The host of a URI (RFC 3986 §3.2.2), which constraints of URIs apply to.
enum URIHost {
    /// The host without user information and port, nil when there is no authority.
    static func host(of uri: String) -> String? {
        guard let colon = uri.firstIndex(of: ":") else { return nil }
        let rest = uri[uri.index(after: colon)...]
        guard rest.hasPrefix("//") else { return nil }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let afterUser = authority.lastIndex(of: "@").map { authority.index(after: $0) }
        let hostAndPort = authority[(afterUser ?? authority.startIndex)...]
        guard !hostAndPort.hasPrefix("[") else { return nil }
        let host = hostAndPort.prefix { $0 != ":" }
        return host.isEmpty ? nil : String(host)
    }
}
