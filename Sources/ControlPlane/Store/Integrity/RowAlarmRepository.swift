package import Postgres

/// The rows whose MAC did not hold, each once.
package enum RowAlarmRepository {
    /// Keeps an alarm; false if it was known already.
    package static func insert(
        _ alarm: RowAlarm,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            INSERT INTO turnpike.row_alarms (table_name, key)
            VALUES (\(alarm.table), \(alarm.key)) ON CONFLICT DO NOTHING
            """
        ) == 1
    }

    /// All alarms, by table and key.
    package static func list(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [RowAlarm] {
        let rows = try await transaction.query(
            "SELECT table_name, key FROM turnpike.row_alarms ORDER BY table_name, key LIMIT 1000"
        )
        var alarms: [RowAlarm] = []
        for row in rows {
            alarms.append(RowAlarm(table: try row.decode(at: 0), key: try row.decode(at: 1)))
        }
        return alarms
    }
}
