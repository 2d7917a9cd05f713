package import Postgres
package import Wire

/// What logins have used up: each digest counts once.
package enum LoginReplayRepository {
    /// Uses a digest up; false if somebody did so before, even if their commit is still to come.
    package static func use(
        _ digest: [UInt8],
        until end: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            DELETE FROM turnpike.login_replays WHERE digest IN (
                SELECT digest FROM turnpike.login_replays
                WHERE expires_at < statement_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED
            )
            """
        )
        return try await transaction.execute(
            """
            INSERT INTO turnpike.login_replays (digest, expires_at) VALUES (\(digest), \(end))
            ON CONFLICT (digest) DO NOTHING
            """
        ) == 1
    }
}
