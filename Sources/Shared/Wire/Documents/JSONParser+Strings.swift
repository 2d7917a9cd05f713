extension JSONParser {
    /// Reads the string whose opening quote is at `offset`.
    mutating func string() throws(DocumentError) -> String {
        let start = offset + 1
        let end = plainEnd(from: start)
        guard end < bytes.count else { throw notClosed() }
        switch bytes[end] {
        case 0x22:
            let text = try text(bytes, start..<end)
            offset = end + 1
            return text
        case 0x5C: return try escapedString(from: start, to: end)
        default: throw rawControl(at: end)
        }
    }

    /// Where the bytes end that stand for themselves.
    private func plainEnd(from start: Int) -> Int {
        let span = bytes.span
        var index = start
        while index < span.count {
            let byte = span[index]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 { break }
            index += 1
        }
        return index
    }

    private func notClosed() -> DocumentError {
        error(at: offset, "the string is not closed", "end it with a double quote")
    }

    private mutating func escapedString(
        from start: Int,
        to firstEscape: Int
    ) throws(DocumentError) -> String {
        hasEscapes = true
        var unescaped = Array(bytes[start..<firstEscape])
        var index = firstEscape
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case 0x22:
                let text = try text(unescaped, 0..<unescaped.count)
                offset = index + 1
                return text
            case 0x5C: index = try appendEscape(at: index, to: &unescaped)
            case 0..<0x20: throw rawControl(at: index)
            default:
                unescaped.append(byte)
                index += 1
            }
        }
        throw notClosed()
    }

    /// Appends what the escape at `index` stands for and returns where it ends.
    private func appendEscape(
        at index: Int,
        to text: inout [UInt8]
    ) throws(DocumentError) -> Int {
        guard index + 1 < bytes.count else { throw wrongEscape(at: index) }
        switch bytes[index + 1] {
        case 0x22, 0x5C, 0x2F: text.append(bytes[index + 1])
        case 0x62: text.append(0x08)
        case 0x66: text.append(0x0C)
        case 0x6E: text.append(0x0A)
        case 0x72: text.append(0x0D)
        case 0x74: text.append(0x09)
        case 0x75: return try appendUnicodeEscape(at: index, to: &text)
        default: throw wrongEscape(at: index)
        }
        return index + 2
    }

    private func appendUnicodeEscape(
        at index: Int,
        to text: inout [UInt8]
    ) throws(DocumentError) -> Int {
        let first = try hexDigits(at: index)
        var value = first
        var end = index + 6
        if 0xD800...0xDBFF ~= first, end + 1 < bytes.count, bytes[end] == 0x5C,
            bytes[end + 1] == 0x75
        {
            let second = try hexDigits(at: end)
            if 0xDC00...0xDFFF ~= second {
                value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
                end += 6
            }
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw error(
                at: index,
                "half of a surrogate pair stands alone",
                "write both halves or the character itself"
            )
        }
        text.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        return end
    }

    private func hexDigits(at escape: Int) throws(DocumentError) -> UInt32 {
        guard escape + 6 <= bytes.count else { throw wrongEscape(at: escape) }
        var value: UInt32 = 0
        for index in escape + 2..<escape + 6 {
            guard let digit = Hex.value(of: bytes[index]) else { throw wrongEscape(at: escape) }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private func text(
        _ bytes: [UInt8],
        _ range: Range<Int>
    ) throws(DocumentError) -> String {
        guard let valid = try? UTF8Span(validating: bytes.span.extracting(range)) else {
            throw error(at: offset, "the string is not valid UTF-8", "save the text as UTF-8")
        }
        return String(copying: valid)
    }

    private func rawControl(at index: Int) -> DocumentError {
        bytes[index] == 0x0A || bytes[index] == 0x0D
            ? error(at: offset, "the string does not end on its line", "write \\n for a new line")
            : error(
                at: index,
                "a control character stands in a string",
                "write it as an escape such as \\t or \\u0001"
            )
    }

    private func wrongEscape(at index: Int) -> DocumentError {
        error(
            at: index,
            "this escape does not exist",
            "the escapes are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hex digits"
        )
    }
}
