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

    /// How many leases are open of each kind that has a bound.
    package struct OpenCounts: Equatable, Sendable {
        package let ofPrincipal: Int
        package let ofProfile: Int
        package let ofTarget: Int
    }

    /// Counts what is open, one asker after the other for the same principal.
    package static func openCounts(
        principal: String,
        profile: ProfileName,
        target: TargetName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> OpenCounts {
        let answers = try await transaction.batch([
            """
            INSERT INTO turnpike.lease_principals (principal, asked_at)
            VALUES (\(principal), clock_timestamp())
            ON CONFLICT (principal) DO UPDATE SET asked_at = excluded.asked_at
            """,
            """
            SELECT
                (SELECT count(*) FROM turnpike.leases WHERE principal = \(principal)
                    AND state IN ('creating', 'active', 'revoking')) AS of_principal,
                (SELECT count(*) FROM turnpike.leases WHERE profile = \(profile.text)
                    AND state IN ('creating', 'active', 'revoking')) AS of_profile,
                (SELECT count(*) FROM turnpike.leases WHERE target = \(target.text)
                    AND state IN ('creating', 'active', 'revoking')) AS of_target
            """,
        ])
        guard let row = try answers.last?.single() else { throw .unexpectedRowCount(0) }
        return OpenCounts(
            ofPrincipal: try row.decode("of_principal"),
            ofProfile: try row.decode("of_profile"),
            ofTarget: try row.decode("of_target")
        )
    }

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

    /// Stores the intent; nothing has happened on the target yet.
    package static func insert(
        _ lease: LeaseRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let plan = JSONText(String(decoding: JSON.canonical(lease.plan.document), as: UTF8.self))
        try await transaction.query(
            """
            INSERT INTO turnpike.leases (
                id, profile, target, plan, principal, token, source_address, idempotency_key,
                state, generation, created_at, create_before, expires_at, max_expires_at,
                next_attempt_at, mac
            ) VALUES (
                \(lease.id), \(lease.plan.name.text), \(lease.plan.target.text), \(plan),
                \(lease.principal), \(lease.token), \(lease.sourceAddress),
                \(lease.idempotencyKey), \(lease.state), \(lease.generation), \(lease.createdAt),
                \(lease.createBefore), \(lease.expiresAt), \(lease.maxExpiresAt),
                \(lease.createBefore), \(rowGuard.tag(lease.content))
            )
            """
        )
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

    /// Says that the credential may be handed out; false if the lease was given up meanwhile.
    package static func activate(
        _ id: UUIDv7,
        at now: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.leases
            SET state = 'active', issued_at = \(now), next_attempt_at = expires_at
            WHERE id = \(id) AND state = 'creating' AND revoke_requested_at IS NULL
            AND create_before > clock_timestamp() AND expires_at > clock_timestamp()
            """
        ) == 1
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
        case token(UUIDv7)
        case profile(ProfileName)
        case target(TargetName)

        fileprivate var condition: SQL {
            switch self {
            case .lease(let id): "id = \(id)"
            case .token(let accessor): "token = \(accessor)"
            case .profile(let name): "profile = \(name.text)"
            case .target(let name): "target = \(name.text)"
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
