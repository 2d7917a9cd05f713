package import Postgres
import Wire

/// The one locked row that orders all configuration, and the feed of what changed.
package enum RevisionRepository {
    /// The channel on which a committed change wakes its readers; the payload is the revision.
    package static let channel = PostgresChannel("turnpike_changes")
    /// The most entries that one read returns.
    package static let changesMax = 10_000

    /// The revision of the last change that was committed.
    package static func current(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        try await transaction.query("SELECT revision FROM turnpike.revision").single()
            .decode(at: 0)
    }

    /// Changes after a revision in their order, at most `limit` but never a part of a revision.
    ///
    /// A revision larger than the limit comes alone and whole.
    package static func changes(
        after revision: Int64,
        limit: Int = changesMax,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [RecordedChange] {
        let rows = try await transaction.query(
            """
            SELECT revision, ordinal, kind, key, action, at FROM turnpike.changes
            WHERE revision > \(revision)
            AND revision <= (
                SELECT max(revision) FROM (
                    SELECT revision FROM turnpike.changes WHERE revision > \(revision)
                    ORDER BY revision, ordinal LIMIT \(max(1, min(limit, changesMax)))
                ) AS page
            )
            ORDER BY revision, ordinal
            """
        )
        var changes: [RecordedChange] = []
        changes.reserveCapacity(rows.count)
        for row in rows {
            let change = Change(
                try row.decode("kind"),
                key: try row.decode("key"),
                try row.decode("action")
            )
            changes.append(
                RecordedChange(
                    revision: try row.decode("revision"),
                    ordinal: Int(try row.decode("ordinal", as: Int32.self)),
                    change: change,
                    at: try row.decode("at")
                )
            )
        }
        return changes
    }

    /// Whether the feed still has an entry for every revision that there was.
    package static func isGapless(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            SELECT revision = (SELECT count(DISTINCT revision) FROM turnpike.changes)
            FROM turnpike.revision
            """
        ).single().decode(at: 0)
    }

    /// Waits for all other configuration changes, then gives the last revision and the time.
    ///
    /// Two statements, since one could take the time before it has the lock.
    static func lock(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (revision: Int64, at: Timestamp) {
        let answers = try await transaction.batch([
            "SELECT revision FROM turnpike.revision FOR UPDATE",
            "SELECT clock_timestamp()",
        ])
        guard answers.count == 2 else { throw .unexpectedRowCount(answers.count) }
        return (try answers[0].single().decode(at: 0), try answers[1].single().decode(at: 0))
    }

    /// The statements that make a revision of changes and wake the readers at the commit.
    static func advance(
        to revision: Int64,
        at: Timestamp,
        _ changes: [Change]
    ) -> [SQL] {
        let kinds = changes.map(\.kind.rawValue)
        let keys = changes.map(\.key)
        let actions = changes.map(\.action.rawValue)
        return [
            "UPDATE turnpike.revision SET revision = \(revision)",
            """
            INSERT INTO turnpike.changes (revision, ordinal, kind, key, action, at)
            SELECT \(revision), row.ordinal, row.kind, row.key, row.action, \(at)
            FROM unnest(\(kinds), \(keys), \(actions))
                WITH ORDINALITY AS row (kind, key, action, ordinal)
            """,
            "SELECT pg_notify(\(channel.name), \(String(revision)))",
        ]
    }
}
