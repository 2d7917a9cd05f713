/// Recursive descent over the lines of a YAML text.
///
/// The current line is a value that is changed while it is read: after `- ` the rest of the line
/// counts as a line of its own whose indentation is its column, which is what makes the compact
/// forms work without rules of their own.
struct YAMLParser {
    /// A line with something on it, or what is left of it.
    struct Line {
        /// Where the whole line starts and where it ends, without its line break.
        let start: Int
        let end: Int
        let number: Int
        /// Where what is left starts.
        var content: Int
        /// The column of the content, counted from 0: what nesting is compared by.
        var indent: Int { content - start }
    }

    private static let keysComparedMax = 12

    let bytes: [UInt8]
    let source: String
    let limits: DocumentLimits
    private var nodes = 0
    private var nextStart = 0
    private var nextNumber = 1
    /// The line that is being read; nil at the end of the text.
    private(set) var line: Line?
    /// Whether the current line is a `---`.
    private var isAtMarker = false

    init(bytes: [UInt8], source: String, limits: DocumentLimits) throws(DocumentError) {
        self.bytes = bytes
        self.source = source
        self.limits = limits
        guard bytes.count <= limits.bytes.bytes else {
            throw error(at: 0, "the text is too large", "at most \(limits.bytes) are allowed")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw error(at: 0, "the text starts with a byte order mark", "save it without one")
        }
        if Text.decode(bytes) == nil {
            throw error(at: 0, "the text is not valid UTF-8", "save it as UTF-8")
        }
    }

    mutating func documents() throws(DocumentError) -> [Document] {
        if let json = wholeJSON() { return [json] }
        try advance()
        var documents: [Document] = []
        while line != nil {
            if isAtMarker {
                try advance()
                continue
            }
            documents.append(try value(depth: 0))
            guard line == nil || isAtMarker else {
                throw unexpectedIndentation()
            }
        }
        return documents
    }

    /// The text as one JSON value, whose white space may hold the tabs that YAML lines may not.
    private func wholeJSON() -> Document? {
        let first = bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
        guard first == 0x7B || first == 0x5B || first == 0x22 else { return nil }
        return try? JSON.parse(bytes, source: source, limits: limits)
    }

    // MARK: Structure

    /// Reads the value that begins at the current content and leaves the line after it current.
    private mutating func value(depth: Int) throws(DocumentError) -> Document {
        guard let line else { return .null }
        let position = position(of: line.content)
        if isListItem(line) {
            return Document(.list(try list(indent: line.indent, depth: depth + 1)), at: position)
        }
        if let key = try key(of: line) {
            let entries = try map(startingWith: key, indent: line.indent, depth: depth + 1)
            return Document(.map(entries), at: position)
        }
        return try scalarOrFlow(depth: depth)
    }

    private mutating func list(indent: Int, depth: Int) throws(DocumentError) -> [Document] {
        try enter(depth)
        var items: [Document] = []
        while let line, !isAtMarker, line.indent == indent, isListItem(line) {
            let position = position(of: line.content)
            if try step(over: line.content + 1) {
                items.append(try value(depth: depth))
            } else {
                try advance()
                items.append(try nested(below: indent, at: position, depth: depth))
            }
            try refuseDeeper(than: indent)
        }
        return items
    }

    private mutating func map(
        startingWith first: YAMLKey,
        indent: Int,
        depth: Int
    ) throws(DocumentError) -> [Document.Entry] {
        try enter(depth)
        var entries: [Document.Entry] = []
        var seen: Set<String> = []
        var key = first
        while true {
            guard isNew(key.text, entries, &seen) else {
                throw error(
                    at: key.offset,
                    "this key was given before",
                    "give every key once in a map"
                )
            }
            let keyPosition = position(of: key.offset)
            let value: Document
            if try step(over: key.end) {
                value = try inlineValue(depth: depth)
            } else {
                try advance()
                value = try valueOfEmptyKey(indent: indent, at: keyPosition, depth: depth)
            }
            entries.append(
                Document.Entry(key: key.text, keyPosition: keyPosition, value: value)
            )
            try refuseDeeper(than: indent)
            guard let line, !isAtMarker, line.indent == indent else { return entries }
            guard !isListItem(line), let next = try self.key(of: line) else {
                throw missingKey(line)
            }
            key = next
        }
    }

    /// Reads what stands on the lines below a key; a list may stand at the key's own indentation.
    private mutating func valueOfEmptyKey(
        indent: Int,
        at position: SourcePosition,
        depth: Int
    ) throws(DocumentError) -> Document {
        if let line, !isAtMarker, line.indent == indent, isListItem(line) {
            let start = self.position(of: line.content)
            return Document(.list(try list(indent: indent, depth: depth + 1)), at: start)
        }
        return try nested(below: indent, at: position, depth: depth)
    }

    /// Reads the value on deeper lines, or null when there is none.
    private mutating func nested(
        below indent: Int,
        at position: SourcePosition,
        depth: Int
    ) throws(DocumentError) -> Document {
        guard let line, !isAtMarker, line.indent > indent else {
            try count(at: nextStart)
            return Document(.null, at: position)
        }
        return try value(depth: depth)
    }

    /// Reads the value on the line of its key, where no list or map may begin.
    private mutating func inlineValue(depth: Int) throws(DocumentError) -> Document {
        if let line, isListItem(line) {
            throw error(
                at: line.content,
                "a list cannot begin on the line of its key",
                "start it on the next line, or put the text in quotes"
            )
        }
        if let line, let inner = try key(of: line) {
            throw error(
                at: inner.offset,
                "a second colon makes this ambiguous",
                "put the value in quotes, or start the inner map on the next line"
            )
        }
        return try scalarOrFlow(depth: depth)
    }

    private mutating func scalarOrFlow(depth: Int) throws(DocumentError) -> Document {
        guard let line else { return .null }
        if bytes[line.content] == 0x7B || bytes[line.content] == 0x5B {
            return try flow(line, depth: depth)
        }
        let position = position(of: line.content)
        try count(at: line.content)
        let scalar = try scalar(of: line)
        try advance()
        return Document(scalar, at: position)
    }

    /// Reads a JSON map or list, which may go on over several lines.
    private mutating func flow(_ line: Line, depth: Int) throws(DocumentError) -> Document {
        var parser = try JSONParser(bytes: bytes, source: source, limits: limits)
        parser.offset = line.content
        parser.line = line.number
        parser.lineStart = line.start
        parser.nodes = nodes
        let document: Document
        do throws(DocumentError) {
            document = try parser.value(depth: depth)
        } catch {
            throw DocumentError(
                source: source,
                position: error.position,
                problem: error.problem,
                hint: error.hint + " (between brackets only valid JSON is accepted)"
            )
        }
        nodes = parser.nodes
        let last = makeLine(start: parser.lineStart, number: parser.line)
        self.line = last
        follow(last)
        guard try !step(over: parser.offset) else {
            throw error(
                at: self.line?.content ?? parser.offset,
                "something follows the closing bracket",
                "only a comment may follow on this line"
            )
        }
        try advance()
        return document
    }

    // MARK: Lines

    /// Makes the next line that holds more than a comment current.
    private mutating func advance() throws(DocumentError) {
        line = nil
        isAtMarker = false
        while nextStart < bytes.count {
            var next = makeLine(start: nextStart, number: nextNumber)
            follow(next)
            while next.content < next.end, bytes[next.content] == 0x20 { next.content += 1 }
            guard next.content < next.end, bytes[next.content] != 0x23 else { continue }
            line = next
            try inspect(next)
            return
        }
    }

    /// Refuses lines that belong to no document, and recognises `---`.
    private mutating func inspect(_ next: Line) throws(DocumentError) {
        if bytes[next.content] == 0x09 {
            let isBlank = bytes[next.content..<next.end].allSatisfy { $0 == 0x09 || $0 == 0x20 }
            throw error(
                at: next.content,
                isBlank ? "an empty line holds a tab" : "a tab is used for indentation",
                isBlank ? "remove it" : "indent with spaces"
            )
        }
        guard next.indent == 0 else { return }
        if bytes[next.content] == 0x25 {
            throw error(
                at: next.content,
                "directives are not accepted",
                "remove the line, or put a text that starts with % in quotes"
            )
        }
        let text = bytes[next.content..<next.end]
        if text.elementsEqual("...".utf8) {
            throw error(at: next.content, "'...' is not accepted", "separate documents with ---")
        }
        guard text.starts(with: "---".utf8) else { return }
        guard text.count > 3 else {
            isAtMarker = true
            return
        }
        guard bytes[next.content + 3] == 0x20 else { return }
        guard try !step(over: next.content + 3) else {
            throw error(
                at: line?.content ?? next.content,
                "something follows --- on its line",
                "start the document on the next line"
            )
        }
        isAtMarker = true
    }

    private func makeLine(start: Int, number: Int) -> Line {
        var end = start
        while end < bytes.count, bytes[end] != 0x0A { end += 1 }
        if end > start, end < bytes.count, bytes[end - 1] == 0x0D { end -= 1 }
        return Line(start: start, end: end, number: number, content: start)
    }

    /// Makes `advance` go on after `line`.
    private mutating func follow(_ line: Line) {
        let breakLength = line.end < bytes.count && bytes[line.end] == 0x0D ? 2 : 1
        nextStart = min(line.end + breakLength, bytes.count)
        nextNumber = line.number + 1
    }

    /// Moves the content of the current line to what follows `offset`; false when that is nothing.
    private mutating func step(over offset: Int) throws(DocumentError) -> Bool {
        guard var current = line else { return false }
        current.content = offset
        while current.content < current.end, bytes[current.content] == 0x20 { current.content += 1 }
        line = current
        guard current.content < current.end else { return false }
        if bytes[current.content] == 0x09 { throw tab(at: current.content) }
        return !(bytes[current.content] == 0x23 && current.content > offset)
    }

    private func isListItem(_ line: Line) -> Bool {
        guard bytes[line.content] == 0x2D else { return false }
        let next = line.content + 1
        return next >= line.end || bytes[next] == 0x20 || bytes[next] == 0x09
    }

    // MARK: Limits and refusals

    private mutating func count(at offset: Int) throws(DocumentError) {
        nodes += 1
        guard nodes <= limits.nodes else {
            throw error(at: offset, "too many values", "at most \(limits.nodes) are allowed")
        }
    }

    private mutating func enter(_ depth: Int) throws(DocumentError) {
        let offset = line?.content ?? nextStart
        try count(at: offset)
        guard depth <= limits.depth else {
            throw error(
                at: offset,
                "the nesting is too deep",
                "at most \(limits.depth) levels are allowed"
            )
        }
    }

    private func isNew(
        _ key: String,
        _ entries: [Document.Entry],
        _ seen: inout Set<String>
    ) -> Bool {
        if entries.count < Self.keysComparedMax {
            return !entries.contains { $0.key == key }
        }
        if seen.isEmpty { seen = Set(entries.map(\.key)) }
        return seen.insert(key).inserted
    }

    private func refuseDeeper(than indent: Int) throws(DocumentError) {
        guard let line, !isAtMarker, line.indent > indent else { return }
        throw unexpectedIndentation()
    }

    private func unexpectedIndentation() -> DocumentError {
        error(
            at: line?.content ?? 0,
            "this line does not belong to any value above it",
            "align it with the lines of its map or list; write long texts in quotes on one line"
        )
    }

    private func missingKey(_ line: Line) -> DocumentError {
        isListItem(line)
            ? error(
                at: line.content,
                "a list item stands among the keys of a map",
                "indent it below its key"
            )
            : error(
                at: line.content,
                "a key should be here",
                "write key: value, with a space after the colon"
            )
    }

    func position(of offset: Int) -> SourcePosition {
        guard let line else { return SourcePosition(line: nextNumber, column: 1) }
        return SourcePosition(line: line.number, column: offset - line.start + 1)
    }

    func error(at offset: Int, _ problem: String, _ hint: String) -> DocumentError {
        DocumentError(source: source, position: position(of: offset), problem: problem, hint: hint)
    }

    func tab(at offset: Int) -> DocumentError {
        error(
            at: offset,
            "a tab stands outside of quotes",
            "use spaces, or write \\t in double quotes"
        )
    }
}
