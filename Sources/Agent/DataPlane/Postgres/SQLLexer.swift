import Wire

/// One word of a statement, as PostgreSQL's scanner cuts it.
package struct SQLToken: Equatable, Sendable {
    /// What the scanner takes it for.
    package enum Kind: Equatable, Sendable {
        /// A keyword or a plain name; compared in lower case.
        case word
        /// A name in double quotes; `isPlain` is false for `U&"…"`.
        case quotedName
        /// A string of any spelling; `isPlain` when its value is what stands between the quotes.
        case string
        case number
        /// `$1`.
        case parameter
        /// Any other byte; operators are several of them.
        case sign
    }

    package let kind: Kind
    /// Where it stands, with its quotes.
    package let range: Range<Int>
    /// Whether the value can be read off without decoding anything.
    package var isPlain = true
}

/// Cuts SQL text into words as PostgreSQL's own scanner does (its scan.l), without understanding it.
///
/// What matters is where strings, names and comments end: a reader that is wrong about it can be told
/// one statement and send another. Dollar quotes, nested comments, escape strings, and strings that
/// go on behind a line break are all known.
package struct SQLLexer: Sendable {
    /// How deep comments may nest.
    package static let commentDepthMax = 64

    private let text: [UInt8]
    private let escapesEverywhere: Bool
    private var position = 0

    /// Reads `text` from its start.
    ///
    /// - Parameters:
    ///   - text: in an encoding in which no byte of a longer character is an ASCII one.
    ///   - standardStrings: the session's `standard_conforming_strings`; without it backslashes
    ///     escape in every string.
    package init(_ text: [UInt8], standardStrings: Bool) {
        self.text = text
        escapesEverywhere = !standardStrings
    }

    /// The next word, nil at the end.
    package mutating func next() throws(SQLFault) -> SQLToken? {
        try skipBlanks()
        guard let byte = byte(at: position) else { return nil }
        let start = position
        switch byte {
        case 0: throw .controlByte
        case UInt8(ascii: "'"):
            return try string(from: start, quote: start, escapes: escapesEverywhere, isPlain: true)
        case UInt8(ascii: "\""): return try quotedName(from: start, quote: start, isPlain: true)
        case UInt8(ascii: "$"): return try dollar(from: start)
        case 0x30...0x39: return try number(from: start)
        case UInt8(ascii: ".") where isDigit(self.byte(at: start + 1)):
            return try number(from: start)
        case _ where Self.beginsWord(byte):
            if let token = try prefixed(byte, from: start) { return token }
            position = end(from: start + 1, while: Self.continuesWord)
            return SQLToken(kind: .word, range: start..<position)
        default:
            position += 1
            return SQLToken(kind: .sign, range: start..<position)
        }
    }

    private func byte(at index: Int) -> UInt8? { index < text.count ? text[index] : nil }

    private func end(from start: Int, while belongs: (UInt8) -> Bool) -> Int {
        var index = start
        while let byte = byte(at: index), belongs(byte) { index += 1 }
        return index
    }
}

// Blanks and comments.
extension SQLLexer {
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || 0x09...0x0D ~= byte }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }

    private mutating func skipBlanks() throws(SQLFault) {
        while let byte = byte(at: position) {
            if Self.isBlank(byte) {
                position += 1
            } else if isLineComment(at: position) {
                position = end(from: position) { !Self.isLineEnd($0) }
            } else if byte == UInt8(ascii: "/"), self.byte(at: position + 1) == UInt8(ascii: "*") {
                try skipComment()
            } else {
                return
            }
        }
    }

    private func isLineComment(at index: Int) -> Bool {
        byte(at: index) == UInt8(ascii: "-") && byte(at: index + 1) == UInt8(ascii: "-")
    }

    private mutating func skipComment() throws(SQLFault) {
        var depth = 0
        while let byte = byte(at: position) {
            let next = self.byte(at: position + 1)
            if byte == UInt8(ascii: "/"), next == UInt8(ascii: "*") {
                depth += 1
                guard depth <= Self.commentDepthMax else { throw .nestingTooDeep }
                position += 2
            } else if byte == UInt8(ascii: "*"), next == UInt8(ascii: "/") {
                depth -= 1
                position += 2
                if depth == 0 { return }
            } else {
                guard byte != 0 else { throw .controlByte }
                position += 1
            }
        }
        throw .unterminated
    }
}

// Strings and quoted names.
extension SQLLexer {
    /// A string or name whose first letter is a prefix: `E''`, `N''`, `B''`, `X''`, `U&''`, `U&""`.
    private mutating func prefixed(
        _ letter: UInt8,
        from start: Int
    ) throws(SQLFault) -> SQLToken? {
        let next = byte(at: start + 1)
        switch letter | 0x20 {
        case UInt8(ascii: "e") where next == UInt8(ascii: "'"):
            return try string(from: start, quote: start + 1, escapes: true, isPlain: false)
        case UInt8(ascii: "n") where next == UInt8(ascii: "'"):
            return try string(
                from: start,
                quote: start + 1,
                escapes: escapesEverywhere,
                isPlain: false
            )
        case UInt8(ascii: "b") where next == UInt8(ascii: "'"),
            UInt8(ascii: "x") where next == UInt8(ascii: "'"):
            return try string(from: start, quote: start + 1, escapes: false, isPlain: false)
        case UInt8(ascii: "u") where next == UInt8(ascii: "&"):
            switch byte(at: start + 2) {
            case UInt8(ascii: "'"):
                return try string(from: start, quote: start + 2, escapes: false, isPlain: false)
            case UInt8(ascii: "\""):
                return try quotedName(from: start, quote: start + 2, isPlain: false)
            default: return nil
            }
        default: return nil
        }
    }

    /// A string with all that goes on behind a line break.
    private mutating func string(
        from start: Int,
        quote: Int,
        escapes: Bool,
        isPlain: Bool
    ) throws(SQLFault) -> SQLToken {
        var isPlain = isPlain
        position = quote + 1
        while let byte = byte(at: position) {
            switch byte {
            case 0: throw .controlByte
            case UInt8(ascii: "\\"):
                isPlain = false
                // What follows is taken with it, a quote too.
                position += escapes ? 2 : 1
            case UInt8(ascii: "'"):
                if self.byte(at: position + 1) == UInt8(ascii: "'") {
                    isPlain = false
                    position += 2
                } else if let next = continuation(from: position + 1) {
                    isPlain = false
                    position = next
                } else {
                    position += 1
                    return SQLToken(kind: .string, range: start..<position, isPlain: isPlain)
                }
            default: position += 1
            }
        }
        throw .unterminated
    }

    /// Where a string goes on whose quote was closed: behind a quote on a later line, with nothing
    /// between but blanks and comments to the end of a line.
    private func continuation(from start: Int) -> Int? {
        var index = start
        var hasLineEnd = false
        while let byte = byte(at: index) {
            if Self.isBlank(byte) {
                hasLineEnd = hasLineEnd || Self.isLineEnd(byte)
                index += 1
            } else if isLineComment(at: index) {
                index = end(from: index) { !Self.isLineEnd($0) }
            } else {
                return byte == UInt8(ascii: "'") && hasLineEnd ? index + 1 : nil
            }
        }
        return nil
    }

    private mutating func quotedName(
        from start: Int,
        quote: Int,
        isPlain: Bool
    ) throws(SQLFault) -> SQLToken {
        position = quote + 1
        while let byte = byte(at: position) {
            guard byte != 0 else { throw .controlByte }
            position += 1
            guard byte == UInt8(ascii: "\"") else { continue }
            guard self.byte(at: position) == UInt8(ascii: "\"") else {
                return SQLToken(kind: .quotedName, range: start..<position, isPlain: isPlain)
            }
            position += 1
        }
        throw .unterminated
    }

    /// A parameter, a dollar-quoted string, or the sign alone.
    private mutating func dollar(from start: Int) throws(SQLFault) -> SQLToken {
        if isDigit(byte(at: start + 1)) {
            position = end(from: start + 1) { 0x30...0x39 ~= $0 }
            return SQLToken(kind: .parameter, range: start..<position)
        }
        var tagEnd = start + 1
        if let first = byte(at: tagEnd), Self.beginsWord(first) {
            tagEnd = end(from: tagEnd) { Self.continuesWord($0) && $0 != UInt8(ascii: "$") }
        }
        guard byte(at: tagEnd) == UInt8(ascii: "$") else {
            position = start + 1
            return SQLToken(kind: .sign, range: start..<position)
        }
        let mark = text[start...tagEnd]
        var index = tagEnd + 1
        while let byte = byte(at: index) {
            guard byte != 0 else { throw .controlByte }
            if byte == UInt8(ascii: "$"), text[index...].starts(with: mark) {
                position = index + mark.count
                return SQLToken(kind: .string, range: start..<position, isPlain: false)
            }
            index += 1
        }
        throw .unterminated
    }
}

// Words and numbers.
extension SQLLexer {
    private static func beginsWord(_ byte: UInt8) -> Bool {
        0x41...0x5A ~= byte || 0x61...0x7A ~= byte || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    private static func continuesWord(_ byte: UInt8) -> Bool {
        beginsWord(byte) || 0x30...0x39 ~= byte || byte == UInt8(ascii: "$")
    }

    private func isDigit(_ byte: UInt8?) -> Bool { byte.map { 0x30...0x39 ~= $0 } ?? false }

    /// A number; letters right behind it are a word of their own, as older servers read them.
    ///
    /// Groups of digits and other bases are words behind a digit to servers before 16, and such a word
    /// goes on with what follows, a dollar sign included, where to newer ones a string may begin.
    private mutating func number(from start: Int) throws(SQLFault) -> SQLToken {
        let token = plainNumber(from: start)
        guard let last = text[token.range].last(where: { !isDigit($0) }),
            last != UInt8(ascii: "."), let next = byte(at: position), Self.continuesWord(next)
        else { return token }
        throw .ambiguousNumber
    }

    private mutating func plainNumber(from start: Int) -> SQLToken {
        position = start
        if byte(at: start) == UInt8(ascii: "0"), let letter = byte(at: start + 1) {
            let isDigit: (UInt8) -> Bool
            switch letter | 0x20 {
            case UInt8(ascii: "x"):
                isDigit = { 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 | 0x20 || $0 == 0x5F }
            case UInt8(ascii: "o"): isDigit = { 0x30...0x37 ~= $0 || $0 == 0x5F }
            case UInt8(ascii: "b"): isDigit = { 0x30...0x31 ~= $0 || $0 == 0x5F }
            default: isDigit = { _ in false }
            }
            let end = end(from: start + 2, while: isDigit)
            if end > start + 2 {
                position = end
                return SQLToken(kind: .number, range: start..<position)
            }
        }
        skipDigits()
        if byte(at: position) == UInt8(ascii: "."), byte(at: position + 1) != UInt8(ascii: ".") {
            position += 1
            skipDigits()
        }
        if let letter = byte(at: position), letter | 0x20 == UInt8(ascii: "e") {
            let sign = byte(at: position + 1)
            let hasSign = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")
            if isDigit(byte(at: position + (hasSign ? 2 : 1))) {
                position += hasSign ? 2 : 1
                skipDigits()
            }
        }
        return SQLToken(kind: .number, range: start..<position)
    }

    private mutating func skipDigits() {
        while let byte = byte(at: position) {
            let isGroup = byte == UInt8(ascii: "_") && isDigit(self.byte(at: position + 1))
            guard isGroup || isDigit(byte) else { return }
            position += 1
        }
    }
}

/// Why a text is no SQL, whatever it means.
package enum SQLFault: Error, Equatable, Sendable {
    /// A string, name or comment without an end.
    case unterminated
    /// Comments within comments within comments.
    case nestingTooDeep
    /// A NUL.
    case controlByte
    /// A number that servers of different versions end at different places.
    case ambiguousNumber
    case tooManyStatements
}
