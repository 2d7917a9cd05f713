package import Mesh
package import Postgres
package import Wire

/// A policy with what the server keeps about it.
package struct PolicyRow: Equatable, Sendable {
    package let policy: AccessPolicy
    /// From 1, one more with every change: the row's entity tag.
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let createdBy: String

    package init(
        policy: AccessPolicy,
        version: Int64,
        createdAt: Timestamp,
        updatedAt: Timestamp,
        createdBy: String
    ) {
        self.policy = policy
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
    }

    static func content(
        name: String,
        document: Document,
        version: Int64,
        createdBy: String
    ) -> RowContent {
        var content = RowContent(table: "policies", key: name)
        content.add("document", document)
        content.add("version", version)
        content.add("created_by", createdBy)
        return content
    }
}

/// Policies by name; forged rows are absent from every answer.
package enum PolicyRepository {
    /// The most policies of one page.
    package static let pageMax = 1_000

    private static let columns: SQL = """
        SELECT name, document, version, created_at, updated_at, created_by, mac
        FROM turnpike.policies
        """

    /// Stores a policy, new or changed.
    package static func put(
        _ row: PolicyRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let document = row.policy.document
        let text = JSONText(String(decoding: JSON.canonical(document), as: UTF8.self))
        let tag = rowGuard.tag(
            PolicyRow.content(
                name: row.policy.name,
                document: document,
                version: row.version,
                createdBy: row.createdBy
            )
        )
        try await transaction.query(
            """
            INSERT INTO turnpike.policies (
                name, document, version, created_at, updated_at, created_by, mac
            ) VALUES (
                \(row.policy.name), \(text), \(row.version), \(row.createdAt), \(row.updatedAt),
                \(row.createdBy), \(tag)
            )
            ON CONFLICT (name) DO UPDATE SET document = excluded.document,
                version = excluded.version, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
        )
    }

    /// Removes a policy; false if there was none.
    package static func delete(
        _ name: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute("DELETE FROM turnpike.policies WHERE name = \(name)") == 1
    }

    /// The policies with these names; those that do not exist are left out.
    package static func find(
        _ names: [String],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [PolicyRow] {
        let rows = try await transaction.query(
            "\(fragment: columns) WHERE name = ANY(\(names)) ORDER BY name"
        )
        return try authentic(rows, rowGuard)
    }

    /// One page in order of their names, after a name.
    package static func list(
        after name: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<PolicyRow> {
        let limit = max(1, min(limit, pageMax))
        let rows = try await transaction.query(
            """
            \(fragment: columns) \(fragment: name.map { "WHERE name > \($0)" } ?? "")
            ORDER BY name LIMIT \(limit + 1)
            """
        )
        // Rows that count as absent must not look like the end.
        let last: String? = rows.count > limit ? try rows[limit - 1].decode("name") : nil
        return Page(items: try authentic(rows.prefix(limit), rowGuard), next: last)
    }

    private static func authentic(
        _ rows: some Sequence<Row>,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> [PolicyRow] {
        var policies: [PolicyRow] = []
        for row in rows {
            let name: String = try row.decode("name")
            let text: JSONText = try row.decode("document")
            let version: Int64 = try row.decode("version")
            let createdBy: String = try row.decode("created_by")
            // What cannot be read cannot have been written by a server: it has no valid tag.
            let document = (try? JSON.parse(text.text, source: "policy")) ?? .null
            let content = PolicyRow.content(
                name: name,
                document: document,
                version: version,
                createdBy: createdBy
            )
            guard rowGuard.isAuthentic(content, tag: try row.decode("mac")),
                case .policy(let policy)? = try? Resource(.policy, reading: FieldValue(document)),
                policy.name == name
            else { continue }
            policies.append(
                PolicyRow(
                    policy: policy,
                    version: version,
                    createdAt: try row.decode("created_at"),
                    updatedAt: try row.decode("updated_at"),
                    createdBy: createdBy
                )
            )
        }
        return policies
    }
}
