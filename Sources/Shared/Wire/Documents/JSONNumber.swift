/// A number in the grammar of RFC 8259 §6, kept as its text: no rounding, no infinity, no NaN.
package struct JSONNumber: Hashable, Sendable {
    /// The longest text that is accepted.
    package static let textBytesMax = 256

    /// The number as it was written.
    package let text: String

    /// From an integer.
    package init(_ value: some BinaryInteger) {
        text = String(value)
    }

    /// From a text, or nil when it does not follow the grammar or is too long.
    package init?(text: String) {
        let bytes = Array(text.utf8.prefix(Self.textBytesMax + 1))
        guard bytes.count <= Self.textBytesMax, Self.end(in: bytes.span, from: 0) == bytes.count
        else {
            return nil
        }
        self.text = text
    }

    init(validated text: String) {
        self.text = text
    }

    /// The value when it is written as an integer, without fraction or exponent, of 64 bits.
    package var integer: Int64? {
        text == "-0" ? nil : Int64(text)
    }

    /// The nearest floating-point value; infinite when the number is too large.
    package var double: Double { Double(text) ?? .nan }

    /// Where the number that starts at `start` ends, or nil when there is none.
    static func end(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        if index < bytes.count, bytes[index] == 0x2D { index += 1 }
        guard let integerEnd = digits(in: bytes, from: index) else { return nil }
        guard bytes[index] != 0x30 || integerEnd == index + 1 else { return nil }
        index = integerEnd
        if index < bytes.count, bytes[index] == 0x2E {
            guard let fractionEnd = digits(in: bytes, from: index + 1) else { return nil }
            index = fractionEnd
        }
        if index < bytes.count, bytes[index] | 0x20 == 0x65 {
            index += 1
            if index < bytes.count, bytes[index] == 0x2B || bytes[index] == 0x2D { index += 1 }
            guard let exponentEnd = digits(in: bytes, from: index) else { return nil }
            index = exponentEnd
        }
        return index
    }

    private static func digits(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < bytes.count, 0x30...0x39 ~= bytes[index] { index += 1 }
        return index > start ? index : nil
    }
}
