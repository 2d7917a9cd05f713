package import Mesh
package import Postgres
package import Wire

/// Leases by id, and what may happen to one that lives.
package enum LeaseRepository {
    /// The most leases of one page.
    package static let pageMax = 1_000

    static let columns: SQL = """
        id, profile, target, plan, principal, token, source_address, idempotency_key, state,
        generation, created_at, create_before, issued_at, renewed_at, expires_at, max_expires_at,
        revoke_requested_at, revoke_reason, access_ended_at, cleaned_at, attempts, last_error, mac
        """

    /// How many leases of a target are open.
    package static func openCount(
        on target: TargetName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.query(
            """
            SELECT count(*) FROM turnpike.leases
            WHERE target = \(target.text) AND state IN ('creating', 'active', 'revoking')
            """
        ).single().decode(at: 0)
    }

    /// One lease.
    package static func find(
        _ id: UUIDv7,
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> LeaseRow? {
        try await transaction.query(
            "SELECT \(fragment: columns) FROM turnpike.leases WHERE id = \(id)"
        ).items { row throws(PostgresError) in try LeaseRow(row, rowGuard) }.first
    }

    /// The open lease that a principal asked for under a key of its own.
    package static func find(
        principal: String,
        idempotencyKey: String,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> LeaseRow? {
        try await transaction.query(
            """
            SELECT \(fragment: columns) FROM turnpike.leases
            WHERE principal = \(principal) AND idempotency_key = \(idempotencyKey)
            AND state IN ('creating', 'active')
            """
        ).items { row throws(PostgresError) in try LeaseRow(row, rowGuard) }.first
    }

    /// One page in the order in which they were asked for, after a lease.
    package static func list(
        of profile: ProfileName?,
        openOnly: Bool,
        after id: UUIDv7?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<LeaseRow> {
        let limit = max(1, min(limit, pageMax))
        let rows = try await transaction.query(
            """
            SELECT \(fragment: columns) FROM turnpike.leases
            WHERE true
            \(fragment: profile.map { "AND profile = \($0.text)" } ?? "")
            \(fragment: openOnly ? "AND state IN ('creating', 'active', 'revoking')" : "")
            \(fragment: id.map { "AND id > \($0)" } ?? "")
            ORDER BY id LIMIT \(limit + 1)
            """
        )
        var leases: [LeaseRow] = []
        for row in rows.prefix(limit) { leases.append(try LeaseRow(row, rowGuard)) }
        return Page(items: leases, next: rows.count > limit ? leases.last?.id.description : nil)
    }

    /// Gives a new password's number to a lease that lives; nil if it does not.
    package static func advance(
        _ id: UUIDv7,
        from generation: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.leases SET generation = generation + 1
            WHERE id = \(id) AND generation = \(generation) AND state = 'active'
            AND expires_at > clock_timestamp()
            """
        ) == 1
    }

    /// Lets a lease live longer, or shorter; false if it has ended or is about to be ended.
    ///
    /// The clock is read when the row is locked: who comes late by the database's clock is late.
    package static func renew(
        _ id: UUIDv7,
        until expiresAt: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        let answers = try await transaction.batch([
            "SELECT id FROM turnpike.leases WHERE id = \(id) FOR UPDATE",
            """
            UPDATE turnpike.leases
            SET expires_at = \(expiresAt), next_attempt_at = \(expiresAt),
                renewed_at = clock_timestamp()
            WHERE id = \(id) AND state = 'active' AND expires_at > clock_timestamp()
            AND \(expiresAt) <= max_expires_at
            """,
        ])
        return answers.last?.affectedCount == 1
    }

    /// Makes the leases due at once of tokens that expired after a time, and of all below these; none
    /// while ending by themselves is held.
    ///
    /// - Returns: how many were not on their way out already.
    package static func endWithTokens(
        expiredAfter time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.execute(
            """
            UPDATE turnpike.leases
            SET state = CASE WHEN state = 'creating' THEN 'creating' ELSE 'revoking' END,
                revoke_requested_at = clock_timestamp(), revoke_reason = 'token_expired',
                next_attempt_at = CASE
                    WHEN state = 'creating' THEN next_attempt_at ELSE clock_timestamp() END
            WHERE state IN ('creating', 'active') AND revoke_requested_at IS NULL
            AND (SELECT held_at IS NULL FROM turnpike.lease_hold)
            AND token IN (
                WITH RECURSIVE ended AS (
                    SELECT t.accessor, 0 AS depth FROM turnpike.tokens t
                    WHERE t.expires_at > \(time) AND t.expires_at <= clock_timestamp()
                    UNION ALL
                    SELECT t.accessor, ended.depth + 1
                    FROM turnpike.tokens t JOIN ended ON t.parent = ended.accessor
                    WHERE ended.depth <= \(Int32(TokenRepository.ancestorsMax))
                )
                SELECT ended.accessor FROM ended
            )
            """
        )
    }

    /// The time, and whether a token expired after an earlier one.
    package static func tokensExpired(
        after time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (isAny: Bool, at: Timestamp) {
        let row = try await transaction.query(
            """
            SELECT now.at, EXISTS (
                SELECT FROM turnpike.tokens WHERE expires_at > \(time) AND expires_at <= now.at
            ) AS is_any
            FROM (SELECT clock_timestamp() AS at) AS now
            """
        ).single()
        return (try row.decode("is_any"), try row.decode("at"))
    }

    /// The profiles of which credentials are out.
    package static func profiles(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [ProfileName] {
        try await transaction.query(
            """
            SELECT DISTINCT profile FROM turnpike.leases
            WHERE state IN ('active', 'revoking') AND issued_at IS NOT NULL
            AND access_ended_at IS NULL
            ORDER BY 1
            """
        ).items { row throws(PostgresError) in
            try row.parsed("profile") { text throws(NameError) in try ProfileName(text) }
        }
    }

    /// The targets on which somebody still has access by leases that were revoked.
    package static func targetsWithAccess(
        of selection: Selection,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TargetName] {
        try await transaction.query(
            """
            SELECT DISTINCT target FROM turnpike.leases
            WHERE \(fragment: selection.condition) AND state IN ('active', 'revoking')
            AND revoke_requested_at IS NOT NULL AND access_ended_at IS NULL
            ORDER BY 1
            """
        ).items { row throws(PostgresError) in
            try row.parsed("target") { text throws(NameError) in try TargetName(text) }
        }
    }

    /// Leases that could not be ended yet though they were tried, the oldest first, and how many there
    /// are.
    package static func stuck(
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (count: Int, leases: [(name: LeaseID, error: String)]) {
        let condition: SQL =
            "state = 'revoking' AND access_ended_at IS NULL AND last_error IS NOT NULL"
        let answers = try await transaction.batch([
            "SELECT count(*) FROM turnpike.leases WHERE \(fragment: condition)",
            """
            SELECT id, profile, last_error FROM turnpike.leases WHERE \(fragment: condition)
            ORDER BY id LIMIT \(max(0, min(limit, 10_000)))
            """,
        ])
        guard answers.count == 2 else { throw .unexpectedRowCount(answers.count) }
        var leases: [(name: LeaseID, error: String)] = []
        for row in answers[1] {
            let profile = try row.parsed("profile") { text throws(NameError) in
                try ProfileName(text)
            }
            let name = LeaseID(profile: profile, id: try row.decode("id"))
            leases.append((name: name, error: try row.decode("last_error")))
        }
        return (try answers[0].single().decode(at: 0), leases)
    }

    /// Nothing was made on the target, so the lease is over before it began.
    package static func abort(
        _ id: UUIDv7,
        because error: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.leases
            SET state = 'aborted', last_error = \(error), access_ended_at = clock_timestamp(),
                cleaned_at = clock_timestamp()
            WHERE id = \(id) AND state = 'creating'
            """
        ) == 1
    }

    /// Which leases a revocation is about.
    package enum Selection: Equatable, Sendable {
        case lease(UUIDv7)
        /// Those of a token and of all below it, however many these are.
        case tokens(below: UUIDv7)
        case profile(ProfileName)
        case target(TargetName)
        case all

        fileprivate var condition: SQL {
            switch self {
            case .lease(let id): "id = \(id)"
            case .tokens(let accessor):
                """
                token IN (
                    WITH RECURSIVE below AS (
                        SELECT \(accessor)::uuid AS accessor, 0 AS depth
                        UNION ALL
                        SELECT t.accessor, below.depth + 1
                        FROM turnpike.tokens t JOIN below ON t.parent = below.accessor
                        WHERE below.depth <= \(Int32(TokenRepository.ancestorsMax))
                    )
                    SELECT below.accessor FROM below
                )
                """
            case .profile(let name): "profile = \(name.text)"
            case .target(let name): "target = \(name.text)"
            case .all: "true"
            }
        }
    }

    /// Makes leases due at once; for ever, whatever becomes of their targets.
    ///
    /// One whose role may be made at this very moment is due when nothing can be made any more.
    /// - Returns: how many were not on their way out already.
    package static func requestRevocation(
        of selection: Selection,
        because reason: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.execute(
            """
            UPDATE turnpike.leases
            SET state = CASE WHEN state = 'creating' THEN 'creating' ELSE 'revoking' END,
                revoke_requested_at = clock_timestamp(), revoke_reason = \(reason),
                next_attempt_at = CASE
                    WHEN state = 'creating' THEN next_attempt_at ELSE clock_timestamp() END
            WHERE \(fragment: selection.condition) AND state IN ('creating', 'active')
            AND revoke_requested_at IS NULL
            """
        )
    }
}
