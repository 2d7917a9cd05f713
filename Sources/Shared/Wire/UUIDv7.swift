/// A time-ordered identifier (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits.
package struct UUIDv7: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// How many random bytes one identifier uses.
    package static let randomByteCount = 10

    private let high: UInt64
    private let low: UInt64

    /// From the time and at least `randomByteCount` random bytes; times before 1970 count as 1970.
    package init(timestamp: Timestamp, random: [UInt8]) {
        precondition(random.count >= Self.randomByteCount, "ten random bytes are needed")
        let middle = UInt64(random[0]) << 8 | UInt64(random[1])
        var tail: UInt64 = 0
        for byte in random[2..<10] { tail = tail << 8 | UInt64(byte) }
        self.init(timestamp: timestamp, middle: middle, tail: tail)
    }

    /// From the time and a source of randomness.
    package init(timestamp: Timestamp, using generator: inout some RandomNumberGenerator) {
        self.init(timestamp: timestamp, middle: generator.next(), tail: generator.next())
    }

    private init(timestamp: Timestamp, middle: UInt64, tail: UInt64) {
        let milliseconds = UInt64(max(timestamp.millisecondsSinceEpoch, 0))
        high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (middle & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (tail & 0x3FFF_FFFF_FFFF_FFFF)
    }

    /// From sixteen bytes; any other version or variant is refused.
    package init(bytes: [UInt8]) throws(WireError) {
        guard bytes.count == 16 else {
            throw .truncated(needed: 16, available: bytes.count)
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<8 {
            high = high << 8 | UInt64(bytes[index])
            low = low << 8 | UInt64(bytes[index + 8])
        }
        guard high >> 12 & 15 == 7, low >> 62 == 2 else {
            throw Self.malformed(14, "only version 7 identifiers are used here")
        }
        self.high = high
        self.low = low
    }

    /// From the text form of 36 lower-case characters with dashes.
    package init(parsing text: String) throws(WireError) {
        let characters = Array(text.utf8.prefix(37))
        guard characters.count == 36 else {
            throw Self.malformed(0, "an identifier has 36 characters")
        }
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        for (index, character) in characters.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard character == 0x2D else { throw Self.malformed(index, "a dash belongs here") }
            } else {
                guard let value = Hex.value(of: character, allowingUppercase: false) else {
                    throw Self.malformed(index, "a digit 0-9 or a-f belongs here")
                }
                digits.append(value)
            }
        }
        try self.init(
            bytes: stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        )
    }

    /// The sixteen bytes in network order.
    package var bytes: [UInt8] {
        var writer = ByteWriter(reservingCapacity: 16)
        writer.writeUInt64(high)
        writer.writeUInt64(low)
        return writer.bytes
    }

    /// The time of creation, in milliseconds.
    package var timestamp: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(high >> 16))
    }

    /// The text form of 36 lower-case characters.
    package var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(0x2D) }
            text.append(Hex.digit(byte >> 4))
            text.append(Hex.digit(byte & 15))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Orders by time of creation, then by the random bits.
    package static func < (left: UUIDv7, right: UUIDv7) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    private static func malformed(_ offset: Int, _ problem: String) -> WireError {
        .malformed(format: "UUID", offset: offset, problem: problem)
    }
}
