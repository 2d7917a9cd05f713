/// Why a field can not be added to, or read from, a list of fields.
package enum FieldFault: Error, Equatable, Sendable, CaseIterable {
    case nameInvalid
    case valueInvalid
    case valueTooLong
    case countExceeded
    case repeated

    /// What is wrong and what would be right; names no value, since values may be secret.
    package var sentence: String {
        switch self {
        case .nameInvalid: "A field name is a token of 1 to \(FieldName.byteCountMax) bytes."
        case .valueInvalid: "A field value may hold no control character but the tab."
        case .valueTooLong:
            "A field value has at most \(HeaderFields.valueByteCountMax) bytes."
        case .countExceeded: "A message has at most \(HeaderFields.countMax) fields."
        case .repeated: "This field may occur once only."
        }
    }
}

/// The header fields of a message: in order, looked up without regard to case.
///
/// Holds only valid names (in lower case) and valid values, so that what is serialised from it can
/// not carry a line break. One block of bytes and one index, instead of two strings per field.
package struct HeaderFields: Equatable, Sendable {
    /// Most fields in one list.
    package static let countMax = 256
    /// Longest value, in bytes.
    package static let valueByteCountMax = 16 * 1024

    private struct Entry: Equatable, Sendable {
        var start: Int
        var nameCount: Int
        var valueCount: Int

        var name: Range<Int> { start..<(start + nameCount) }
        var value: Range<Int> { (start + nameCount)..<(start + nameCount + valueCount) }
    }

    private var storage: [UInt8] = []
    private var entries: [Entry] = []

    package init() {}

    /// Fields from pairs of name and value.
    package init(_ pairs: [(FieldName, String)]) throws(FieldFault) {
        for (name, value) in pairs { try append(name, value) }
    }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }

    /// Adds a field behind the others.
    package mutating func append(_ name: FieldName, _ value: String) throws(FieldFault) {
        try append(nameBytes: Array(name.text.utf8).span, valueBytes: Array(value.utf8).span)
    }

    /// Adds a field whose name is checked here; blanks around the value are dropped.
    package mutating func append(
        name: String,
        value: String
    ) throws(FieldFault) {
        guard let name = FieldName(name) else { throw .nameInvalid }
        try append(name, value)
    }

    /// Replaces every field of that name by one.
    package mutating func set(_ name: FieldName, _ value: String) throws(FieldFault) {
        try HeaderFields.check(value: Array(value.utf8).span)
        remove(name)
        try append(name, value)
    }

    /// Removes every field of that name.
    package mutating func remove(_ name: FieldName) {
        guard contains(name) else { return }
        removeAll { $0 == name.text }
    }

    /// Removes every field whose lower-case name satisfies the condition.
    package mutating func removeAll(where isRemoved: (String) -> Bool) {
        var kept = HeaderFields()
        for entry in entries where !isRemoved(text(entry.name)) {
            kept.entries.append(
                Entry(
                    start: kept.storage.count,
                    nameCount: entry.nameCount,
                    valueCount: entry.valueCount
                )
            )
            kept.storage += storage[entry.name.lowerBound..<entry.value.upperBound]
        }
        self = kept
    }

    /// Whether a field of that name is there.
    package func contains(_ name: FieldName) -> Bool { entries.contains { matches($0, name) } }

    /// How many fields have that name.
    package func count(of name: FieldName) -> Int {
        entries.reduce(0) { matches($1, name) ? $0 + 1 : $0 }
    }

    /// The first value of that name; invalid UTF-8 shows as U+FFFD.
    package func first(_ name: FieldName) -> String? {
        entries.first { matches($0, name) }.map { text($0.value) }
    }

    /// Every value of that name, in order.
    package func values(_ name: FieldName) -> [String] {
        entries.filter { matches($0, name) }.map { text($0.value) }
    }

    /// The value of a field that may occur once only; nil when it is absent.
    package func single(_ name: FieldName) throws(FieldFault) -> String? {
        guard count(of: name) <= 1 else { throw .repeated }
        return first(name)
    }

    /// The elements of a comma-separated list over all fields of that name, trimmed, none empty.
    package func list(_ name: FieldName) -> [String] {
        values(name).flatMap { value in
            value.utf8.split(separator: .comma).map { element in
                let octets = Array(element)
                return octets.span.text(
                    octets.span.trimmed(octets.span.indices) { $0.isBlank }
                )
            }
        }
        .filter { !$0.isEmpty }
    }

    /// All fields in order: name in lower case, and value.
    package var pairs: [(name: String, value: String)] {
        entries.map { (text($0.name), text($0.value)) }
    }

    /// The exact bytes of the first value of that name.
    package func firstBytes(_ name: FieldName) -> [UInt8]? {
        entries.first { matches($0, name) }.map { Array(storage[$0.value]) }
    }

    private func matches(_ entry: Entry, _ name: FieldName) -> Bool {
        let expected = name.text.utf8
        return entry.nameCount == expected.count
            && storage[entry.name].elementsEqual(expected)
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: storage[range], as: UTF8.self)
    }
}

extension HeaderFields {
    /// Adds a field from bytes: name in any case, value with blanks around it allowed.
    mutating func append(
        nameBytes: Span<UInt8>,
        valueBytes: Span<UInt8>
    ) throws(FieldFault) {
        guard !nameBytes.isEmpty, nameBytes.count <= FieldName.byteCountMax else {
            throw .nameInvalid
        }
        for index in nameBytes.indices where !nameBytes[index].isTokenCharacter {
            throw .nameInvalid
        }
        try HeaderFields.check(value: valueBytes)
        guard entries.count < HeaderFields.countMax else { throw .countExceeded }
        let value = valueBytes.trimmed(valueBytes.indices) { $0.isBlank }
        entries.append(
            Entry(start: storage.count, nameCount: nameBytes.count, valueCount: value.count)
        )
        for index in nameBytes.indices { storage.append(nameBytes[index].lowerCased) }
        for index in value { storage.append(valueBytes[index]) }
    }

    private static func check(value: Span<UInt8>) throws(FieldFault) {
        guard value.count <= valueByteCountMax else { throw .valueTooLong }
        for index in value.indices where !value[index].isFieldValueCharacter {
            throw .valueInvalid
        }
    }

    mutating func reserve(byteCount: Int, fieldCount: Int) {
        storage.reserveCapacity(byteCount)
        entries.reserveCapacity(fieldCount)
    }

    /// Writes the fields as lines, without those of the given names.
    func write(into bytes: inout [UInt8], except dropped: [FieldName]) {
        for entry in entries where !dropped.contains(where: { matches(entry, $0) }) {
            bytes += storage[entry.name]
            bytes.append(.colon)
            bytes.append(.space)
            bytes += storage[entry.value]
            bytes.append(.carriageReturn)
            bytes.append(.lineFeed)
        }
    }
}
