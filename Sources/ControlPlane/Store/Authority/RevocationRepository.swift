package import Mesh
package import Postgres
package import Wire

/// A service that gets no certificates until it is allowed again.
package struct RevokedService: Equatable, Sendable {
    package let service: ServiceName
    /// Why, for people.
    package let reason: String
    package let revokedAt: Timestamp
    package let revokedBy: String

    package init(service: ServiceName, reason: String, revokedAt: Timestamp, revokedBy: String) {
        self.service = service
        self.reason = reason
        self.revokedAt = revokedAt
        self.revokedBy = revokedBy
    }
}

/// Identities that are out, and the certificates that are denied because of it.
package enum RevocationRepository {
    private static let select: SQL = """
        SELECT namespace, service, reason, revoked_at, revoked_by FROM turnpike.revoked_services
        """

    /// Signs no more for a service; the first reason stays.
    ///
    /// - Returns: whether it was signed for until now.
    package static func insert(
        _ row: RevokedService,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            INSERT INTO turnpike.revoked_services (
                namespace, service, reason, revoked_at, revoked_by
            ) VALUES (
                \(row.service.namespace.text), \(row.service.name.text), \(row.reason),
                \(row.revokedAt), \(row.revokedBy)
            ) ON CONFLICT (namespace, service) DO NOTHING
            """
        ).affectedCount == 1
    }

    /// Signs again for a service.
    ///
    /// - Returns: whether it was out.
    package static func remove(
        _ service: ServiceName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            DELETE FROM turnpike.revoked_services
            WHERE namespace = \(service.namespace.text) AND service = \(service.name.text)
            """
        ).affectedCount == 1
    }

    /// Why a service is out; nil if it is not.
    package static func find(
        _ service: ServiceName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> RevokedService? {
        try await transaction.query(
            """
            \(fragment: select)
            WHERE namespace = \(service.namespace.text) AND service = \(service.name.text)
            """
        ).items { row throws(PostgresError) in try read(row) }.first
    }

    /// Every service that is out, in order of name.
    package static func list(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [RevokedService] {
        try await transaction.query(
            "\(fragment: select) ORDER BY namespace, service LIMIT 10000"
        ).items { row throws(PostgresError) in try read(row) }
    }

    /// Keeps everybody who issues for a service or an agent waiting until this transaction ends,
    /// or waits for those who do: no certificate is issued beside a revocation that misses it.
    package static func lockForRevocation(
        of service: ServiceName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            SELECT name FROM turnpike.services
            WHERE namespace = \(service.namespace.text) AND name = \(service.name.text)
            FOR NO KEY UPDATE
            """
        )
    }

    /// The other side of `lockForRevocation`, for who issues; an agent's row is locked against its
    /// own revocation too.
    package static func lockForIssuance(
        of service: ServiceName?,
        to agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        if let service {
            try await transaction.query(
                """
                SELECT name FROM turnpike.services
                WHERE namespace = \(service.namespace.text) AND name = \(service.name.text)
                FOR SHARE
                """
            )
        }
        try await transaction.query(
            "SELECT name FROM turnpike.agents WHERE name = \(agent.text) FOR SHARE"
        )
    }

    /// Denies every certificate of a service that has not ended.
    ///
    /// - Returns: how many.
    package static func deny(
        service: ServiceName,
        reason: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.query(
            """
            UPDATE turnpike.certificates SET is_denied = true,
                revoked_at = coalesce(revoked_at, now()),
                revocation_reason = coalesce(revocation_reason, \(reason))
            WHERE kind = 'service' AND namespace = \(service.namespace.text)
                AND service = \(service.name.text) AND not_after > now() AND NOT is_denied
            """
        ).affectedCount
    }

    /// Denies every certificate that an agent holds and that has not ended, of services too.
    ///
    /// - Returns: how many.
    package static func deny(
        agent: AgentName,
        reason: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.query(
            """
            UPDATE turnpike.certificates SET is_denied = true,
                revoked_at = coalesce(revoked_at, now()),
                revocation_reason = coalesce(revocation_reason, \(reason))
            WHERE agent = \(agent.text) AND not_after > now() AND NOT is_denied
            """
        ).affectedCount
    }

    /// Cuts what has outlived the certificates of a service.
    package static func cutOff(
        service: ServiceName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.revocation_cutoffs (namespace, service, until, made_at)
            SELECT \(service.namespace.text), \(service.name.text),
                greatest(max(not_after), now()), now()
            FROM turnpike.certificates WHERE kind = 'service'
                AND namespace = \(service.namespace.text) AND service = \(service.name.text)
            ON CONFLICT (namespace, service) DO UPDATE
                SET until = greatest(excluded.until, revocation_cutoffs.until),
                    made_at = excluded.made_at
            """
        )
    }

    /// Cuts what has outlived certificates of an agent's services.
    ///
    /// A connection does not tell on which host its peer's certificate was, so those of other
    /// hosts that have outlived theirs go too, and come back with new ones.
    package static func cutOff(
        servicesOf agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.revocation_cutoffs (namespace, service, until, made_at)
            SELECT namespace, service, greatest(max(not_after), now()), now()
            FROM turnpike.certificates WHERE kind = 'service' AND agent = \(agent.text)
            GROUP BY namespace, service
            ON CONFLICT (namespace, service) DO UPDATE
                SET until = greatest(excluded.until, revocation_cutoffs.until),
                    made_at = excluded.made_at
            """
        )
    }

    /// By service: which certificates vouch for no connection any more once they have ended.
    package static func cutoffs(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [ServiceName: Timestamp] {
        let rows = try await transaction.query(
            "SELECT namespace, service, until FROM turnpike.revocation_cutoffs"
        )
        var cutoffs: [ServiceName: Timestamp] = [:]
        for row in rows {
            cutoffs[try row.serviceName("namespace", "service")] = try row.decode("until")
        }
        return cutoffs
    }

    /// How many certificates of a service an agent holds that have not ended, at most `limit`.
    package static func liveCount(
        of service: ServiceName,
        on agent: AgentName,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.query(
            """
            SELECT count(*) FROM (
                SELECT FROM turnpike.certificates WHERE agent = \(agent.text)
                    AND namespace = \(service.namespace.text) AND service = \(service.name.text)
                    AND not_after > now()
                LIMIT \(limit)
            ) AS live
            """
        ).single().decode(at: 0)
    }

    /// The serial numbers that agents are told.
    package static func denied(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Set<[UInt8]> {
        Set(
            try await transaction.query(
                "SELECT serial FROM turnpike.certificates WHERE is_denied"
            ).items { row throws(PostgresError) -> [UInt8]? in try row.decode("serial") }
        )
    }

    /// Takes certificates that had ended by a time off the list, and cut-offs of before another.
    ///
    /// - Returns: how many.
    package static func forget(
        endedBefore time: Timestamp,
        cutBefore cut: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        let certificates = try await transaction.query(
            """
            UPDATE turnpike.certificates SET is_denied = false
            WHERE is_denied AND not_after < \(time)
            """
        ).affectedCount
        let cutoffs = try await transaction.query(
            "DELETE FROM turnpike.revocation_cutoffs WHERE made_at < \(cut)"
        ).affectedCount
        return certificates + cutoffs
    }

    /// Whether there is anything for `forget` to do.
    package static func hasEnded(
        before time: Timestamp,
        cutBefore cut: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            SELECT EXISTS (
                SELECT FROM turnpike.certificates WHERE is_denied AND not_after < \(time)
            ) OR EXISTS (SELECT FROM turnpike.revocation_cutoffs WHERE made_at < \(cut))
            """
        ).single().decode(at: 0)
    }

    private static func read(_ row: Row) throws(PostgresError) -> RevokedService {
        RevokedService(
            service: try row.serviceName("namespace", "service"),
            reason: try row.decode("reason"),
            revokedAt: try row.decode("revoked_at"),
            revokedBy: try row.decode("revoked_by")
        )
    }
}
