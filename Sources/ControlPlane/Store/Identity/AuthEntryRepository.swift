package import Postgres
package import Wire

/// One thing below `auth/`: a mount, its configuration, or a role.
package struct AuthEntryRow: Equatable, Sendable {
    /// What an entry is.
    package enum Kind: String, Equatable, Sendable, PostgresCodable {
        case mount
        case jwtConfiguration = "jwt_config"
        case jwtRole = "jwt_role"
        case certificateRole = "cert_role"
        case tokenRole = "token_role"
        case appRole = "approle_role"
        case passwordUser = "userpass_user"
        case awsConfiguration = "aws_config"
        case awsRole = "aws_role"
        case kubernetesConfiguration = "kubernetes_config"
        case kubernetesRole = "kubernetes_role"
    }

    /// The canonical resource path, such as `auth/jwt/role/orders`.
    package let path: String
    package let kind: Kind
    package let document: Document
    /// From 1, never used twice.
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let createdBy: String

    package init(
        path: String,
        kind: Kind,
        document: Document,
        version: Int64,
        createdAt: Timestamp,
        updatedAt: Timestamp,
        createdBy: String
    ) {
        self.path = path
        self.kind = kind
        self.document = document
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
    }

    var content: RowContent {
        var content = RowContent(table: "auth_entries", key: path)
        content.add("kind", kind.rawValue)
        content.add("document", document)
        content.add("version", version)
        content.add("created_by", createdBy)
        return content
    }
}

/// What stands below `auth/`, by path; forged rows are absent from every answer.
package enum AuthEntryRepository {
    /// The most names of one list.
    package static let namesMax = 10_000

    private static let columns: SQL = """
        SELECT path, kind, document, version, created_at, updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.audit
                WHERE audit.resource = auth_entries.path
                AND audit.action IN ('auth.put', 'auth.delete') AND audit.outcome = 'success'
                AND (audit.detail::jsonb ->> 'version')::bigint > auth_entries.version
            ) AS superseded
        FROM turnpike.auth_entries
        """

    /// Stores an entry, new or changed.
    package static func put(
        _ row: AuthEntryRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let document = JSONText(String(decoding: JSON.canonical(row.document), as: UTF8.self))
        try await transaction.query(
            """
            INSERT INTO turnpike.auth_entries (
                path, kind, document, version, created_at, updated_at, created_by, mac
            ) VALUES (
                \(row.path), \(row.kind), \(document), \(row.version), \(row.createdAt),
                \(row.updatedAt), \(row.createdBy), \(rowGuard.tag(row.content))
            )
            ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, document = excluded.document,
                version = excluded.version, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
        )
    }

    /// Removes an entry; false if there was none.
    package static func delete(
        _ path: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            "DELETE FROM turnpike.auth_entries WHERE path = \(path)"
        ) == 1
    }

    /// Removes whatever is below a path that ends in a slash.
    package static func delete(
        below prefix: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "DELETE FROM turnpike.auth_entries WHERE starts_with(path, \(prefix))"
        )
    }

    /// The entries at these paths; those that do not exist are left out.
    package static func find(
        _ paths: [String],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AuthEntryRow] {
        try authentic(
            try await transaction.query("\(fragment: columns) WHERE path = ANY(\(paths))"),
            rowGuard
        )
    }

    /// The entries whose paths begin with a text that ends in a slash, in order; of one kind, if said.
    package static func list(
        below prefix: String,
        kind: AuthEntryRow.Kind? = nil,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AuthEntryRow] {
        try authentic(
            try await transaction.query(
                """
                \(fragment: columns) WHERE starts_with(path, \(prefix))
                    AND (\(kind?.rawValue)::text IS NULL OR kind = \(kind?.rawValue))
                ORDER BY path LIMIT \(namesMax)
                """
            ),
            rowGuard
        )
    }

    /// The role of the login approle below a mount that programs name by this id.
    package static func find(
        roleID: String,
        below prefix: String,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> AuthEntryRow? {
        try authentic(
            try await transaction.query(
                """
                \(fragment: columns) WHERE kind = 'approle_role'
                    AND document ->> 'role_id' = \(roleID) AND starts_with(path, \(prefix))
                ORDER BY path LIMIT 2
                """
            ),
            rowGuard
        ).first
    }

    /// The last version that an entry of a path had; 0 if there was none.
    package static func lastVersion(
        of path: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        try await transaction.query(
            """
            SELECT coalesce(max((detail::jsonb ->> 'version')::bigint), 0) FROM turnpike.audit
            WHERE resource = \(path) AND outcome = 'success'
            AND action IN ('auth.put', 'auth.delete')
            """
        ).single().decode(at: 0)
    }

    private static func authentic(
        _ rows: some Sequence<Row>,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> [AuthEntryRow] {
        var entries: [AuthEntryRow] = []
        for row in rows {
            let path: String = try row.decode("path")
            let kind: String = try row.decode("kind")
            let text: JSONText = try row.decode("document")
            // What cannot be read cannot have been written by a server: it has no valid tag.
            guard let known = AuthEntryRow.Kind(rawValue: kind),
                let document = try? JSON.parse(text.text, source: "entry")
            else {
                rowGuard.reportUnreadable(table: "auth_entries", key: path)
                continue
            }
            let entry = AuthEntryRow(
                path: path,
                kind: known,
                document: document,
                version: try row.decode("version"),
                createdAt: try row.decode("created_at"),
                updatedAt: try row.decode("updated_at"),
                createdBy: try row.decode("created_by")
            )
            let isAuthentic = rowGuard.isAuthentic(
                entry.content,
                tag: try row.decode("mac"),
                isSuperseded: try row.decode("superseded")
            )
            if isAuthentic { entries.append(entry) }
        }
        return entries
    }
}
