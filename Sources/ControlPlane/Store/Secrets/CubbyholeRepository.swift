package import Postgres
package import Wire

/// What tokens keep for themselves, by token and path.
package enum CubbyholeRepository {
    /// The sealed value at a path of a token, locked until the transaction ends.
    package static func lock(
        _ path: String,
        of token: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (sealed: [UInt8], version: Int64)? {
        let rows = try await transaction.query(
            """
            SELECT sealed, version FROM turnpike.cubbyholes
            WHERE token = \(token) AND path = \(path) FOR UPDATE
            """
        )
        guard let row = rows.first else { return nil }
        return (try row.decode("sealed"), try row.decode("version"))
    }

    /// Stores a value, new or changed, and forgets what belongs to tokens that ended a day ago.
    package static func put(
        _ sealed: [UInt8],
        at path: String,
        of token: UUIDv7,
        version: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.cubbyholes WHERE (token, path) IN (
                SELECT c.token, c.path FROM turnpike.cubbyholes c
                JOIN turnpike.tokens t ON t.accessor = c.token
                WHERE coalesce(t.revoked_at, t.expires_at) < clock_timestamp() - interval '1 day'
                LIMIT 100 FOR UPDATE OF c SKIP LOCKED
            )
            """
        )
        try await transaction.query(
            """
            INSERT INTO turnpike.cubbyholes (token, path, sealed, version, updated_at)
            VALUES (\(token), \(path), \(sealed), \(version), clock_timestamp())
            ON CONFLICT (token, path) DO UPDATE SET sealed = excluded.sealed,
                version = excluded.version, updated_at = excluded.updated_at
            """
        )
    }

    /// Removes the value at a path of a token.
    package static func delete(
        _ path: String,
        of token: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "DELETE FROM turnpike.cubbyholes WHERE token = \(token) AND path = \(path)"
        )
    }

    /// Removes all that a token kept.
    package static func empty(
        of token: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("DELETE FROM turnpike.cubbyholes WHERE token = \(token)")
    }

    /// The paths of a token, in order.
    package static func paths(
        of token: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [String] {
        try await transaction.query(
            "SELECT path FROM turnpike.cubbyholes WHERE token = \(token) ORDER BY path"
        ).items { row throws(PostgresError) -> String in try row.decode("path") }
    }
}
