package import Mesh
package import Postgres
package import Wire

/// The right to enrol one host; the secret itself is not kept.
package struct JoinTokenRow: Equatable, Sendable {
    package let id: UUIDv7
    package let tokenHMAC: [UInt8]
    package let agent: AgentName
    package let createdAt: Timestamp
    package let expiresAt: Timestamp
    package var revokedAt: Timestamp?
    /// SHA-256 of the public key that redeemed it: only that key may redeem it again.
    package var redeemedSPKI: [UInt8]?
    package var redeemedAt: Timestamp?
    package let createdBy: String

    package init(
        id: UUIDv7,
        tokenHMAC: [UInt8],
        agent: AgentName,
        createdAt: Timestamp,
        expiresAt: Timestamp,
        createdBy: String
    ) {
        self.id = id
        self.tokenHMAC = tokenHMAC
        self.agent = agent
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.createdBy = createdBy
    }

    var content: RowContent {
        var content = RowContent(table: "join_tokens", key: id.description)
        content.add("token_hmac", tokenHMAC)
        content.add("agent", agent.text)
        content.add("created_at", createdAt)
        content.add("expires_at", expiresAt)
        content.add("revoked_at", revokedAt)
        content.add("redeemed_spki", redeemedSPKI)
        content.add("redeemed_at", redeemedAt)
        content.add("created_by", createdBy)
        return content
    }
}

/// Join tokens; forged rows are absent from every answer.
package enum JoinTokenRepository {
    private static let select: SQL = """
        SELECT id, token_hmac, agent, created_at, expires_at, revoked_at, redeemed_spki,
            redeemed_at, created_by, mac
        FROM turnpike.join_tokens
        """

    /// Stores a join token, new or changed.
    package static func put(
        _ row: JoinTokenRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.join_tokens (
                id, token_hmac, agent, created_at, expires_at, revoked_at, redeemed_spki,
                redeemed_at, created_by, mac
            ) VALUES (
                \(row.id), \(row.tokenHMAC), \(row.agent.text), \(row.createdAt),
                \(row.expiresAt), \(row.revokedAt), \(row.redeemedSPKI), \(row.redeemedAt),
                \(row.createdBy), \(rowGuard.tag(row.content))
            )
            ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at,
                redeemed_spki = excluded.redeemed_spki, redeemed_at = excluded.redeemed_at,
                mac = excluded.mac
            """
        )
    }

    /// The token with one of these keyed hashes, locked until the transaction ends, so that two
    /// hosts cannot redeem it at once.
    package static func lock(
        anyHMAC hmacs: [[UInt8]],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> JoinTokenRow? {
        try await transaction.query(
            "\(fragment: select) WHERE token_hmac = ANY(\(hmacs)) FOR UPDATE"
        ).items { row throws(PostgresError) in try read(row, rowGuard) }.first
    }

    /// The token with one of these keyed hashes.
    package static func find(
        anyHMAC hmacs: [[UInt8]],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> JoinTokenRow? {
        try await transaction.query("\(fragment: select) WHERE token_hmac = ANY(\(hmacs))")
            .items { row throws(PostgresError) in try read(row, rowGuard) }.first
    }

    /// The token of an id.
    package static func find(
        _ id: UUIDv7,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> JoinTokenRow? {
        try await transaction.query("\(fragment: select) WHERE id = \(id)")
            .items { row throws(PostgresError) in try read(row, rowGuard) }.first
    }

    /// The tokens of an agent, the latest first.
    package static func list(
        agent: AgentName,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [JoinTokenRow] {
        try await transaction.query(
            """
            \(fragment: select) WHERE agent = \(agent.text)
            ORDER BY created_at DESC, id DESC LIMIT 1000
            """
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// Every token of an agent that still counts at a time.
    package static func live(
        agent: AgentName,
        at now: Timestamp,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [JoinTokenRow] {
        try await transaction.query(
            """
            \(fragment: select) WHERE agent = \(agent.text) AND revoked_at IS NULL
            AND expires_at > \(now) ORDER BY created_at, id
            """
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> JoinTokenRow? {
        var token = JoinTokenRow(
            id: try row.decode("id"),
            tokenHMAC: try row.decode("token_hmac"),
            agent: try row.label("agent"),
            createdAt: try row.decode("created_at"),
            expiresAt: try row.decode("expires_at"),
            createdBy: try row.decode("created_by")
        )
        token.revokedAt = try row.decodeIfPresent("revoked_at")
        token.redeemedSPKI = try row.decodeIfPresent("redeemed_spki")
        token.redeemedAt = try row.decodeIfPresent("redeemed_at")
        let tag: [UInt8] = try row.decode("mac")
        return rowGuard.isAuthentic(token.content, tag: tag) ? token : nil
    }
}
