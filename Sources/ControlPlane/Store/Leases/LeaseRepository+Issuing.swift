package import Mesh
package import Postgres
package import Wire

/// How leases come to be: counted under locks, stored as intents, made active.
extension LeaseRepository {
    /// How many leases are open of each kind that has a bound.
    package struct OpenCounts: Equatable, Sendable {
        package var ofHolders: [String: Int]
        package var ofProfiles: [ProfileName: Int]
        package var ofTarget: Int

        package init(
            ofHolders: [String: Int],
            ofProfiles: [ProfileName: Int],
            ofTarget: Int
        ) {
            self.ofHolders = ofHolders
            self.ofProfiles = ofProfiles
            self.ofTarget = ofTarget
        }
    }

    /// Lets each of these holders ask for one lease after the other.
    ///
    /// They are locked in the order of their names, whoever locks them.
    package static func lock(
        holders: Set<String>,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.lease_principals (principal, asked_at)
            SELECT holder, clock_timestamp() FROM unnest(\(holders.sorted())) AS holder
            ON CONFLICT (principal) DO UPDATE SET asked_at = excluded.asked_at
            """
        )
    }

    /// Counts what is open; who holds nothing is not among them.
    ///
    /// Whoever calls this holds the holders and the target, and counts the profiles under their own
    /// locks, so that nobody else comes to the same count.
    package static func openCounts(
        holders: Set<String>,
        profiles: Set<ProfileName>,
        target: TargetName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> OpenCounts {
        let names = profiles.map(\.text).sorted()
        let answers = try await transaction.batch([
            """
            SELECT FROM turnpike.lease_profiles WHERE name = ANY(\(names))
            ORDER BY name FOR NO KEY UPDATE
            """,
            """
            SELECT holder, count(*) AS count FROM turnpike.leases
            WHERE holder = ANY(\(holders.sorted())) AND state IN ('creating', 'active', 'revoking')
            GROUP BY holder
            """,
            """
            SELECT profile, count(*) AS count FROM turnpike.leases
            WHERE profile = ANY(\(names)) AND state IN ('creating', 'active', 'revoking')
            GROUP BY profile
            """,
            """
            SELECT count(*) FROM turnpike.leases
            WHERE target = \(target.text) AND state IN ('creating', 'active', 'revoking')
            """,
        ])
        guard answers.count == 4 else { throw .unexpectedRowCount(answers.count) }
        var ofHolders: [String: Int] = [:]
        for row in answers[1] { ofHolders[try row.decode("holder")] = try row.decode("count") }
        var ofProfiles: [ProfileName: Int] = [:]
        for row in answers[2] {
            let name = try row.parsed("profile") { text throws(NameError) in try ProfileName(text) }
            ofProfiles[name] = try row.decode("count")
        }
        return OpenCounts(
            ofHolders: ofHolders,
            ofProfiles: ofProfiles,
            ofTarget: try answers[3].single().decode(at: 0)
        )
    }

    /// Stores the intent; nothing has happened on the target yet.
    ///
    /// `holder` is whose bound it counts for; nil for the principal's own.
    package static func insert(
        _ lease: LeaseRow,
        holder: String? = nil,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await insert(
            [(lease: lease, holder: holder ?? lease.principal)],
            guardedBy: rowGuard,
            in: transaction
        )
    }

    /// Stores intents, each with whose bound it counts for, in one round trip.
    package static func insert(
        _ leases: [(lease: LeaseRow, holder: String)],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !leases.isEmpty else { return }
        try await transaction.batch(
            leases.map { insertion($0.lease, holder: $0.holder, guardedBy: rowGuard) }
        )
    }

    private static func insertion(
        _ lease: LeaseRow,
        holder: String,
        guardedBy rowGuard: RowGuard
    ) -> SQL {
        let plan = JSONText(String(decoding: JSON.canonical(lease.plan.document), as: UTF8.self))
        return """
            INSERT INTO turnpike.leases (
                id, profile, target, plan, principal, token, source_address, idempotency_key,
                state, generation, created_at, create_before, expires_at, max_expires_at,
                next_attempt_at, holder, mac
            ) VALUES (
                \(lease.id), \(lease.plan.name.text), \(lease.plan.target.text), \(plan),
                \(lease.principal), \(lease.token), \(lease.sourceAddress),
                \(lease.idempotencyKey), \(lease.state), \(lease.generation), \(lease.createdAt),
                \(lease.createBefore), \(lease.expiresAt), \(lease.maxExpiresAt),
                \(lease.createBefore), \(holder), \(rowGuard.tag(lease.content))
            )
            """
    }

    /// Says that these credentials may be handed out.
    ///
    /// - Returns: those that were not given up meanwhile.
    package static func activate(
        _ ids: [UUIDv7],
        at now: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Set<UUIDv7> {
        let rows = try await transaction.query(
            """
            UPDATE turnpike.leases
            SET state = 'active', issued_at = \(now), next_attempt_at = expires_at
            WHERE id = ANY(\(ids)) AND state = 'creating' AND revoke_requested_at IS NULL
            AND create_before > clock_timestamp() AND expires_at > clock_timestamp()
            RETURNING id
            """
        )
        var activated: Set<UUIDv7> = []
        for row in rows { activated.insert(try row.decode("id")) }
        return activated
    }
}
