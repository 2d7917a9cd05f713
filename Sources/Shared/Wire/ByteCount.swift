/// A number of bytes, written `512B`, `64KiB`, `1MiB`.
package struct ByteCount: Comparable, Hashable, Sendable, CustomStringConvertible {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]
    private static let textBytesMax = 32

    /// The number of bytes, never negative.
    package let bytes: Int

    /// From a number of bytes, which must not be negative.
    package init(bytes: Int) {
        precondition(bytes >= 0, "a byte count is not negative")
        self.bytes = bytes
    }

    /// Multiples of 1024 bytes; for constants.
    package static func kibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 10) }

    /// Multiples of 1024 * 1024 bytes; for constants.
    package static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }

    /// Reads one whole number with its unit; a number without a unit is refused.
    package init(parsing text: String) throws(WireError) {
        let bytes = Array(text.utf8.prefix(Self.textBytesMax + 1))
        guard bytes.count <= Self.textBytesMax else { throw .tooLarge(limit: Self.textBytesMax) }
        var number = 0
        var index = 0
        while index < bytes.count, 0x30...0x39 ~= bytes[index] {
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = product.addingReportingOverflow(Int(bytes[index] - 0x30))
            guard !overflow, !sumOverflow else { throw Self.malformed(0) }
            number = sum
            index += 1
        }
        let name = String(decoding: bytes[index...], as: UTF8.self)
        guard index > 0, let unit = Self.units.first(where: { $0.name == name }) else {
            throw Self.malformed(index)
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow else { throw Self.malformed(0) }
        self.bytes = product
    }

    /// The text with the largest unit that divides the count.
    package var description: String {
        for unit in Self.units where bytes > 0 && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "0B"
    }

    /// Orders by size.
    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

    private static func malformed(_ offset: Int) -> WireError {
        .malformed(
            format: "size",
            offset: offset,
            problem: "write a whole number with a unit B, KiB, MiB, GiB or TiB, such as 64KiB"
        )
    }
}
