import Wire

/// Reads HCL's `path "…" { capabilities = ["…"] }` blocks and comments, and nothing else of HCL.
struct PolicyBlockReader {
    private let bytes: [UInt8]
    private var index = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// All blocks up to the end of the text.
    mutating func blocks() throws(PolicyTextError) -> [PathBlock] {
        var blocks: [PathBlock] = []
        try skip()
        while index < bytes.count {
            guard blocks.count < AccessPolicy.rulesMax else {
                throw error("a policy has at most \(AccessPolicy.rulesMax) paths")
            }
            blocks.append(try block())
            try skip()
        }
        return blocks
    }

    private mutating func block() throws(PolicyTextError) -> PathBlock {
        let start = position
        let keyword = try word(quotable: true)
        guard keyword == "path" else { throw error("`path` is expected here", at: start) }
        let place = position
        var block = PathBlock(path: try string(), position: place)
        try expect("{")
        while try !take("}") {
            let start = position
            let name = try word(quotable: true)
            // What follows a word that is not taken may be of any form, so the word is judged first.
            if name != "capabilities" { try block.set(name, [], at: start) }
            try expect("=")
            try block.set(name, try strings(), at: start)
        }
        return block
    }

    private mutating func strings() throws(PolicyTextError) -> [String] {
        try expect("[")
        var texts: [String] = []
        while try !take("]") {
            guard texts.count < Capability.allCases.count * 2 else {
                throw error("the list is too long")
            }
            texts.append(try string())
            if try take("]") { break }
            try expect(",")
        }
        return texts
    }

    // MARK: Tokens

    private var position: SourcePosition {
        let before = bytes[..<index]
        let line = before.count { $0 == 0x0A } + 1
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return SourcePosition(line: line, column: index - start + 1)
    }

    private func error(_ problem: String, at place: SourcePosition? = nil) -> PolicyTextError {
        PolicyTextError(position: place ?? position, problem: problem)
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
        index + offset < bytes.count ? bytes[index + offset] : nil
    }

    /// Passes blanks and comments: `#`, `//` and `/* */`.
    private mutating func skip() throws(PolicyTextError) {
        while let first = byte() {
            if PolicyText.isBlank(first) {
                index += 1
            } else if first == UInt8(ascii: "#")
                || first == UInt8(ascii: "/") && byte(1) == UInt8(ascii: "/")
            {
                while let next = byte(), next != 0x0A { index += 1 }
            } else if first == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                let start = position
                index += 2
                while byte() != UInt8(ascii: "*") || byte(1) != UInt8(ascii: "/") {
                    guard index < bytes.count else {
                        throw error("the comment has no end", at: start)
                    }
                    index += 1
                }
                index += 2
            } else {
                return
            }
        }
    }

    private mutating func take(_ sign: Unicode.Scalar) throws(PolicyTextError) -> Bool {
        try skip()
        guard byte() == UInt8(ascii: sign) else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ sign: Unicode.Scalar) throws(PolicyTextError) {
        guard try take(sign) else { throw error("`\(sign)` is expected here") }
    }

    private mutating func word(quotable: Bool) throws(PolicyTextError) -> String {
        try skip()
        if quotable, byte() == UInt8(ascii: "\"") { return try string() }
        let start = index
        while let next = byte(), Self.isWord(next) { index += 1 }
        guard index > start else { throw error("a name is expected here") }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private mutating func string() throws(PolicyTextError) -> String {
        try skip()
        let start = position
        guard byte() == UInt8(ascii: "\"") else { throw error("a text in quotes is expected here") }
        index += 1
        var text: [UInt8] = []
        while let next = byte(), next != UInt8(ascii: "\"") {
            guard next >= 0x20, next != 0x7F else {
                throw error("the text holds a control character")
            }
            index += 1
            text.append(next == UInt8(ascii: "\\") ? try escaped() : next)
        }
        guard byte() != nil else { throw error("the text has no end", at: start) }
        index += 1
        guard let text = Text.decode(text) else { throw error("the text is not UTF-8", at: start) }
        return text
    }

    private mutating func escaped() throws(PolicyTextError) -> UInt8 {
        let known: [UInt8: UInt8] = [
            UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"),
            UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
        ]
        guard let next = byte(), let plain = known[next] else {
            throw error("only \\\", \\\\, \\n, \\r and \\t are escapes here")
        }
        index += 1
        return plain
    }
}
