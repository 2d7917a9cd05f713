/// Octet classes of RFC 9110 and RFC 3986, as tests on one byte.
extension UInt8 {
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ",")
    static let slash = UInt8(ascii: "/")
    static let quote = UInt8(ascii: "\"")
    static let percent = UInt8(ascii: "%")

    /// tchar of RFC 9110 section 5.6.2, as two 64-bit rows of a bit map.
    var isTokenCharacter: Bool {
        let row: UInt64
        switch self {
        case 0..<64: row = 0x03FF_6CFA_0000_0000
        case 64..<128: row = 0x57FF_FFFF_C7FF_FFFE
        default: return false
        }
        return (row >> UInt64(self & 63)) & 1 == 1
    }

    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    var isUpperCaseLetter: Bool { self >= 0x41 && self <= 0x5A }
    var isLowerCaseLetter: Bool { self >= 0x61 && self <= 0x7A }
    var isLetter: Bool { isUpperCaseLetter || isLowerCaseLetter }
    var isVisible: Bool { self >= 0x21 && self <= 0x7E }
    var isBlank: Bool { self == .space || self == .tab }

    /// What may stand in a field value: HTAB, SP, VCHAR and obs-text; no other control byte.
    var isFieldValueCharacter: Bool { (self >= 0x20 && self != 0x7F) || self == .tab }

    var lowerCased: UInt8 { isUpperCaseLetter ? self | 0x20 : self }

    var hexDigitValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x41...0x46: self &- 0x37
        case 0x61...0x66: self &- 0x57
        default: nil
        }
    }

    /// What a query may hold raw: visible ASCII but the fragment mark and the delimiters `"`, `<`, `>`.
    ///
    /// Wider than RFC 3986 by the bytes that browsers leave unescaped in a query.
    var isQueryCharacter: Bool {
        switch self {
        case UInt8(ascii: "#"), .quote, UInt8(ascii: "<"), UInt8(ascii: ">"): false
        default: isVisible
        }
    }

    /// What a path may hold raw: a query's bytes but backslash, caret, backtick and braces.
    var isPathCharacter: Bool {
        switch self {
        case UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
            UInt8(ascii: "}"):
            false
        default: isQueryCharacter
        }
    }
}

extension Span where Element == UInt8 {
    /// The first index of `octet` from `start` on, or nil.
    func firstIndex(of octet: UInt8, from start: Int = 0) -> Int? {
        var index = start
        let end = count
        while index < end {
            if self[index] == octet { return index }
            index &+= 1
        }
        return nil
    }

    /// Whether the bytes equal `text`, which is lower case, without regard to ASCII case.
    func equalsIgnoringCase(_ text: String) -> Bool {
        let expected = text.utf8
        guard expected.count == count else { return false }
        var index = 0
        for octet in expected {
            if self[index].lowerCased != octet { return false }
            index &+= 1
        }
        return true
    }

    /// A copy of the bytes of `range`.
    func bytes(_ range: Range<Int>) -> [UInt8] {
        let part = extracting(range)
        var copy = [UInt8](repeating: 0, count: part.count)
        var target = copy.mutableSpan
        for index in part.indices { target[index] = part[index] }
        return copy
    }

    /// The bytes of `range` as text; invalid UTF-8 shows as U+FFFD.
    func text(_ range: Range<Int>) -> String {
        String(decoding: bytes(range), as: UTF8.self)
    }

    /// `range` without the octets at its ends that satisfy `isTrimmed`.
    func trimmed(_ range: Range<Int>, where isTrimmed: (UInt8) -> Bool) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, isTrimmed(self[lower]) { lower &+= 1 }
        while upper > lower, isTrimmed(self[upper &- 1]) { upper &-= 1 }
        return lower..<upper
    }
}
