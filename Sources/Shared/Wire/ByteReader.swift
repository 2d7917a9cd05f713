/// A cursor over bytes; every read that finds too few throws and leaves the cursor where it was.
package struct ByteReader: Sendable {
    private let bytes: [UInt8]
    private let end: Int

    /// The position of the next byte, counted from the start of the array.
    package private(set) var offset: Int

    /// Reads all of `bytes`.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.offset = 0
        self.end = bytes.count
    }

    /// How many bytes are left.
    package var remaining: Int { end - offset }

    /// Whether nothing is left.
    package var isAtEnd: Bool { offset == end }

    /// The next byte without moving, or nil at the end.
    package var peek: UInt8? { offset < end ? bytes[offset] : nil }

    /// One byte.
    package mutating func readUInt8() throws(WireError) -> UInt8 {
        try UInt8(truncatingIfNeeded: readInteger(1))
    }

    /// Two bytes, big-endian.
    package mutating func readUInt16() throws(WireError) -> UInt16 {
        try UInt16(truncatingIfNeeded: readInteger(2))
    }

    /// Three bytes, big-endian.
    package mutating func readUInt24() throws(WireError) -> UInt32 {
        try UInt32(truncatingIfNeeded: readInteger(3))
    }

    /// Four bytes, big-endian.
    package mutating func readUInt32() throws(WireError) -> UInt32 {
        try UInt32(truncatingIfNeeded: readInteger(4))
    }

    /// Eight bytes, big-endian.
    package mutating func readUInt64() throws(WireError) -> UInt64 {
        try readInteger(8)
    }

    /// Eight bytes, big-endian, two's complement.
    package mutating func readInt64() throws(WireError) -> Int64 {
        try Int64(bitPattern: readInteger(8))
    }

    /// Exactly `count` bytes; a negative count is a shortage too.
    package mutating func readBytes(_ count: Int) throws(WireError) -> [UInt8] {
        try require(count)
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// Moves over `count` bytes.
    package mutating func skip(_ count: Int) throws(WireError) {
        try require(count)
        offset += count
    }

    /// Everything that is left.
    package mutating func readRest() -> [UInt8] {
        defer { offset = end }
        return Array(bytes[offset..<end])
    }

    /// A field whose length is one byte before it.
    package mutating func readPrefixed8() throws(WireError) -> [UInt8] {
        try readPrefixed(1, limit: Int(UInt8.max))
    }

    /// A field whose length is two bytes before it.
    package mutating func readPrefixed16(
        limit: Int = Int(UInt16.max)
    ) throws(WireError) -> [UInt8] {
        try readPrefixed(2, limit: limit)
    }

    /// A field of at most `limit` bytes whose length is four bytes before it.
    package mutating func readPrefixed32(limit: Int) throws(WireError) -> [UInt8] {
        try readPrefixed(4, limit: limit)
    }

    /// A UTF-8 text of at most `limit` bytes whose length is four bytes before it.
    package mutating func readText32(limit: Int) throws(WireError) -> String {
        let start = offset
        let field = try readPrefixed(4, limit: limit)
        guard let text = Text.decode(field) else {
            offset = start
            throw .malformed(format: "text", offset: start, problem: "it must be valid UTF-8")
        }
        return text
    }

    /// Refuses bytes after the end of the value.
    package func expectEnd() throws(WireError) {
        guard isAtEnd else { throw .trailingBytes(count: remaining) }
    }

    private mutating func readPrefixed(_ width: Int, limit: Int) throws(WireError) -> [UInt8] {
        let start = offset
        do throws(WireError) {
            let length = try readInteger(width)
            guard length <= UInt64(max(limit, 0)) else { throw .tooLarge(limit: limit) }
            return try readBytes(Int(length))
        } catch {
            offset = start
            throw error
        }
    }

    private mutating func readInteger(_ width: Int) throws(WireError) -> UInt64 {
        try require(width)
        var value: UInt64 = 0
        for index in offset..<offset + width {
            value = value << 8 | UInt64(bytes[index])
        }
        offset += width
        return value
    }

    private func require(_ count: Int) throws(WireError) {
        guard count >= 0, count <= remaining else {
            throw .truncated(needed: count, available: remaining)
        }
    }
}
