import Wire

/// The 32 bytes of a SHA-256 hash or HMAC, held without an allocation.
package struct SHA256Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// How many bytes a digest has.
    package static let byteCount = 32

    // Big-endian words, so that comparing them in order compares the bytes.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// From exactly 32 bytes, else nil.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(span: bytes.span)
    }

    /// From lower-case or upper-case hexadecimal text of exactly 64 digits, else nil.
    package init?(hex: String) {
        guard hex.utf8.count == 2 * Self.byteCount, let bytes = try? Hex.decode(hex) else {
            return nil
        }
        self.init(bytes)
    }

    init(span: Span<UInt8>) {
        precondition(span.count == Self.byteCount)
        func word(_ start: Int) -> UInt64 {
            var value: UInt64 = 0
            for index in start..<start + 8 { value = value << 8 | UInt64(span[index]) }
            return value
        }
        words = (word(0), word(8), word(16), word(24))
    }

    /// The bytes in order.
    package var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        append(to: &result)
        return result
    }

    /// Lower-case hexadecimal text.
    package var hex: String { Hex.encode(bytes) }

    /// Lower-case hexadecimal text.
    package var description: String { hex }

    /// Appends the bytes in order.
    package func append(to bytes: inout [UInt8]) {
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
    }

    /// Whether both are equal, in time that does not depend on where they differ.
    package func equalsInConstantTime(_ other: SHA256Digest) -> Bool {
        let difference =
            (words.0 ^ other.words.0) | (words.1 ^ other.words.1) | (words.2 ^ other.words.2)
            | (words.3 ^ other.words.3)
        return difference == 0
    }

    /// For look-ups only; secrets are compared with `equalsInConstantTime`.
    package static func == (left: SHA256Digest, right: SHA256Digest) -> Bool {
        left.words == right.words
    }

    /// Orders as the bytes do.
    package static func < (left: SHA256Digest, right: SHA256Digest) -> Bool {
        left.words < right.words
    }

    /// Hashes the bytes.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
