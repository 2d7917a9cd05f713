import Postgres

extension RowGuard {
    /// Reads a row of a table whose rows grant; one bad row costs nobody else.
    ///
    /// Nil, with the alarm, for one that is forged, that was put back after the feed spoke of its
    /// key again, or that does not even read. `keyColumns` names the last kind, in the order of the
    /// key; `content` is what the tag covers.
    func admit<Value>(
        _ row: Row,
        of table: String,
        keyColumns: [String],
        content: (Stored<Value>) -> RowContent,
        _ read: () throws(PostgresError) -> Value
    ) throws(PostgresError) -> Stored<Value>? {
        try legible(row, of: table, keyColumns: keyColumns) { () throws(PostgresError) in
            let stored = try row.stored(try read())
            let isAuthentic = isAuthentic(
                content(stored),
                tag: try row.decode("mac"),
                isSuperseded: try row.decode("superseded")
            )
            return isAuthentic ? stored : nil
        }
    }

    /// Reads a row that may have been written by somebody else; one bad row costs nobody else.
    ///
    /// Nil, with the alarm, for one that does not read. `keyColumns` are those of text or numbers
    /// that name it.
    func legible<Value>(
        _ row: Row,
        of table: String,
        keyColumns: [String],
        _ read: () throws(PostgresError) -> Value?
    ) throws(PostgresError) -> Value? {
        do throws(PostgresError) {
            return try read()
        } catch {
            guard case .undecodable = error else { throw error }
            reportUnreadable(table: table, key: row.text(of: keyColumns))
            return nil
        }
    }
}

extension Row {
    /// The columns of a key as they stand, for pages and alarms; `?` stands for what is no text.
    func text(of columns: [String]) -> String {
        columns.map { column in
            if let text = try? decode(column, as: String.self) { return text }
            return (try? decode(column, as: Int.self)).map(String.init) ?? "?"
        }.joined(separator: "/")
    }
}
