package import Mesh
package import Postgres
package import Wire

/// Leases that are due, taken by one worker at a time.
///
/// A claim ends by itself, so that the work of a replica that died is taken over; whoever finishes
/// must still hold it, so that one that was only paused finishes nothing.
package enum LeaseWorkRepository {
    /// How long a worker has for what it took.
    package static let claimSeconds = 30

    /// What is to be done with leases that are due.
    package enum Stage: Equatable, Sendable {
        /// Locking roles out and ending their sessions: what counts, so it comes first.
        case access
        /// Removing what is left.
        case cleanup
    }

    /// The targets that have work, without those that are not to be asked now.
    package static func dueTargets(
        for stage: Stage,
        except parked: [TargetName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TargetName] {
        try await transaction.query(
            """
            SELECT name FROM turnpike.lease_targets
            WHERE name <> ALL(\(parked.map(\.text)))
            AND EXISTS (
                SELECT FROM turnpike.leases
                WHERE target = lease_targets.name AND \(fragment: condition(stage))
                AND \(fragment: mayEnd)
            )
            ORDER BY name
            """
        ).items { row throws(PostgresError) in
            try row.parsed("name") { text throws(NameError) in try TargetName(text) }
        }
    }

    /// While ending by themselves is held, only what somebody revoked ends, and what never began.
    private static let mayEnd: SQL = """
        (revoke_requested_at IS NOT NULL OR issued_at IS NULL
            OR (SELECT held_at IS NULL FROM turnpike.lease_hold))
        """

    private static func condition(_ stage: Stage) -> SQL {
        // The statement's time and not the clock's, which is another for every row: an index cannot be
        // asked for that, and a look would read all leases of a target.
        let isDue: SQL = """
            next_attempt_at <= statement_timestamp()
            AND (claimed_until IS NULL OR claimed_until < statement_timestamp())
            """
        return switch stage {
        case .access:
            """
            state IN ('creating', 'active', 'revoking') AND access_ended_at IS NULL
            AND \(fragment: isDue)
            """
        case .cleanup:
            "state = 'revoking' AND access_ended_at IS NOT NULL AND \(fragment: isDue)"
        }
    }

    /// Takes leases that are due, the longest due first; they are on their way out from here on.
    package static func claim(
        _ stage: Stage,
        of target: TargetName,
        by worker: UUIDv7,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [LeaseRow] {
        try await transaction.query(
            """
            WITH due AS (
                SELECT id FROM turnpike.leases
                WHERE target = \(target.text) AND \(fragment: condition(stage))
                AND \(fragment: mayEnd)
                ORDER BY next_attempt_at LIMIT \(limit) FOR UPDATE SKIP LOCKED
            )
            UPDATE turnpike.leases
            SET state = 'revoking', claimed_by = \(worker),
                claimed_until = clock_timestamp() + make_interval(secs => \(claimSeconds))
            WHERE id IN (SELECT id FROM due)
            RETURNING \(fragment: LeaseRepository.columns)
            """
        ).items { row throws(PostgresError) in try LeaseRow(row, rowGuard) }
    }

    /// Says that the access of these has ended; what is left of them is due at once.
    ///
    /// - Returns: those that were this worker's to finish, with when their access had to end.
    package static func endAccess(
        of leases: [UUIDv7],
        by worker: UUIDv7,
        at now: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [(id: UUIDv7, dueAt: Timestamp)] {
        try await transaction.query(
            """
            UPDATE turnpike.leases
            SET access_ended_at = \(now), next_attempt_at = \(now), attempts = 0,
                last_error = NULL, claimed_by = NULL, claimed_until = NULL
            WHERE id = ANY(\(leases)) AND claimed_by = \(worker) AND state = 'revoking'
            AND access_ended_at IS NULL
            RETURNING id, least(expires_at, coalesce(revoke_requested_at, expires_at)) AS due_at
            """
        ).items { row throws(PostgresError) in
            (id: try row.decode("id"), dueAt: try row.decode("due_at"))
        }
    }

    /// Says that nothing is left of these.
    ///
    /// - Returns: those that were this worker's to finish.
    package static func close(
        _ leases: [UUIDv7],
        by worker: UUIDv7,
        at now: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [LeaseID] {
        try await transaction.query(
            """
            UPDATE turnpike.leases
            SET state = CASE WHEN issued_at IS NULL THEN 'aborted' ELSE 'revoked' END,
                cleaned_at = \(now), claimed_by = NULL, claimed_until = NULL, last_error = NULL
            WHERE id = ANY(\(leases)) AND claimed_by = \(worker) AND state = 'revoking'
            RETURNING id, profile
            """
        ).items { row throws(PostgresError) in
            LeaseID(
                profile: try row.parsed("profile") { text throws(NameError) in
                    try ProfileName(text)
                },
                id: try row.decode("id")
            )
        }
    }

    /// Gives leases back, to be tried again after a time.
    package static func postpone(
        _ leases: [UUIDv7],
        by worker: UUIDv7,
        seconds: Double,
        because error: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.leases
            SET next_attempt_at = clock_timestamp() + make_interval(secs => \(seconds)),
                attempts = attempts + 1, last_error = \(error), claimed_by = NULL,
                claimed_until = NULL
            WHERE id = ANY(\(leases)) AND claimed_by = \(worker) AND state = 'revoking'
            """
        )
    }

    /// How many leases of each target are in a state, for the metrics.
    package static func openCounts(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [(target: String, state: LeaseState, count: Int)] {
        try await transaction.query(
            """
            SELECT target, state, count(*) AS count FROM turnpike.leases
            WHERE state IN ('creating', 'active', 'revoking') GROUP BY 1, 2
            """
        ).items { row throws(PostgresError) in
            (
                target: try row.decode("target"), state: try row.decode("state"),
                count: try row.decode("count")
            )
        }
    }

    /// Forgets leases that ended long ago; the audit trail keeps what happened.
    package static func prune(
        closedBefore time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.query(
            "DELETE FROM turnpike.lease_principals WHERE asked_at < \(time)"
        )
        return try await transaction.execute(
            """
            DELETE FROM turnpike.leases WHERE id IN (
                SELECT id FROM turnpike.leases
                WHERE state IN ('revoked', 'aborted') AND cleaned_at < \(time) LIMIT 10000
            )
            """
        )
    }
}
