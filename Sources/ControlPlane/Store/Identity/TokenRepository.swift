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
    package var expiresAt: Timestamp
    package var revokedAt: Timestamp?
    package let createdBy: String
    /// Nil for a token that was made by the native route, or by a server of an earlier version.
    package var traits: TokenTraits?

    package init(
        accessor: UUIDv7,
        tokenHMAC: [UInt8],
        displayName: String,
        kind: Kind,
        policies: [String],
        createdAt: Timestamp,
        expiresAt: Timestamp,
        createdBy: String,
        traits: TokenTraits? = nil
    ) {
        self.traits = traits
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
    package func isLive(at now: Timestamp) -> Bool {
        revokedAt == nil && expiresAt > now && traits?.usesLeft != 0
    }

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
        // A token without traits is tagged as it always was, so that earlier servers know it; one with
        // them is unknown to those, since they would not hold it to its bounds.
        if let traits {
            content.add("parent", traits.parent)
            content.add("traits", traits.document)
        }
        return content
    }
}

/// Tokens by accessor and by keyed hash; forged rows are absent from every answer.
package enum TokenRepository {
    /// The most tokens of one page.
    package static let pageMax = 1_000

    private static let columns: SQL = """
        SELECT accessor, token_hmac, display_name, kind, policies, created_at, expires_at,
            revoked_at, created_by, parent, traits, mac,
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
                revoked_at, created_by, parent, traits, mac
            ) VALUES (
                \(token.accessor), \(token.tokenHMAC), \(token.displayName), \(token.kind),
                \(token.policies), \(token.createdAt), \(token.expiresAt), \(token.revokedAt),
                \(token.createdBy), \(token.traits?.parent), \(traits(of: token)),
                \(rowGuard.tag(token.content))
            )
            """
        )
    }

    /// Stores the end of a token and what is left of its uses.
    package static func update(
        _ token: TokenRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.tokens
            SET revoked_at = \(token.revokedAt), expires_at = \(token.expiresAt),
                traits = \(traits(of: token)), mac = \(rowGuard.tag(token.content))
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

    /// The token with a public name, locked until the transaction ends.
    package static func lock(
        accessor: UUIDv7,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> TokenRow? {
        let rows = try await transaction.query(
            "\(fragment: columns) WHERE accessor = \(accessor) FOR UPDATE OF tokens"
        )
        return try authentic(rows, rowGuard).first
    }

    /// The most generations above a token that count; one with more is not made.
    package static let ancestorsMax = 16
    /// The most tokens below one that end in the commit that ends it; deeper and further ones end with
    /// it all the same, because whoever is shown a token looks at those above it.
    package static let descendantsMax = 4_096

    /// The tokens above one, the nearest first.
    package static func ancestors(
        of token: TokenRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TokenRow] {
        guard let parent = token.traits?.parent else { return [] }
        let rows = try await transaction.query(
            """
            \(fragment: columns)
            WHERE accessor IN (
                WITH RECURSIVE above AS (
                    SELECT t.accessor, t.parent, 1 AS depth FROM turnpike.tokens t
                    WHERE t.accessor = \(parent)
                    UNION ALL
                    SELECT t.accessor, t.parent, above.depth + 1
                    FROM turnpike.tokens t JOIN above ON t.accessor = above.parent
                    WHERE above.depth <= \(Int32(ancestorsMax))
                )
                SELECT above.accessor FROM above
            )
            """
        )
        let found = try authentic(rows, rowGuard)
        var ancestors: [TokenRow] = []
        var next: UUIDv7? = parent
        while let accessor = next, let row = found.first(where: { $0.accessor == accessor }),
            ancestors.count <= ancestorsMax
        {
            ancestors.append(row)
            next = row.traits?.parent
        }
        return ancestors
    }

    /// The tokens below one that were not revoked yet, locked until the transaction ends.
    package static func lockDescendants(
        of accessor: UUIDv7,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TokenRow] {
        let rows = try await transaction.query(
            """
            \(fragment: columns)
            WHERE revoked_at IS NULL AND accessor IN (
                WITH RECURSIVE below AS (
                    SELECT t.accessor, 1 AS depth FROM turnpike.tokens t
                    WHERE t.parent = \(accessor)
                    UNION ALL
                    SELECT t.accessor, below.depth + 1
                    FROM turnpike.tokens t JOIN below ON t.parent = below.accessor
                    WHERE below.depth <= \(Int32(ancestorsMax))
                )
                SELECT below.accessor FROM below
            )
            ORDER BY accessor LIMIT \(descendantsMax) FOR UPDATE OF tokens
            """
        )
        return try authentic(rows, rowGuard)
    }

    /// The most tokens of a login that end in one commit.
    package static let loginTokensMax = 256

    /// Which tokens of logins end together.
    package enum LoginTokens: Sendable {
        case madeAt(path: String)
        /// Those of workloads whose certificates are denied, and what they made.
        case boundToDenied

        fileprivate var condition: SQL {
            switch self {
            case .madeAt(let path): "traits ->> 'path' = \(path)"
            case .boundToDenied:
                """
                traits ->> 'certificate' IN (
                    SELECT login.traits ->> 'certificate' FROM turnpike.tokens login
                    WHERE login.traits -> 'meta' ->> 'serial_number' IN (
                        SELECT encode(serial, 'hex') FROM turnpike.certificates WHERE is_denied
                    )
                )
                """
            }
        }
    }

    /// Some live tokens of logins after an accessor, locked until the transaction ends, and where to go
    /// on; nil there once there are no more.
    package static func lockLive(
        _ selection: LoginTokens,
        after accessor: UUIDv7?,
        at now: Timestamp,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (tokens: [TokenRow], last: UUIDv7?) {
        let rows = try await transaction.query(
            """
            \(fragment: columns)
            WHERE revoked_at IS NULL AND expires_at > \(now) AND \(fragment: selection.condition)
                AND (\(accessor)::uuid IS NULL OR accessor > \(accessor)::uuid)
            ORDER BY accessor LIMIT \(loginTokensMax) FOR UPDATE OF tokens
            """
        )
        // Forged rows among them are no reason to stop.
        var last: UUIDv7?
        if rows.count == loginTokensMax {
            for row in rows { last = try row.decode("accessor") }
        }
        return (try authentic(rows, rowGuard), last)
    }

    private static func traits(of token: TokenRow) -> JSONText? {
        token.traits.map {
            JSONText(String(decoding: JSON.canonical($0.document), as: UTF8.self))
        }
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
            let parent: UUIDv7? = try row.decodeIfPresent("parent")
            let text: JSONText? = try row.decodeIfPresent("traits")
            if let text {
                token.traits = (try? JSON.parse(text.text, source: "traits")).flatMap {
                    TokenTraits($0, parent: parent)
                }
            }
            // What no server writes: traits that do not read, or a parent without any.
            guard token.traits?.parent == parent, (token.traits == nil) == (text == nil) else {
                rowGuard.reportUnreadable(table: "tokens", key: token.accessor.description)
                continue
            }
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
