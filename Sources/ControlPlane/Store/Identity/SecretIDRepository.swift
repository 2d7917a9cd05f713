package import Postgres
package import Wire

/// One secret id of a role, without the secret.
package struct SecretIDRow: Equatable, Sendable {
    package let accessor: UUIDv7
    /// The identity of its role.
    package let role: UUIDv7
    package let rolePath: String
    package let secretHMAC: [UInt8]
    /// Nil for as often as one likes.
    package var usesLeft: Int64?
    /// What it was made with: bounds and metadata.
    package let document: Document
    package let createdAt: Timestamp
    package let expiresAt: Timestamp
    package let createdBy: String

    package init(
        accessor: UUIDv7,
        role: UUIDv7,
        rolePath: String,
        secretHMAC: [UInt8],
        usesLeft: Int64?,
        document: Document,
        createdAt: Timestamp,
        expiresAt: Timestamp,
        createdBy: String
    ) {
        self.accessor = accessor
        self.role = role
        self.rolePath = rolePath
        self.secretHMAC = secretHMAC
        self.usesLeft = usesLeft
        self.document = document
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.createdBy = createdBy
    }

    /// What audit records about it concern.
    package var resource: String { "auth/secret-id/\(accessor)" }

    var content: RowContent {
        var content = RowContent(table: "secret_ids", key: accessor.description)
        content.add("role", role)
        content.add("role_path", rolePath)
        content.add("secret_hmac", secretHMAC)
        content.add("uses_left", usesLeft)
        content.add("document", document)
        content.add("created_at", createdAt)
        content.add("expires_at", expiresAt)
        content.add("created_by", createdBy)
        return content
    }
}

/// Secret ids by role; forged rows are absent from every answer.
package enum SecretIDRepository {
    /// The most names of one list.
    package static let namesMax = 10_000

    private static let columns: SQL = """
        SELECT accessor, role, role_path, secret_hmac, uses_left, document, created_at, expires_at,
            created_by, mac,
            EXISTS (
                SELECT FROM turnpike.audit
                WHERE audit.resource = 'auth/secret-id/' || secret_ids.accessor
                AND audit.action IN ('auth.secret_id_use', 'auth.secret_id_end')
                AND audit.outcome = 'success'
                AND (audit.detail::jsonb ->> 'uses_left')::bigint < coalesce(uses_left, 1)
            ) AS superseded
        FROM turnpike.secret_ids
        """

    /// Stores a new one, and forgets those that expired more than a day ago.
    package static func insert(
        _ row: SecretIDRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.secret_ids WHERE accessor IN (
                SELECT accessor FROM turnpike.secret_ids
                WHERE expires_at < statement_timestamp() - interval '1 day'
                LIMIT 100 FOR UPDATE SKIP LOCKED
            )
            """
        )
        let document = JSONText(String(decoding: JSON.canonical(row.document), as: UTF8.self))
        try await transaction.query(
            """
            INSERT INTO turnpike.secret_ids (
                accessor, role, role_path, secret_hmac, uses_left, document, created_at,
                expires_at, created_by, mac
            ) VALUES (
                \(row.accessor), \(row.role), \(row.rolePath), \(row.secretHMAC), \(row.usesLeft),
                \(document), \(row.createdAt), \(row.expiresAt), \(row.createdBy),
                \(rowGuard.tag(row.content))
            )
            """
        )
    }

    /// The one with one of these keyed hashes.
    package static func find(
        anyHMAC hmacs: [[UInt8]],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> SecretIDRow? {
        try authentic(
            try await transaction.query(
                "\(fragment: columns) WHERE secret_hmac = ANY(\(hmacs))"
            ),
            rowGuard
        ).first
    }

    /// One of a role.
    package static func find(
        _ accessor: UUIDv7,
        of role: UUIDv7,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> SecretIDRow? {
        try authentic(
            try await transaction.query(
                "\(fragment: columns) WHERE accessor = \(accessor) AND role = \(role)"
            ),
            rowGuard
        ).first
    }

    /// Locks one until the transaction ends; what is read after that is its last state.
    package static func lock(
        _ accessor: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "SELECT FROM turnpike.secret_ids WHERE accessor = \(accessor) FOR UPDATE"
        )
    }

    /// Those of a role that have not expired, by when they were made.
    package static func accessors(
        of role: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [UUIDv7] {
        let rows = try await transaction.query(
            """
            SELECT accessor FROM turnpike.secret_ids
            WHERE role = \(role) AND expires_at > clock_timestamp()
            ORDER BY accessor LIMIT \(namesMax)
            """
        )
        var accessors: [UUIDv7] = []
        for row in rows { accessors.append(try row.decode("accessor")) }
        return accessors
    }

    /// How many of a role have not expired.
    package static func count(
        of role: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        try await transaction.query(
            """
            SELECT count(*) FROM turnpike.secret_ids
            WHERE role = \(role) AND expires_at > clock_timestamp()
            """
        ).single().decode(at: 0)
    }

    /// Writes the uses that are left.
    package static func update(
        _ row: SecretIDRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.secret_ids SET uses_left = \(row.usesLeft),
                mac = \(rowGuard.tag(row.content))
            WHERE accessor = \(row.accessor)
            """
        )
    }

    /// Removes one.
    package static func delete(
        _ accessor: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "DELETE FROM turnpike.secret_ids WHERE accessor = \(accessor)"
        )
    }

    /// Removes those of a role, or with a slash at the end of all roles below a path.
    package static func delete(
        below path: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.secret_ids
            WHERE role_path = \(path) OR (\(path.hasSuffix("/")) AND starts_with(role_path, \(path)))
            """
        )
    }

    private static func authentic(
        _ rows: some Sequence<Row>,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> [SecretIDRow] {
        var found: [SecretIDRow] = []
        for row in rows {
            let accessor: UUIDv7 = try row.decode("accessor")
            let text: JSONText = try row.decode("document")
            guard let document = try? JSON.parse(text.text, source: "secret id") else {
                rowGuard.reportUnreadable(table: "secret_ids", key: accessor.description)
                continue
            }
            let one = SecretIDRow(
                accessor: accessor,
                role: try row.decode("role"),
                rolePath: try row.decode("role_path"),
                secretHMAC: try row.decode("secret_hmac"),
                usesLeft: try row.decodeIfPresent("uses_left"),
                document: document,
                createdAt: try row.decode("created_at"),
                expiresAt: try row.decode("expires_at"),
                createdBy: try row.decode("created_by")
            )
            let isAuthentic = rowGuard.isAuthentic(
                one.content,
                tag: try row.decode("mac"),
                isSuperseded: try row.decode("superseded")
            )
            if isAuthentic { found.append(one) }
        }
        return found
    }
}
