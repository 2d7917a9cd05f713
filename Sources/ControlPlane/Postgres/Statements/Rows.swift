/// The rows that a statement returned, kept in libpq's memory until the last reference goes.
package struct Rows: Sendable {
    struct Column: Equatable, Sendable {
        let name: String
        let type: PostgresType
    }

    private let result: LibpqResult
    let columns: [Column]
    package let count: Int
    /// Rows that the statement inserted, changed, deleted or selected.
    package let affectedCount: Int

    init(_ result: LibpqResult) {
        self.result = result
        count = result.rowCount
        affectedCount = result.affectedCount
        columns = (0..<result.columnCount).map { index in
            Column(name: result.columnName(index), type: result.columnType(index))
        }
    }

    /// The names of the columns, in order.
    package var columnNames: [String] { columns.map(\.name) }

    /// The command tag, such as `COMMIT`.
    var commandTag: String { result.commandTag }

    /// The only row; any other count is an error.
    package func single() throws(PostgresError) -> Row {
        guard count == 1, let row = first else { throw .unexpectedRowCount(count) }
        return row
    }

    /// The only row, or nil when there is none; more than one is an error.
    package func optional() throws(PostgresError) -> Row? {
        guard count <= 1 else { throw .unexpectedRowCount(count) }
        return first
    }

    /// One value per row, of a result with one column.
    package func column<Value: PostgresCodable>(
        _ type: Value.Type = Value.self
    ) throws(PostgresError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.decode(type)) }
        return values
    }

    func value<Value: PostgresCodable>(
        row: Int,
        column index: Int,
        as: Value.Type
    ) throws(PostgresError) -> Value? {
        let column = columns[index]
        guard Value.reads(column.type) else {
            throw .undecodable(column: column.name, type: column.type, .unexpectedType)
        }
        do {
            return try result.withValue(row: row, column: index) {
                bytes throws(PostgresDecodingFailure) in
                try Value(postgresBytes: bytes, type: column.type)
            }
        } catch {
            throw .undecodable(column: column.name, type: column.type, error)
        }
    }
}

extension Rows: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    /// A row; an index out of bounds is a bug of the caller.
    package subscript(position: Int) -> Row {
        precondition(position >= 0 && position < count, "no such row")
        return Row(rows: self, index: position)
    }
}

/// One row of a result.
package struct Row: Sendable {
    let rows: Rows
    let index: Int

    /// The value of a named column; NULL is an error.
    package func decode<Value: PostgresCodable>(
        _ column: String,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        try required(try position(of: column), type)
    }

    /// The value of a named column, or nil for NULL.
    package func decodeIfPresent<Value: PostgresCodable>(
        _ column: String,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        try rows.value(row: index, column: try position(of: column), as: type)
    }

    /// The value of the column at a position from 0; NULL is an error.
    package func decode<Value: PostgresCodable>(
        at position: Int,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        try required(try checked(position), type)
    }

    /// The value of the column at a position from 0, or nil for NULL.
    package func decodeIfPresent<Value: PostgresCodable>(
        at position: Int,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        try rows.value(row: index, column: try checked(position), as: type)
    }

    /// All columns in order; their count must match and none may be NULL.
    package func decode<each Value: PostgresCodable>(
        _ types: repeat (each Value).Type
    ) throws(PostgresError) -> (repeat each Value) {
        var expected = 0
        repeat (expected += 1, _ = each types).0
        guard rows.columns.count == expected else {
            throw .unexpectedColumnCount(rows.columns.count)
        }
        var position = 0
        return (repeat try next(&position, each types))
    }

    private func next<Value: PostgresCodable>(
        _ position: inout Int,
        _ type: Value.Type
    ) throws(PostgresError) -> Value {
        defer { position += 1 }
        return try required(position, type)
    }

    private func required<Value: PostgresCodable>(
        _ position: Int,
        _ type: Value.Type
    ) throws(PostgresError) -> Value {
        if let value = try rows.value(row: index, column: position, as: type) { return value }
        let column = rows.columns[position]
        throw .undecodable(column: column.name, type: column.type, .unexpectedNull)
    }

    private func position(of column: String) throws(PostgresError) -> Int {
        guard let position = rows.columns.firstIndex(where: { $0.name == column }) else {
            throw .missingColumn(column)
        }
        return position
    }

    private func checked(_ position: Int) throws(PostgresError) -> Int {
        guard rows.columns.indices.contains(position) else {
            throw .missingColumn("number \(position)")
        }
        return position
    }
}
