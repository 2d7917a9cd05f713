/// Appends documents as JSON.
struct JSONWriter {
    enum Order {
        case sorted
        case given
    }

    enum Layout {
        case compact
        case indented
    }

    let order: Order
    let layout: Layout
    var bytes: [UInt8] = []
    private var depth = 0

    init(order: Order, layout: Layout) {
        self.order = order
        self.layout = layout
    }

    mutating func write(_ document: Document) {
        switch document.node {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let number): bytes.append(contentsOf: number.text.utf8)
        case .string(let text), .plain(let text): write(text)
        case .list(let items): write(items)
        case .map(let entries): write(order == .sorted ? Self.sorted(entries) : entries)
        }
    }

    private mutating func write(_ text: String) { Self.append(text, to: &bytes) }

    /// The string in quotes, with no escapes but the needed ones.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        if isVerbatim(text) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { appendEscaped(byte, to: &bytes) }
        }
        bytes.append(0x22)
    }

    /// Entries in the order of their keys' UTF-8 bytes.
    static func sorted(_ entries: [Document.Entry]) -> [Document.Entry] {
        for index in entries.indices.dropFirst()
        where !precedes(entries[index - 1].key, entries[index].key) {
            return entries.sorted { precedes($0.key, $1.key) }
        }
        return entries
    }

    /// Whether the bytes of one key come before those of another.
    static func precedes(_ left: String, _ right: String) -> Bool {
        let leftSpan = left.utf8Span.span
        let rightSpan = right.utf8Span.span
        let common = min(leftSpan.count, rightSpan.count)
        for index in 0..<common where leftSpan[index] != rightSpan[index] {
            return leftSpan[index] < rightSpan[index]
        }
        return leftSpan.count < rightSpan.count
    }

    private static func isVerbatim(_ text: String) -> Bool {
        let span = text.utf8Span.span
        for index in span.indices {
            let byte = span[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { return false }
        }
        return true
    }

    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case 0x22, 0x5C: bytes += [0x5C, byte]
        case 0x08: bytes += [0x5C, 0x62]
        case 0x09: bytes += [0x5C, 0x74]
        case 0x0A: bytes += [0x5C, 0x6E]
        case 0x0C: bytes += [0x5C, 0x66]
        case 0x0D: bytes += [0x5C, 0x72]
        case 0..<0x20:
            bytes.append(contentsOf: "\\u00".utf8)
            bytes += [Hex.digit(byte >> 4), Hex.digit(byte)]
        default: bytes.append(byte)
        }
    }

    private mutating func write(_ items: [Document]) {
        bytes.append(0x5B)
        depth += 1
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            breakLine()
            write(item)
        }
        depth -= 1
        if !items.isEmpty { breakLine() }
        bytes.append(0x5D)
    }

    private mutating func write(_ entries: [Document.Entry]) {
        bytes.append(0x7B)
        depth += 1
        for (index, entry) in entries.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            breakLine()
            write(entry.key)
            bytes.append(0x3A)
            if layout == .indented { bytes.append(0x20) }
            write(entry.value)
        }
        depth -= 1
        if !entries.isEmpty { breakLine() }
        bytes.append(0x7D)
    }

    private mutating func breakLine() {
        guard layout == .indented else { return }
        bytes.append(0x0A)
        for _ in 0..<depth * 2 { bytes.append(0x20) }
    }
}
