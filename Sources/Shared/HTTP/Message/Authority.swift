import Wire

/// The host and port that a request is for: the `Host` field, or the authority of its target.
package struct Authority: Hashable, Sendable, CustomStringConvertible {
    /// Longest authority accepted, in bytes.
    package static let byteCountMax = 255 + 6

    /// A name or address in lower case; an IPv6 address keeps its brackets.
    package let host: String
    /// The port as given; nil when none was.
    package let port: UInt16?

    /// An authority from text; nil when it is empty or malformed, or holds user information.
    ///
    /// Names are letters, digits, `-`, `_` and `.`; percent-encoding is refused, since two hops
    /// might decode it differently.
    package init?(_ text: String) {
        self.init(Array(text.utf8).span)
    }

    init?(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty, bytes.count <= Authority.byteCountMax else { return nil }
        let hostEnd: Int
        if bytes[0] == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")),
                Authority.isIPv6(bytes, 1..<close)
            else { return nil }
            hostEnd = close + 1
        } else {
            hostEnd = bytes.firstIndex(of: .colon) ?? bytes.count
            guard Authority.isName(bytes, 0..<hostEnd) else { return nil }
        }
        if hostEnd == bytes.count {
            port = nil
        } else {
            guard bytes[hostEnd] == .colon,
                let port = Authority.port(bytes, (hostEnd + 1)..<bytes.count)
            else { return nil }
            self.port = port
        }
        host = String(
            decoding: bytes.bytes(0..<hostEnd).map(\.lowerCased),
            as: UTF8.self
        )
    }

    /// As it stands in a `Host` field.
    package var description: String { port.map { "\(host):\($0)" } ?? host }

    private static func isName(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard !range.isEmpty, range.count <= 255 else { return false }
        var previous = UInt8(ascii: ".")
        for index in range {
            let octet = bytes[index]
            switch octet {
            case UInt8(ascii: "."):
                if previous == octet { return false }
            case UInt8(ascii: "-"), UInt8(ascii: "_"): break
            default:
                guard octet.isLetter || octet.isDigit else { return false }
            }
            previous = octet
        }
        return true
    }

    /// The shape of RFC 4291 section 2.2: groups of 1 to 4 hex digits and at most one `::`.
    private static func isIPv6(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count >= 2, range.count <= 45 else { return false }
        let text = bytes.text(range)
        let halves = text[...].parts(separatedBy: "::")
        guard halves.count <= 2 else { return false }
        var groupCount = 0
        for (position, half) in halves.enumerated() where !half.isEmpty {
            let groups = half.split(separator: ":", omittingEmptySubsequences: false)
            for (index, group) in groups.enumerated() {
                let isLast = position == halves.count - 1 && index == groups.count - 1
                if isLast, group.utf8.contains(UInt8(ascii: ".")) {
                    guard isIPv4(group) else { return false }
                    groupCount += 2
                } else {
                    guard (1...4).contains(group.utf8.count),
                        group.utf8.allSatisfy({ $0.hexDigitValue != nil })
                    else { return false }
                    groupCount += 1
                }
            }
        }
        return halves.count == 2 ? groupCount <= 7 : groupCount == 8
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy {
                $0.utf8.count <= 3 && $0.utf8.allSatisfy(\.isDigit) && UInt8($0) != nil
            }
    }

    private static func port(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt16? {
        guard (1...5).contains(range.count) else { return nil }
        var value: UInt32 = 0
        for index in range {
            guard bytes[index].isDigit else { return nil }
            value = value &* 10 &+ UInt32(bytes[index] &- 0x30)
        }
        guard value > 0, let port = UInt16(exactly: value) else { return nil }
        return port
    }
}
