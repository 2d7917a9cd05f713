/// Appends documents as block YAML.
struct YAMLWriter {
    /// Plain words that other YAML readers take for something else than text.
    private static let ambiguousWords: Set<String> = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ]
    private static let plainBytesMax = 128

    var bytes: [UInt8] = []

    /// Writes one document, ending in a line feed.
    mutating func writeDocument(_ document: Document) {
        switch document.node {
        case .map(let entries) where !entries.isEmpty: write(entries, indent: 0)
        case .list(let items) where !items.isEmpty: write(items, indent: 0)
        case .null: bytes.append(contentsOf: "---\n".utf8)
        case .bool, .number, .string, .plain, .list, .map:
            writeInline(document)
            bytes.append(0x0A)
        }
    }

    private mutating func write(
        _ entries: [Document.Entry],
        indent: Int,
        isContinuing: Bool = false
    ) {
        for (index, entry) in entries.enumerated() {
            if index > 0 || !isContinuing { writeIndent(indent) }
            writeText(entry.key, isPlain: isSafe(entry.key))
            bytes.append(0x3A)
            switch entry.value.node {
            case .map(let inner) where !inner.isEmpty:
                bytes.append(0x0A)
                write(inner, indent: indent + 2)
            case .list(let items) where !items.isEmpty:
                bytes.append(0x0A)
                write(items, indent: indent + 2)
            case .null: bytes.append(0x0A)
            case .bool, .number, .string, .plain, .list, .map:
                bytes.append(0x20)
                writeInline(entry.value)
                bytes.append(0x0A)
            }
        }
    }

    private mutating func write(_ items: [Document], indent: Int, isContinuing: Bool = false) {
        for (index, item) in items.enumerated() {
            if index > 0 || !isContinuing { writeIndent(indent) }
            bytes.append(0x2D)
            switch item.node {
            case .map(let entries) where !entries.isEmpty:
                bytes.append(0x20)
                write(entries, indent: indent + 2, isContinuing: true)
            case .list(let inner) where !inner.isEmpty:
                bytes.append(0x20)
                write(inner, indent: indent + 2, isContinuing: true)
            case .null: bytes.append(0x0A)
            case .bool, .number, .string, .plain, .list, .map:
                bytes.append(0x20)
                writeInline(item)
                bytes.append(0x0A)
            }
        }
    }

    private mutating func writeIndent(_ indent: Int) {
        for _ in 0..<indent { bytes.append(0x20) }
    }

    /// Writes a scalar, or the brackets of an empty map or list.
    private mutating func writeInline(_ document: Document) {
        switch document.node {
        case .null: break
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let number): bytes.append(contentsOf: number.text.utf8)
        case .string(let text): writeText(text, isPlain: isSafe(text))
        case .plain(let text):
            let isTyped = text == "true" || text == "false" || JSONNumber(text: text) != nil
            writeText(text, isPlain: isTyped || isSafe(text))
        case .list: bytes += [0x5B, 0x5D]
        case .map: bytes += [0x7B, 0x7D]
        }
    }

    private mutating func writeText(_ text: String, isPlain: Bool) {
        guard !isPlain else {
            bytes.append(contentsOf: text.utf8)
            return
        }
        JSONWriter.append(text, to: &bytes)
    }

    /// Whether every reader takes the bare text for text: a word that starts with a letter.
    private func isSafe(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= Self.plainBytesMax else {
            return false
        }
        guard 0x41...0x5A ~= first || 0x61...0x7A ~= first else { return false }
        let isWord = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F: true
            default: false
            }
        }
        return isWord && !Self.ambiguousWords.contains(text.lowercased())
    }
}
