package import Postgres
package import Wire

/// An answer that waits for whoever has its token.
package struct WrappedAnswerRow: Equatable, Sendable {
    package let id: UUIDv7
    package let tokenHMAC: [UInt8]
    /// Nil once it was opened.
    package var sealed: [UInt8]?
    package let creationPath: String
    /// The accessor of a token inside; empty for none.
    package let wrappedAccessor: String
    package let lifetimeSeconds: Int64
    package let createdBy: String
    package let createdAt: Timestamp
    package let expiresAt: Timestamp
    package var openedAt: Timestamp?

    package init(
        id: UUIDv7,
        tokenHMAC: [UInt8],
        sealed: [UInt8],
        creationPath: String,
        wrappedAccessor: String,
        lifetimeSeconds: Int64,
        createdBy: String,
        createdAt: Timestamp,
        expiresAt: Timestamp
    ) {
        self.id = id
        self.tokenHMAC = tokenHMAC
        self.sealed = sealed
        self.creationPath = creationPath
        self.wrappedAccessor = wrappedAccessor
        self.lifetimeSeconds = lifetimeSeconds
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    var content: RowContent {
        var content = RowContent(table: "wrapped_answers", key: id.description)
        content.add("token_hmac", tokenHMAC)
        content.add("sealed", sealed)
        content.add("creation_path", creationPath)
        content.add("wrapped_accessor", wrappedAccessor)
        content.add("lifetime_seconds", lifetimeSeconds)
        content.add("created_by", createdBy)
        content.add("created_at", createdAt)
        content.add("expires_at", expiresAt)
        content.add("opened_at", openedAt)
        return content
    }
}

/// Wrapped answers by the keyed hash of their token; forged rows are absent from every answer.
package enum WrappedAnswerRepository {
    /// Stores a new one, and forgets those that ended more than a day ago.
    package static func insert(
        _ row: WrappedAnswerRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.wrapped_answers WHERE id IN (
                SELECT id FROM turnpike.wrapped_answers
                WHERE expires_at < statement_timestamp() - interval '1 day'
                LIMIT 100 FOR UPDATE SKIP LOCKED
            )
            """
        )
        try await transaction.query(
            """
            INSERT INTO turnpike.wrapped_answers (
                id, token_hmac, sealed, creation_path, wrapped_accessor, lifetime_seconds,
                created_by, created_at, expires_at, mac
            ) VALUES (
                \(row.id), \(row.tokenHMAC), \(row.sealed), \(row.creationPath),
                \(row.wrappedAccessor), \(row.lifetimeSeconds), \(row.createdBy),
                \(row.createdAt), \(row.expiresAt), \(rowGuard.tag(row.content))
            )
            """
        )
    }

    /// How many of one principal wait to be opened.
    package static func waitingCount(
        of principal: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        try await transaction.query(
            """
            SELECT count(*) FROM turnpike.wrapped_answers
            WHERE created_by = \(principal) AND sealed IS NOT NULL
            AND expires_at > clock_timestamp()
            """
        ).single().decode(at: 0)
    }

    /// The one with one of these keyed hashes, locked until the transaction ends.
    package static func lock(
        anyHMAC hmacs: [[UInt8]],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> WrappedAnswerRow? {
        let rows = try await transaction.query(
            """
            SELECT id, token_hmac, sealed, creation_path, wrapped_accessor, lifetime_seconds,
                created_by, created_at, expires_at, opened_at, mac,
                EXISTS (
                    SELECT FROM turnpike.audit
                    WHERE audit.resource = 'wrapping/' || wrapped_answers.id
                    AND audit.action IN ('wrapping.unwrap', 'wrapping.rewrap')
                    AND audit.outcome = 'success'
                ) AS was_opened
            FROM turnpike.wrapped_answers WHERE token_hmac = ANY(\(hmacs))
            FOR UPDATE OF wrapped_answers
            """
        )
        for row in rows {
            var found = WrappedAnswerRow(
                id: try row.decode("id"),
                tokenHMAC: try row.decode("token_hmac"),
                sealed: [],
                creationPath: try row.decode("creation_path"),
                wrappedAccessor: try row.decode("wrapped_accessor"),
                lifetimeSeconds: try row.decode("lifetime_seconds"),
                createdBy: try row.decode("created_by"),
                createdAt: try row.decode("created_at"),
                expiresAt: try row.decode("expires_at")
            )
            found.sealed = try row.decodeIfPresent("sealed")
            found.openedAt = try row.decodeIfPresent("opened_at")
            // What was opened and put back has a valid tag, but the audit trail remembers.
            let wasOpened: Bool = try row.decode("was_opened")
            let isAuthentic = rowGuard.isAuthentic(
                found.content,
                tag: try row.decode("mac"),
                isSuperseded: wasOpened && found.openedAt == nil
            )
            if isAuthentic { return found }
        }
        return nil
    }

    /// Empties one that was opened.
    package static func empty(
        _ row: WrappedAnswerRow,
        at now: Timestamp,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        var opened = row
        opened.sealed = nil
        opened.openedAt = now
        try await transaction.query(
            """
            UPDATE turnpike.wrapped_answers SET sealed = NULL, opened_at = \(now),
                mac = \(rowGuard.tag(opened.content))
            WHERE id = \(row.id)
            """
        )
    }
}
