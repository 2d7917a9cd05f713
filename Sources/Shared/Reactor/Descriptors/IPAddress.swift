import CLinux

/// An IPv4 or IPv6 address.
///
/// An IPv4 address mapped into IPv6 is the IPv4 address.
package enum IPAddress: Hashable, Sendable {
    /// In host byte order: 127.0.0.1 is 0x7f000001.
    case v4(UInt32)
    /// The first and the last eight bytes, in host byte order. The scope of link-local ones, else 0.
    case v6(high: UInt64, low: UInt64, scope: UInt32)

    package static let loopbackV4 = IPAddress.v4(0x7f00_0001)
    package static let loopbackV6 = IPAddress.v6(high: 0, low: 1, scope: 0)
    package static let anyV4 = IPAddress.v4(0)
    package static let anyV6 = IPAddress.v6(high: 0, low: 0, scope: 0)

    /// Bytes of the longest text form.
    private static let textByteCountMax = 46

    /// Reads `127.0.0.1` or `::1`; no names, no scopes, no leading zeros in IPv4.
    ///
    /// RFC 4291 §2.2.
    package init?(_ text: String) {
        guard text.utf8.count < Self.textByteCountMax, !text.utf8.contains(0) else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        if unsafe clinux_parse_ipv4(text, &low) == 0 {
            self = .v4(UInt32(truncatingIfNeeded: low))
        } else if unsafe clinux_parse_ipv6(text, &high, &low) == 0 {
            self.init(high: high, low: low, scope: 0)
        } else {
            return nil
        }
    }

    init(high: UInt64, low: UInt64, scope: UInt32) {
        if high == 0, low >> 32 == 0xffff {
            self = .v4(UInt32(truncatingIfNeeded: low))
        } else {
            self = .v6(high: high, low: low, scope: scope)
        }
    }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        switch self {
        case .v4(let address): address >> 24 == 127
        case .v6(let high, let low, _): high == 0 && low == 1
        }
    }

    /// 0.0.0.0 or ::.
    package var isUnspecified: Bool {
        switch self {
        case .v4(let address): address == 0
        case .v6(let high, let low, _): high == 0 && low == 0
        }
    }

    /// The 4 or 16 bytes in network order.
    package var bytes: [UInt8] {
        switch self {
        case .v4(let address): Self.bytes(of: UInt64(address)).suffix(4).map { $0 }
        case .v6(let high, let low, _): Self.bytes(of: high) + Self.bytes(of: low)
        }
    }

    private static func bytes(of word: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
    }
}

extension IPAddress: CustomStringConvertible {
    /// `127.0.0.1`, or RFC 5952 text.
    package var description: String {
        switch self {
        case .v4(let address):
            "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
        case .v6(let high, let low, _):
            unsafe withUnsafeTemporaryAllocation(
                of: CChar.self,
                capacity: Self.textByteCountMax
            ) { text in
                guard let start = text.baseAddress,
                    unsafe clinux_format_ipv6(high, low, start) == 0
                else { return "?" }
                return unsafe String(cString: start)
            }
        }
    }
}
