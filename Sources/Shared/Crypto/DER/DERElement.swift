/// One element of a DER encoding, as ranges of the bytes that it stands in.
struct DERElement: Sendable {
    let tag: UInt8
    let source: [UInt8]
    /// Identifier, length and contents.
    let range: Range<Int>
    /// The contents alone.
    let contentRange: Range<Int>

    var content: ArraySlice<UInt8> { source[contentRange] }
    var encoded: ArraySlice<UInt8> { source[range] }
    var isEmpty: Bool { contentRange.isEmpty }

    /// The first byte of the contents, for error messages.
    var offset: Int { contentRange.lowerBound }

    /// The contents of a BOOLEAN; DER allows 0x00 and 0xFF only.
    func boolean() throws(DERError) -> Bool {
        guard contentRange.count == 1 else { throw DERError(offset, "a BOOLEAN has one byte") }
        switch source[offset] {
        case 0x00: return false
        case 0xFF: return true
        default: throw DERError(offset, "a BOOLEAN is 00 or FF")
        }
    }

    /// The contents of an INTEGER with the shortest encoding, sign byte included.
    func integer() throws(DERError) -> ArraySlice<UInt8> {
        guard let first = content.first else { throw DERError(offset, "an INTEGER has no bytes") }
        if contentRange.count > 1 {
            let second = source[offset + 1]
            let isPadded = first == 0x00 && second < 0x80 || first == 0xFF && second >= 0x80
            guard !isPadded else { throw DERError(offset, "an INTEGER has needless bytes") }
        }
        return content
    }

    /// The magnitude of a non-negative INTEGER, without leading zeros (empty for zero).
    func magnitude() throws(DERError) -> ArraySlice<UInt8> {
        let bytes = try integer()
        guard let first = bytes.first, first < 0x80 else {
            throw DERError(offset, "an INTEGER that counts is negative")
        }
        return first == 0 ? bytes.dropFirst() : bytes
    }

    /// A non-negative INTEGER of at most 31 bits.
    func smallInteger() throws(DERError) -> Int {
        let bytes = try magnitude()
        guard bytes.count < 4 || bytes.count == 4 && bytes[bytes.startIndex] < 0x80 else {
            throw DERError(offset, "an INTEGER is too large")
        }
        return bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    /// The contents of an OBJECT IDENTIFIER, each number in its shortest encoding (X.690 §8.19.2).
    func objectIdentifier() throws(DERError) -> ArraySlice<UInt8> {
        var isAtStart = true
        for byte in content {
            guard !isAtStart || byte != 0x80 else {
                throw DERError(offset, "an OBJECT IDENTIFIER has needless bytes")
            }
            isAtStart = byte < 0x80
        }
        guard isAtStart, !isEmpty else {
            throw DERError(offset, "an OBJECT IDENTIFIER is cut short")
        }
        return content
    }

    /// The contents of a BIT STRING of whole bytes.
    func bitStringBytes() throws(DERError) -> ArraySlice<UInt8> {
        guard content.first == 0 else {
            throw DERError(offset, "a BIT STRING of whole bytes is needed")
        }
        return content.dropFirst()
    }

    /// The first 16 bits of a BIT STRING of named bits, bit 0 first (RFC 5280 uses at most nine).
    func namedBits() throws(DERError) -> UInt16 {
        guard let unused = content.first, unused < 8, contentRange.count <= 3 else {
            throw DERError(offset, "a BIT STRING of named bits has 0 to 2 bytes")
        }
        let bytes = content.dropFirst()
        guard let last = bytes.last else {
            guard unused == 0 else { throw DERError(offset, "an empty BIT STRING has spare bits") }
            return 0
        }
        // DER drops trailing zero bits, so the last bit that counts is a one (X.690 §11.2.2).
        guard last & ((1 << unused) - 1) == 0, last >> unused & 1 == 1 else {
            throw DERError(offset, "a BIT STRING of named bits has trailing zeros")
        }
        var bits: UInt16 = 0
        for (index, byte) in bytes.enumerated() { bits |= UInt16(byte) << (index == 0 ? 8 : 0) }
        return bits
    }
}
