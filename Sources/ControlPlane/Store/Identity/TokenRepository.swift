package import Postgres
package import Wire

/// A token as it is kept: who holds it can call, and nothing here can give it back.
package struct TokenRow: Equatable, Sendable {
    /// What a token is for.
    package enum Kind: String, Equatable, Sendable, PostgresCodable {
        /// Made at the first start; dies when the first administrator exists.
        case bootstrap
        case service
    }

    /// The public name.
    package let accessor: UUIDv7
    package let tokenHMAC: [UInt8]
    package let displayName: String
    package let kind: Kind
    package let policies: [String]
    package let createdAt: Timestamp
    package let expiresAt: Timestamp
    package var revokedAt: Timestamp?
    package let createdBy: String

    package init(
        accessor: UUIDv7,
        tokenHMAC: [UInt8],
        displayName: String,
        kind: Kind,
        policies: [String],
        createdAt: Timestamp,
        expiresAt: Timestamp,
        createdBy: String
    ) {
        self.accessor = accessor
        self.tokenHMAC = tokenHMAC
        self.displayName = displayName
        self.kind = kind
        self.policies = policies
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.createdBy = createdBy
    }

    /// Whether it may be used at a time of the database's clock.
    package func isLive(at now: Timestamp) -> Bool { revokedAt == nil && expiresAt > now }

    /// What the MAC covers; the revocation too, so that taking it back is noticed.
    var content: RowContent {
        var content = RowContent(table: "tokens", key: accessor.description)
        content.add("token_hmac", tokenHMAC)
        content.add("display_name", displayName)
        content.add("kind", kind.rawValue)
        content.add("policies", policies)
        content.add("created_at", createdAt)
        content.add("expires_at", expiresAt)
        content.add("revoked_at", revokedAt)
        content.add("created_by", createdBy)
        return content
    }
}

/// Tokens by accessor and by keyed hash; forged rows are absent from every answer.
package enum TokenRepository {
    /// The most tokens of one page.
    package static let pageMax = 1_000

    private static let columns: SQL = """
        SELECT accessor, token_hmac, display_name, kind, policies, created_at, expires_at,
            revoked_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.audit
                WHERE audit.resource = 'tokens/' || tokens.accessor
                AND audit.action = 'token.revoke' AND audit.outcome = 'success'
            ) AS was_revoked
        FROM turnpike.tokens
        """

    /// Stores a new token.
    package static func insert(
        _ token: TokenRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.tokens (
                accessor, token_hmac, display_name, kind, policies, created_at, expires_at,
                revoked_at, created_by, mac
            ) VALUES (
                \(token.accessor), \(token.tokenHMAC), \(token.displayName), \(token.kind),
                \(token.policies), \(token.createdAt), \(token.expiresAt), \(token.revokedAt),
                \(token.createdBy), \(rowGuard.tag(token.content))
            )
            """
        )
    }

    /// Stores the end of a token.
    package static func update(
        _ token: TokenRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.tokens
            SET revoked_at = \(token.revokedAt), mac = \(rowGuard.tag(token.content))
            WHERE accessor = \(token.accessor)
            """
        )
    }

    /// The token with one of these keyed hashes (one per version of the key), and the time.
    package static func find(
        anyHMAC hmacs: [[UInt8]],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (token: TokenRow?, now: Timestamp) {
        let answers = try await transaction.batch([
            "\(fragment: columns) WHERE token_hmac = ANY(\(hmacs))",
            "SELECT clock_timestamp()",
        ])
        guard answers.count == 2 else { throw .unexpectedRowCount(answers.count) }
        return (
            try authentic(answers[0], rowGuard).first, try answers[1].single().decode(at: 0)
        )
    }

    /// The token with a public name.
    package static func find(
        accessor: UUIDv7,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> TokenRow? {
        let rows = try await transaction.query(
            "\(fragment: columns) WHERE accessor = \(accessor)"
        )
        return try authentic(rows, rowGuard).first
    }

    /// One page in order of creation, after a token; `next` is the accessor to continue with.
    package static func list(
        after accessor: UUIDv7?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<TokenRow> {
        let limit = max(1, min(limit, pageMax))
        let condition: SQL =
            accessor.map {
                """
                WHERE (created_at, accessor) >
                    (SELECT created_at, accessor FROM turnpike.tokens WHERE accessor = \($0))
                """
            } ?? ""
        let rows = try await transaction.query(
            """
            \(fragment: columns) \(fragment: condition)
            ORDER BY created_at, accessor LIMIT \(limit + 1)
            """
        )
        // Rows that count as absent must not look like the end.
        let last: UUIDv7? = rows.count > limit ? try rows[limit - 1].decode("accessor") : nil
        return Page(
            items: try authentic(rows.prefix(limit), rowGuard),
            next: last?.description
        )
    }

    /// Every live token that holds a policy.
    package static func live(
        holding policy: String,
        at now: Timestamp,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TokenRow] {
        let rows = try await transaction.query(
            """
            \(fragment: columns)
            WHERE \(policy) = ANY(policies) AND revoked_at IS NULL AND expires_at > \(now)
            ORDER BY accessor
            """
        )
        return try authentic(rows, rowGuard)
    }

    private static func authentic(
        _ rows: some Sequence<Row>,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> [TokenRow] {
        var tokens: [TokenRow] = []
        for row in rows {
            var token = TokenRow(
                accessor: try row.decode("accessor"),
                tokenHMAC: try row.decode("token_hmac"),
                displayName: try row.decode("display_name"),
                kind: try row.decode("kind"),
                policies: try row.decode("policies"),
                createdAt: try row.decode("created_at"),
                expiresAt: try row.decode("expires_at"),
                createdBy: try row.decode("created_by")
            )
            token.revokedAt = try row.decodeIfPresent("revoked_at")
            // A copy from before the revocation has a valid tag, but the audit trail remembers.
            let wasRevoked: Bool = try row.decode("was_revoked")
            let isAuthentic = rowGuard.isAuthentic(
                token.content,
                tag: try row.decode("mac"),
                isSuperseded: wasRevoked && token.revokedAt == nil
            )
            if isAuthentic { tokens.append(token) }
        }
        return tokens
    }
}
