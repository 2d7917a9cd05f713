/// A key with the offset where it starts and the offset after its colon.
struct YAMLKey {
    let text: String
    let offset: Int
    let end: Int
}

extension YAMLParser {
    /// The key that the line's content begins with, or nil when it is a value.
    func key(of line: Line) throws(DocumentError) -> YAMLKey? {
        let start = line.content
        switch bytes[start] {
        case 0x22, 0x27:
            let (text, end) = try quoted(line)
            var colon = end
            while colon < line.end, bytes[colon] == 0x20 { colon += 1 }
            guard colon < line.end, bytes[colon] == 0x3A else { return nil }
            guard isSeparated(colon, in: line) else {
                throw error(
                    at: colon,
                    "a space is missing after the colon",
                    "write key: value"
                )
            }
            return YAMLKey(text: text, offset: start, end: colon + 1)
        case 0x7B, 0x5B: return nil
        case 0x3F where start + 1 >= line.end || bytes[start + 1] == 0x20:
            throw error(
                at: start,
                "keys that are maps or lists are not accepted",
                "write key: value; put a text that starts with ? in quotes"
            )
        default: return try plainKey(of: line)
        }
    }

    /// The scalar that fills the line's content up to a comment.
    func scalar(of line: Line) throws(DocumentError) -> Document.Node {
        guard bytes[line.content] == 0x22 || bytes[line.content] == 0x27 else {
            return .plain(try plain(line))
        }
        let (text, end) = try quoted(line)
        var rest = end
        while rest < line.end, bytes[rest] == 0x20 { rest += 1 }
        guard rest == line.end || (bytes[rest] == 0x23 && rest > end) else {
            throw error(
                at: rest,
                "something follows the closing quote",
                "put the whole text in quotes; a comment needs a space before #"
            )
        }
        return .string(text)
    }

    private func plainKey(of line: Line) throws(DocumentError) -> YAMLKey? {
        var index = line.content
        while index < line.end {
            if bytes[index] == 0x3A, isSeparated(index, in: line) { break }
            if isComment(index, in: line) { return nil }
            index += 1
        }
        guard index < line.end else { return nil }
        try refuseIndicator(at: line.content, line)
        var end = index
        while end > line.content, bytes[end - 1] == 0x20 { end -= 1 }
        guard end > line.content else {
            throw error(at: index, "the key is missing", "write key: value")
        }
        try refuseControls(line.content..<end)
        let text = String(decoding: bytes[line.content..<end], as: UTF8.self)
        guard text != "<<" else {
            throw error(
                at: line.content,
                "merge keys are not accepted",
                "write the merged fields out"
            )
        }
        return YAMLKey(text: text, offset: line.content, end: index + 1)
    }

    private func plain(_ line: Line) throws(DocumentError) -> String {
        try refuseIndicator(at: line.content, line)
        var end = line.content
        while end < line.end, !isComment(end, in: line) { end += 1 }
        while end > line.content, bytes[end - 1] == 0x20 { end -= 1 }
        try refuseControls(line.content..<end)
        return String(decoding: bytes[line.content..<end], as: UTF8.self)
    }

    /// Reads a scalar in quotes and returns it with the offset after the closing quote.
    private func quoted(_ line: Line) throws(DocumentError) -> (text: String, end: Int) {
        bytes[line.content] == 0x22 ? try doubleQuoted(line) : try singleQuoted(line)
    }

    private func doubleQuoted(_ line: Line) throws(DocumentError) -> (text: String, end: Int) {
        var parser = try JSONParser(bytes: bytes, source: source, limits: limits)
        parser.offset = line.content
        parser.line = line.number
        parser.lineStart = line.start
        let text = try parser.string()
        return (text, parser.offset)
    }

    private func singleQuoted(_ line: Line) throws(DocumentError) -> (text: String, end: Int) {
        var text: [UInt8] = []
        var index = line.content + 1
        while index < line.end {
            if bytes[index] == 0x27 {
                guard index + 1 < line.end, bytes[index + 1] == 0x27 else {
                    return (String(decoding: text, as: UTF8.self), index + 1)
                }
                index += 1
            }
            try refuseControls(index..<index + 1)
            text.append(bytes[index])
            index += 1
        }
        throw error(
            at: line.content,
            "the quote is not closed on its line",
            "end it with ' and write an inner ' twice; in double quotes \\n is a new line"
        )
    }

    private func isSeparated(_ colon: Int, in line: Line) -> Bool {
        colon + 1 >= line.end || bytes[colon + 1] == 0x20 || bytes[colon + 1] == 0x09
    }

    private func isComment(_ index: Int, in line: Line) -> Bool {
        bytes[index] == 0x23 && index > line.start
            && (bytes[index - 1] == 0x20 || bytes[index - 1] == 0x09)
    }

    private func refuseControls(_ range: Range<Int>) throws(DocumentError) {
        for index in range where bytes[index] < 0x20 || bytes[index] == 0x7F {
            if bytes[index] == 0x09 { throw tab(at: index) }
            throw error(
                at: index,
                "a control character stands in the text",
                "write it as an escape in double quotes, such as \\u0001"
            )
        }
    }

    /// Refuses the characters that begin something else than a plain scalar in YAML.
    private func refuseIndicator(at start: Int, _ line: Line) throws(DocumentError) {
        let name: String
        switch bytes[start] {
        case 0x26: name = "anchors (&) are not accepted"
        case 0x2A: name = "aliases (*) are not accepted"
        case 0x21: name = "tags (!) are not accepted"
        case 0x7C, 0x3E:
            throw error(
                at: start,
                "block scalars (| and >) are not accepted",
                "write the text in double quotes on one line, with \\n for new lines"
            )
        case 0x25, 0x40, 0x60, 0x2C, 0x5D, 0x7D:
            name = "a plain text cannot start with this character"
        case 0x23: name = "a text cannot start with #"
        case 0x3A where isSeparated(start, in: line): return
        default: return
        }
        let hint =
            bytes[start] == 0x2A && start + 1 >= line.end
            ? "write \"*\"" : "put the text in quotes if it is meant as text"
        throw error(at: start, name, hint)
    }
}
