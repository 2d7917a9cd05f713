/// A range of IP addresses, written as one address or as `address/length` (RFC 4632).
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// The first address; the bits behind the length are zero.
    package let address: IPAddress
    /// How many leading bits count.
    package let length: Int

    /// Refuses a length that the address does not have, and bits that do not count.
    package init(_ text: String) throws(NameError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2 else { throw Self.malformed }
        address = try IPAddress(String(first))
        let bits = address.bytes.count * 8
        guard parts.count == 2 else {
            length = bits
            return
        }
        guard let length = Int(parts[1]), String(length) == parts[1], (0...bits).contains(length)
        else { throw Self.malformed }
        self.length = length
        for (index, byte) in address.bytes.enumerated() {
            guard byte & ~Self.mask(index, length) == 0 else {
                throw .malformed("must have no bits behind its length")
            }
        }
    }

    /// Whether an address lies in it; one of the other family never does.
    package func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        return zip(address.bytes, other.bytes).enumerated().allSatisfy { index, pair in
            pair.0 == pair.1 & Self.mask(index, length)
        }
    }

    /// Whether all of another range lies in it.
    package func covers(_ other: AddressRange) -> Bool {
        other.length >= length && contains(other.address)
    }

    package var description: String {
        length == address.bytes.count * 8 ? address.description : "\(address)/\(length)"
    }

    private static func mask(_ index: Int, _ length: Int) -> UInt8 {
        let bits = min(8, max(0, length - index * 8))
        return bits == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
    }

    private static let malformed: NameError = .malformed(
        "must be an IP address or a range such as 10.0.0.0/8"
    )
}
