/// Cuts Swift into tokens, so that no rule mistakes a string or a comment for code.
///
/// It knows strings (raw, multi-line, interpolated) and nested comments. It does not know regex literals, which the
/// house does not use: patterns that backtrack have no place where peers supply the text.
struct Lexer {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var tokens: [Token] = []

    static func tokens(of text: String) -> [Token] {
        var lexer = Lexer(bytes: Array(text.utf8))
        lexer.readCode(untilClosingParenthesis: false)
        return lexer.tokens
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func byte(_ offset: Int = 0) -> UInt8 {
        position + offset < bytes.count ? bytes[position + offset] : 0
    }

    private mutating func readCode(untilClosingParenthesis isInterpolation: Bool) {
        var depth = 0
        var followsBlank = true
        while position < bytes.count {
            let current = byte()
            switch current {
            case UInt8(ascii: "\n"):
                line += 1
                position += 1
                followsBlank = true
                continue
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                position += 1
                followsBlank = true
                continue
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
                readLineComment(followsBlank)
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"):
                readBlockComment(followsBlank)
            case UInt8(ascii: "\""):
                readString(hashes: 0, followsBlank)
            case UInt8(ascii: "#") where hashesBeforeQuote > 0:
                readString(hashes: hashesBeforeQuote, followsBlank)
            case _ where Self.isWordByte(current):
                readWord(followsBlank)
            default:
                if isInterpolation {
                    if current == UInt8(ascii: "(") { depth += 1 }
                    if current == UInt8(ascii: ")") {
                        if depth == 0 { return }
                        depth -= 1
                    }
                }
                append(.sign, from: position, to: position + 1, followsBlank)
                position += 1
            }
            followsBlank = false
        }
    }

    private var hashesBeforeQuote: Int {
        var count = 0
        while byte(count) == UInt8(ascii: "#") { count += 1 }
        return byte(count) == UInt8(ascii: "\"") ? count : 0
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "`"),
            UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }

    private mutating func append(_ kind: Token.Kind, from: Int, to: Int, _ followsBlank: Bool) {
        tokens.append(
            Token(
                kind: kind,
                text: String(decoding: bytes[from..<to], as: UTF8.self),
                line: line,
                lastLine: line,
                followsBlank: followsBlank
            )
        )
    }

    private mutating func readWord(_ followsBlank: Bool) {
        let start = position
        while Self.isWordByte(byte()) { position += 1 }
        let isNumber = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[start])
        append(isNumber ? .number : .word, from: start, to: position, followsBlank)
    }

    private mutating func readLineComment(_ followsBlank: Bool) {
        let start = position
        while position < bytes.count, byte() != UInt8(ascii: "\n") { position += 1 }
        append(.comment, from: start, to: position, followsBlank)
    }

    private mutating func readBlockComment(_ followsBlank: Bool) {
        let start = position
        let firstLine = line
        var depth = 0
        repeat {
            if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                depth -= 1
                position += 2
            } else {
                if byte() == UInt8(ascii: "\n") { line += 1 }
                position += 1
            }
        } while depth > 0 && position < bytes.count
        append(.comment, from: start, to: min(position, bytes.count), followsBlank)
        tokens[tokens.count - 1].line = firstLine
    }

    private mutating func readString(hashes: Int, _ followsBlank: Bool) {
        position += hashes
        let isMultiline = byte(1) == UInt8(ascii: "\"") && byte(2) == UInt8(ascii: "\"")
        let quotes = isMultiline ? 3 : 1
        position += quotes
        let place = tokens.count
        append(.literal, from: position, to: position, followsBlank)
        var content: [UInt8] = []
        while position < bytes.count {
            if closesString(quotes: quotes, hashes: hashes) {
                position += quotes + hashes
                break
            }
            if escapes(hashes: hashes) {
                position += 1 + hashes
                content.append(UInt8(ascii: "\\"))
                if byte() == UInt8(ascii: "(") {
                    position += 1
                    readCode(untilClosingParenthesis: true)
                    content.append(contentsOf: Array("()".utf8))
                    position += 1
                    continue
                }
            }
            if byte() == UInt8(ascii: "\n") {
                line += 1
                // An unterminated string is not Swift; stopping here keeps the rest of the file readable.
                if !isMultiline { break }
            }
            content.append(byte())
            position += 1
        }
        tokens[place].text = String(decoding: content, as: UTF8.self)
        tokens[place].lastLine = line
    }

    private func closesString(quotes: Int, hashes: Int) -> Bool {
        (0..<quotes).allSatisfy { byte($0) == UInt8(ascii: "\"") }
            && (quotes..<quotes + hashes).allSatisfy { byte($0) == UInt8(ascii: "#") }
    }

    private func escapes(hashes: Int) -> Bool {
        byte() == UInt8(ascii: "\\")
            && (1..<1 + hashes).allSatisfy { byte($0) == UInt8(ascii: "#") }
    }
}
