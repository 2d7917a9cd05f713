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

    /// From hexadecimal text of exactly 64 digits, in lower case unless `allowingUppercase`, else
    /// nil.
    package init?(hex: String, allowingUppercase: Bool = true) {
        let digits = hex.utf8Span.span
        guard digits.count == 2 * Self.byteCount else { return nil }
        var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        for index in digits.indices {
            guard
                let value = Hex.value(of: digits[index], allowingUppercase: allowingUppercase)
            else { return nil }
            switch index >> 4 {
            case 0: words.0 = words.0 << 4 | UInt64(value)
            case 1: words.1 = words.1 << 4 | UInt64(value)
            case 2: words.2 = words.2 << 4 | UInt64(value)
            default: words.3 = words.3 << 4 | UInt64(value)
            }
        }
        self.words = words
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
    package var hex: String {
        unsafe String(unsafeUninitializedCapacity: 2 * Self.byteCount) { text in
            for index in 0..<2 * Self.byteCount {
                let word =
                    switch index >> 4 {
                    case 0: words.0
                    case 1: words.1
                    case 2: words.2
                    default: words.3
                    }
                let shift = UInt64(60 - 4 * (index & 15))
                unsafe text[index] = Hex.digit(UInt8(truncatingIfNeeded: word >> shift))
            }
            return 2 * Self.byteCount
        }
    }

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
