import Wire

/// An IP address, read strictly: one spelling in, one spelling out.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]

    private init(trusted bytes: [UInt8]) { self.bytes = bytes }

    /// The address 127.0.0.1.
    package static let loopback = IPAddress(trusted: [127, 0, 0, 1])

    /// From 4 or 16 bytes in network order.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads dotted decimal without leading zeros, or RFC 4291 §2.2 text without a zone and
    /// without an embedded IPv4 part.
    package init(_ text: String) throws(NameError) {
        let isVersion6 = text.utf8.contains(UInt8(ascii: ":"))
        guard text.utf8.count <= 39,
            let bytes = isVersion6 ? Self.version6(text) : Self.version4(text)
        else { throw .malformed("must be an IPv4 or IPv6 address") }
        self.bytes = bytes
    }

    /// Whether it is 16 bytes long.
    package var isVersion6: Bool { bytes.count == 16 }

    /// Whether it lies in 127.0.0.0/8 or is ::1.
    package var isLoopback: Bool {
        isVersion6 ? bytes == Array(repeating: 0, count: 15) + [1] : bytes.first == 127
    }

    /// Whether it is 0.0.0.0 or ::, which name no host.
    package var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

    /// RFC 5952 text.
    package var description: String {
        guard isVersion6 else { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map {
            UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
        }
        var longest = 0..<0
        var index = 0
        while index < groups.count {
            let run = groups[index...].prefix { $0 == 0 }.count
            if run >= 2, run > longest.count { longest = index..<(index + run) }
            index += max(run, 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !longest.isEmpty else { return text(groups[...]) }
        return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    }

    private static func version4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard let byte = UInt8(part), String(byte) == part else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func version6(_ text: String) -> [UInt8]? {
        let halves = text[...].parts(separatedBy: "::")
        guard halves.count <= 2, let head = groups(halves[0]) else { return nil }
        guard halves.count == 2 else { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1]), head.count + tail.count <= 14 else { return nil }
        return head + Array(repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func groups(_ text: Substring) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        for part in text.split(separator: ":", omittingEmptySubsequences: false) {
            let isHexadecimal = part.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"):
                    true
                default:
                    false
                }
            }
            guard (1...4).contains(part.utf8.count), isHexadecimal,
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
        return bytes
    }
}
