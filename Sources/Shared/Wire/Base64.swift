/// Base64 with padding and the standard alphabet (RFC 4648 §4).
package enum Base64 {
    /// Encodes with padding and without line breaks.
    package static func encode(_ bytes: [UInt8]) -> String {
        String(decoding: Base64Alphabet.standard.encode(bytes), as: UTF8.self)
    }

    /// Decodes strictly: no white space, exact padding, zero trailing bits.
    package static func decode(_ text: String) throws(WireError) -> [UInt8] {
        try Base64Alphabet.standard.decode(text.utf8Span.span)
    }
}

/// Base64 with the URL-safe alphabet and without padding (RFC 4648 §5, RFC 7515 §2).
package enum Base64URL {
    /// Encodes without padding and without line breaks.
    package static func encode(_ bytes: [UInt8]) -> String {
        String(decoding: Base64Alphabet.url.encode(bytes), as: UTF8.self)
    }

    /// Decodes strictly: no white space, no padding, zero trailing bits.
    package static func decode(_ text: String) throws(WireError) -> [UInt8] {
        try Base64Alphabet.url.decode(text.utf8Span.span)
    }
}

/// One of the two base64 alphabets with its table, so that both share one strict decoder.
struct Base64Alphabet: Sendable {
    static let standard = Base64Alphabet(last: (0x2B, 0x2F), isPadded: true, name: "base64")
    static let url = Base64Alphabet(last: (0x2D, 0x5F), isPadded: false, name: "base64url")

    private static let invalid: UInt8 = 0xFF
    private static let padding: UInt8 = 0x3D

    private let characters: [UInt8]
    private let values: [UInt8]
    private let isPadded: Bool
    private let name: String

    private init(last: (UInt8, UInt8), isPadded: Bool, name: String) {
        let characters: [UInt8] =
            Array(0x41...0x5A) + Array(0x61...0x7A) + Array(0x30...0x39) + [last.0, last.1]
        var values = [UInt8](repeating: Self.invalid, count: 256)
        for (value, character) in characters.enumerated() {
            values[Int(character)] = UInt8(value)
        }
        self.characters = characters
        self.values = values
        self.isPadded = isPadded
        self.name = name
    }

    func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        encode(bytes, to: &text)
        return text
    }

    func encode(_ bytes: [UInt8], to text: inout [UInt8]) {
        let start = text.count
        text.reserveCapacity(start + (bytes.count / 3 + 1) * 4)
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let first = UInt32(bytes[index])
            let second = left > 1 ? UInt32(bytes[index + 1]) : 0
            let third = left > 2 ? UInt32(bytes[index + 2]) : 0
            let group = first << 16 | second << 8 | third
            text.append(characters[Int(group >> 18 & 63)])
            text.append(characters[Int(group >> 12 & 63)])
            if left > 1 { text.append(characters[Int(group >> 6 & 63)]) }
            if left > 2 { text.append(characters[Int(group & 63)]) }
            index += 3
        }
        while isPadded, (text.count - start) % 4 != 0 { text.append(Self.padding) }
    }

    func decode(_ text: Span<UInt8>) throws(WireError) -> [UInt8] {
        var end = text.count
        if isPadded {
            guard text.count % 4 == 0 else {
                throw malformed(text.count, "the length must be a multiple of four, with padding")
            }
            while end > 0, end > text.count - 2, text[end - 1] == Self.padding { end -= 1 }
        }
        guard end % 4 != 1 else { throw malformed(end, "a single character is left over") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(end / 4 * 3 + 2)
        var group: UInt32 = 0
        var bits = 0
        for index in 0..<end {
            let value = values[Int(text[index])]
            guard value != Self.invalid else {
                throw malformed(index, "this character is not in the alphabet")
            }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
                group &= (1 << UInt32(bits)) - 1
            }
        }
        guard group == 0 else { throw malformed(end, "the trailing bits must be zero") }
        return bytes
    }

    private func malformed(_ offset: Int, _ problem: String) -> WireError {
        .malformed(format: name, offset: offset, problem: problem)
    }
}
