/// Builds bytes from big-endian integers and length-prefixed fields.
package struct ByteWriter: Sendable {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []

    /// Starts empty; `capacity` only saves reallocation.
    package init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// How many bytes were written.
    package var count: Int { bytes.count }

    /// One byte.
    package mutating func writeUInt8(_ value: UInt8) {
        bytes.append(value)
    }

    /// Two bytes, big-endian.
    package mutating func writeUInt16(_ value: UInt16) {
        writeInteger(UInt64(value), 2)
    }

    /// Three bytes, big-endian; the top byte of `value` must be zero.
    package mutating func writeUInt24(_ value: UInt32) {
        precondition(value >> 24 == 0, "a 24-bit field cannot hold this value")
        writeInteger(UInt64(value), 3)
    }

    /// Four bytes, big-endian.
    package mutating func writeUInt32(_ value: UInt32) {
        writeInteger(UInt64(value), 4)
    }

    /// Eight bytes, big-endian.
    package mutating func writeUInt64(_ value: UInt64) {
        writeInteger(value, 8)
    }

    /// Eight bytes, big-endian, two's complement.
    package mutating func writeInt64(_ value: Int64) {
        writeInteger(UInt64(bitPattern: value), 8)
    }

    /// The bytes as they are.
    package mutating func writeBytes(_ value: [UInt8]) {
        bytes.append(contentsOf: value)
    }

    /// The UTF-8 bytes of `text` as they are, without a length.
    package mutating func writeText(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// A field of at most 255 bytes after its one-byte length.
    package mutating func writePrefixed8(_ value: [UInt8]) throws(WireError) {
        try writePrefixed(value, 1, limit: Int(UInt8.max))
    }

    /// A field of at most 65,535 bytes after its two-byte length.
    package mutating func writePrefixed16(_ value: [UInt8]) throws(WireError) {
        try writePrefixed(value, 2, limit: Int(UInt16.max))
    }

    /// A field after its four-byte length.
    package mutating func writePrefixed32(_ value: [UInt8]) throws(WireError) {
        try writePrefixed(value, 4, limit: Int(UInt32.max))
    }

    /// The UTF-8 bytes of `text` after their four-byte length.
    package mutating func writeText32(_ text: String) throws(WireError) {
        try writePrefixed(Array(text.utf8), 4, limit: Int(UInt32.max))
    }

    private mutating func writePrefixed(
        _ value: [UInt8],
        _ width: Int,
        limit: Int
    ) throws(WireError) {
        guard value.count <= limit else { throw .tooLarge(limit: limit) }
        writeInteger(UInt64(value.count), width)
        bytes.append(contentsOf: value)
    }

    private mutating func writeInteger(_ value: UInt64, _ width: Int) {
        for index in stride(from: width - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }
}
