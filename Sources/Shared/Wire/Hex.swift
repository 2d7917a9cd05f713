/// Hexadecimal text of bytes (RFC 4648 §8).
package enum Hex {
    /// Lower-case digits, two per byte.
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 15))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads pairs of digits; upper case is refused unless `allowingUppercase`.
    package static func decode(
        _ text: String,
        allowingUppercase: Bool = true
    ) throws(WireError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        var offset = 0
        for character in text.utf8 {
            guard let value = value(of: character, allowingUppercase: allowingUppercase) else {
                throw .malformed(
                    format: "hex",
                    offset: offset,
                    problem: "only the digits 0-9 and a-f are allowed"
                )
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
            offset += 1
        }
        guard high == nil else {
            throw .malformed(format: "hex", offset: offset, problem: "the digits must be in pairs")
        }
        return bytes
    }

    /// The lower-case digit of the low four bits.
    package static func digit(_ value: UInt8) -> UInt8 {
        let low = value & 15
        return low < 10 ? 0x30 + low : 0x57 + low
    }

    /// The value of one digit, or nil for what is none.
    package static func value(of character: UInt8, allowingUppercase: Bool = true) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x61...0x66: character - 0x57
        case 0x41...0x46 where allowingUppercase: character - 0x37
        default: nil
        }
    }
}
