/// Recursive descent over the bytes of one JSON text; the YAML parser uses it for flow values.
struct JSONParser {
    /// From this many keys on, duplicates are found with a set instead of by comparison.
    private static let keysComparedMax = 12

    let bytes: [UInt8]
    let source: String
    let limits: DocumentLimits
    var offset = 0
    var line = 1
    var lineStart = 0
    var nodes = 0
    /// Whether there was no white space so far and every map had its keys in order.
    private(set) var isCompactAndSorted = true
    /// Whether a string was spelled with escapes.
    var hasEscapes = false

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
    }

    mutating func document() throws(DocumentError) -> Document {
        skipWhitespace()
        let document = try value(depth: 0)
        skipWhitespace()
        guard offset == bytes.count else {
            throw error(at: offset, "something follows the value", "one text holds one value")
        }
        return document
    }

    /// Reads the value at `offset`, which is not white space.
    mutating func value(depth: Int) throws(DocumentError) -> Document {
        let position = position(of: offset)
        nodes += 1
        guard nodes <= limits.nodes else {
            throw error(at: offset, "too many values", "at most \(limits.nodes) are allowed")
        }
        guard offset < bytes.count else {
            throw error(at: offset, "the text ends where a value should be", Self.valueHint)
        }
        switch bytes[offset] {
        case 0x22: return Document(.string(try string()), at: position)
        case 0x7B: return Document(.map(try map(depth: depth + 1)), at: position)
        case 0x5B: return Document(.list(try list(depth: depth + 1)), at: position)
        case 0x2D, 0x30...0x39: return Document(.number(try number()), at: position)
        case 0x74:
            try literal("true")
            return Document(.bool(true), at: position)
        case 0x66:
            try literal("false")
            return Document(.bool(false), at: position)
        case 0x6E:
            try literal("null")
            return Document(.null, at: position)
        default: throw error(at: offset, "this is not a JSON value", Self.valueHint)
        }
    }

    mutating func skipWhitespace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0D: offset += 1
            case 0x0A:
                offset += 1
                line += 1
                lineStart = offset
            default: return
            }
            isCompactAndSorted = false
        }
    }

    func position(of offset: Int) -> SourcePosition {
        SourcePosition(line: line, column: offset - lineStart + 1)
    }

    func error(at offset: Int, _ problem: String, _ hint: String) -> DocumentError {
        DocumentError(
            source: source,
            position: position(of: offset),
            problem: problem,
            hint: hint
        )
    }

    private static let valueHint =
        "a value is a map, a list, a string in double quotes, a number, true, false or null"

    private mutating func map(depth: Int) throws(DocumentError) -> [Document.Entry] {
        try enter(depth)
        var entries: [Document.Entry] = []
        var seen: Set<String> = []
        if next(is: 0x7D) { return entries }
        entries.reserveCapacity(4)
        while true {
            let keyOffset = offset
            guard offset < bytes.count, bytes[offset] == 0x22 else {
                throw error(
                    at: offset,
                    "a key should be here",
                    "a key is a string in double quotes"
                )
            }
            let keyPosition = position(of: keyOffset)
            let key = try string()
            guard isNew(key, entries, &seen) else {
                throw error(at: keyOffset, "this key was given before", "give every key once")
            }
            if let last = entries.last, !JSONWriter.precedes(last.key, key) {
                isCompactAndSorted = false
            }
            guard next(is: 0x3A) else {
                throw error(at: offset, "a colon should be here", "write a colon after the key")
            }
            let value = try value(depth: depth)
            entries.append(Document.Entry(key: key, keyPosition: keyPosition, value: value))
            skipWhitespace()
            if next(is: 0x2C) { continue }
            if next(is: 0x7D) { return entries }
            throw error(at: offset, "the map is not closed", "write a comma or }")
        }
    }

    private mutating func list(depth: Int) throws(DocumentError) -> [Document] {
        try enter(depth)
        var items: [Document] = []
        if next(is: 0x5D) { return items }
        while true {
            items.append(try value(depth: depth))
            skipWhitespace()
            if next(is: 0x2C) { continue }
            if next(is: 0x5D) { return items }
            throw error(at: offset, "the list is not closed", "write a comma or ]")
        }
    }

    /// Steps over the opening bracket.
    private mutating func enter(_ depth: Int) throws(DocumentError) {
        guard depth <= limits.depth else {
            throw error(
                at: offset,
                "the nesting is too deep",
                "at most \(limits.depth) levels are allowed"
            )
        }
        offset += 1
        skipWhitespace()
    }

    /// Steps over `character` and the white space after it, if it is next.
    private mutating func next(is character: UInt8) -> Bool {
        skipWhitespace()
        guard offset < bytes.count, bytes[offset] == character else { return false }
        let isClosing = character == 0x7D || character == 0x5D
        offset += 1
        if !isClosing { skipWhitespace() }
        return true
    }

    private func isNew(
        _ key: String,
        _ entries: [Document.Entry],
        _ seen: inout Set<String>
    ) -> Bool {
        if entries.count < Self.keysComparedMax {
            for index in entries.indices where entries[index].key == key { return false }
            return true
        }
        if seen.isEmpty { seen = Set(entries.map(\.key)) }
        return seen.insert(key).inserted
    }

    private mutating func literal(_ word: StaticString) throws(DocumentError) {
        let expected = word.description.utf8
        guard bytes[offset...].starts(with: expected) else {
            throw error(at: offset, "this is not a JSON value", Self.valueHint)
        }
        offset += expected.count
    }

    private mutating func number() throws(DocumentError) -> JSONNumber {
        let start = offset
        guard let end = JSONNumber.end(in: bytes.span, from: start) else {
            throw error(
                at: start,
                "this is not a JSON number",
                "write digits such as -1, 0.5 or 1e3, without leading zeros or plus"
            )
        }
        guard end - start <= JSONNumber.textBytesMax else {
            throw error(
                at: start,
                "the number is too long",
                "at most \(JSONNumber.textBytesMax) characters are allowed"
            )
        }
        offset = end
        return JSONNumber(validated: String(decoding: bytes[start..<end], as: UTF8.self))
    }
}
