extension Document {
    /// The null value.
    package static var null: Document { Document(.null) }

    /// A truth value.
    package static func bool(_ value: Bool) -> Document { Document(.bool(value)) }

    /// A string.
    package static func string(_ value: some StringProtocol) -> Document {
        Document(.string(String(value)))
    }

    /// An integer.
    package static func number(_ value: some BinaryInteger) -> Document {
        Document(.number(JSONNumber(value)))
    }

    /// A fraction; NaN and infinities become null, because JSON has no text for them.
    package static func number(_ value: Double) -> Document {
        value.isFinite ? JSONNumber(text: "\(value)").map { Document(.number($0)) } ?? null : null
    }

    /// A list.
    package static func list(_ items: [Document]) -> Document { Document(.list(items)) }

    /// A list of strings.
    package static func list(_ items: [String]) -> Document {
        Document(.list(items.map { .string($0) }))
    }

    /// A map whose keys must all be different; fields whose value is nil are left out.
    package static func fields(_ pairs: KeyValuePairs<String, Document?>) -> Document {
        var entries: [Entry] = []
        entries.reserveCapacity(pairs.count)
        for (key, value) in pairs {
            if let value { entries.append(Entry(key: key, value: value)) }
        }
        return Document(.map(entries))
    }

    /// A map of strings, with the keys sorted by bytes.
    package static func map(_ pairs: [String: String]) -> Document {
        let entries = pairs.map { Entry(key: $0.key, value: .string($0.value)) }
        return Document(.map(JSONWriter.sorted(entries)))
    }

    /// A map of documents, with the keys sorted by bytes.
    package static func map(_ pairs: [String: Document]) -> Document {
        let entries = pairs.map { Entry(key: $0.key, value: $0.value) }
        return Document(.map(JSONWriter.sorted(entries)))
    }

    /// RFC 3339 in UTC, as a string.
    package static func timestamp(_ value: Timestamp) -> Document {
        Document(.string(value.rfc3339))
    }

    /// The duration's text, such as `15m`, as a string.
    package static func duration(_ value: Duration) -> Document {
        Document(.string(DurationText.format(value)))
    }

    /// The size's text, such as `64KiB`, as a string.
    package static func byteCount(_ value: ByteCount) -> Document {
        Document(.string(value.description))
    }

    /// Sets or replaces the value of a key; anything that is not a map becomes one first.
    package mutating func set(_ key: String, _ newValue: Document) {
        var entries = self.entries ?? []
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value = newValue
        } else {
            entries.append(Entry(key: key, value: newValue))
        }
        node = .map(entries)
    }
}

extension Document: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    /// A string.
    package init(stringLiteral value: String) { self.init(.string(value)) }

    /// An integer.
    package init(integerLiteral value: Int64) { self.init(.number(JSONNumber(value))) }

    /// A truth value.
    package init(booleanLiteral value: Bool) { self.init(.bool(value)) }

    /// Null.
    package init(nilLiteral: ()) { self.init(.null) }

    /// A list.
    package init(arrayLiteral elements: Document...) { self.init(.list(elements)) }

    /// A map in the order of the literal, whose keys must all be different.
    package init(dictionaryLiteral elements: (String, Document)...) {
        self.init(.map(elements.map { Entry(key: $0.0, value: $0.1) }))
    }
}
