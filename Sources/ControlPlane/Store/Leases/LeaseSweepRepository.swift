package import Mesh
package import Postgres
package import Wire

/// The comparison of leases with the roles that a target has, in both directions.
package enum LeaseSweepRepository {
    /// Of these leases those that are not open any more, or never were.
    package static func closed(
        among leases: [UUIDv7],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [UUIDv7] {
        try await transaction.query(
            """
            SELECT asked.id FROM unnest(\(leases)) AS asked (id)
            WHERE NOT EXISTS (
                SELECT FROM turnpike.leases
                WHERE leases.id = asked.id AND state IN ('creating', 'active', 'revoking')
            )
            """
        ).column()
    }

    /// Active leases of a target that were issued before a time and whose role is not among these.
    package static func missing(
        on target: TargetName,
        issuedBefore time: Timestamp,
        present leases: [UUIDv7],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [UUIDv7] {
        try await transaction.query(
            """
            SELECT id FROM turnpike.leases
            WHERE target = \(target.text) AND state = 'active' AND issued_at < \(time)
            AND id <> ALL(\(leases))
            """
        ).column()
    }

    /// Keeps what a sweep found.
    package static func record(
        _ target: TargetName,
        at now: Timestamp,
        orphans: Int,
        missing: Int,
        clockOffsetSeconds: Double,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.lease_sweeps (
                target, swept_at, orphan_roles, missing_roles, clock_offset_seconds
            ) VALUES (
                \(target.text), \(now), \(orphans), \(missing), \(clockOffsetSeconds)
            )
            ON CONFLICT (target) DO UPDATE SET swept_at = excluded.swept_at,
                orphan_roles = excluded.orphan_roles, missing_roles = excluded.missing_roles,
                clock_offset_seconds = excluded.clock_offset_seconds
            """
        )
    }

    /// Targets that nobody has swept since a time.
    package static func due(
        before time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TargetName] {
        try await transaction.query(
            """
            SELECT name FROM turnpike.lease_targets
            LEFT JOIN turnpike.lease_sweeps ON lease_sweeps.target = lease_targets.name
            WHERE (swept_at IS NULL OR swept_at < \(time)) AND decommissioned_at IS NULL
            ORDER BY swept_at NULLS FIRST LIMIT 100
            """
        ).items { row throws(PostgresError) in
            try row.parsed("name") { text throws(NameError) in try TargetName(text) }
        }
    }

    /// Lets every target have its turn at the next sweep.
    package static func forget(in transaction: PostgresTransaction) async throws(PostgresError) {
        try await transaction.query(
            "UPDATE turnpike.lease_sweeps SET swept_at = to_timestamp(0)"
        )
    }

    /// Since when and why ending leases by themselves is held; nil where it is not.
    package static func hold(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (since: Timestamp, reason: String)? {
        let row = try await transaction.query(
            "SELECT held_at, coalesce(reason, '') AS reason FROM turnpike.lease_hold"
        ).single()
        guard let since: Timestamp = try row.decodeIfPresent("held_at") else { return nil }
        return (since, try row.decode("reason"))
    }

    /// Holds, or lets go.
    ///
    /// - Returns: whether that changed anything.
    package static func setHold(
        _ reason: String?,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.lease_hold
            SET held_at = CASE WHEN \(reason)::text IS NULL THEN NULL ELSE clock_timestamp() END,
                reason = \(reason)
            WHERE (held_at IS NULL) <> (\(reason)::text IS NULL)
            """
        ) == 1
    }
}
