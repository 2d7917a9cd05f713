package import Wire

/// The bytes of a row that its MAC covers: the table, the primary key and every column that
/// grants, each with its name, its kind and its length.
///
/// Built in the same order when a row is written and when it is read.
package struct RowContent: Equatable, Sendable {
    package let table: String
    /// The primary key as text, such as `default/orders-db`.
    package let key: String
    /// What a MAC is made over, and what stands for the row in a hash of several.
    package private(set) var bytes: [UInt8] = []

    /// Starts the content of one row.
    package init(table: String, key: String) {
        self.table = table
        self.key = key
        append(kind: 0x54, Array(table.utf8))
        append(kind: 0x4B, Array(key.utf8))
    }

    /// Adds a column of text.
    package mutating func add(_ column: StaticString, _ value: String?) {
        add(column, kind: 0x73, value.map { Array($0.utf8) })
    }

    /// Adds a column of bytes.
    package mutating func add(_ column: StaticString, _ value: [UInt8]?) {
        add(column, kind: 0x62, value)
    }

    /// Adds a column with a number.
    package mutating func add(_ column: StaticString, _ value: Int64?) {
        add(column, kind: 0x69, value.map(Self.bytes))
    }

    /// Adds a column with a truth value.
    package mutating func add(_ column: StaticString, _ value: Bool?) {
        add(column, kind: 0x6F, value.map { [$0 ? 1 : 0] })
    }

    /// Adds a column with an identifier.
    package mutating func add(_ column: StaticString, _ value: UUIDv7?) {
        add(column, kind: 0x75, value?.bytes)
    }

    /// Adds a column with a time, to the microsecond that the database keeps.
    package mutating func add(_ column: StaticString, _ value: Timestamp?) {
        add(column, kind: 0x74, value.map { Self.bytes($0.microsecondsSinceEpoch) })
    }

    /// Adds a column with a list of texts.
    package mutating func add(_ column: StaticString, _ values: [String]) {
        var list: [UInt8] = []
        for value in values {
            list += Self.bytes(Int64(value.utf8.count))
            list += Array(value.utf8)
        }
        add(column, kind: 0x6C, list)
    }

    /// Adds a column with a document, by its canonical text: `jsonb` keeps no spelling.
    package mutating func add(_ column: StaticString, _ value: Document?) {
        add(column, kind: 0x6A, value.map { JSON.canonical($0) })
    }

    private mutating func add(_ column: StaticString, kind: UInt8, _ value: [UInt8]?) {
        append(kind: 0x43, Array(column.description.utf8))
        if let value { append(kind: kind, value) } else { bytes.append(0) }
    }

    private mutating func append(kind: UInt8, _ value: [UInt8]) {
        bytes.append(kind)
        bytes += Self.bytes(Int64(value.count))
        bytes += value
    }

    private static func bytes(_ number: Int64) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 8)
        writer.writeInt64(number)
        return writer.bytes
    }
}
