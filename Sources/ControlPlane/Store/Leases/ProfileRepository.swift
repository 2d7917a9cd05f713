package import Mesh
package import Postgres
package import Wire

/// A profile with what the server keeps about it.
package struct ProfileRow: Equatable, Sendable {
    package let profile: LeaseProfile
    /// When a lease of it was issued, used and revoked on the target, as a test.
    package let preflightedAt: Timestamp
    /// From 1, one more with every change, also across a deletion: the row's entity tag.
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let createdBy: String

    package init(
        profile: LeaseProfile,
        preflightedAt: Timestamp,
        version: Int64,
        createdAt: Timestamp,
        updatedAt: Timestamp,
        createdBy: String
    ) {
        self.profile = profile
        self.preflightedAt = preflightedAt
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
    }

    var content: RowContent {
        var content = RowContent(table: "lease_profiles", key: profile.name.text)
        content.add("target", profile.target.text)
        content.add("document", profile.document)
        content.add("preflighted_at", preflightedAt)
        content.add("version", version)
        content.add("created_by", createdBy)
        return content
    }
}

/// What leased roles may do; forged rows are absent from every answer.
package enum ProfileRepository {
    /// The most profiles of one page.
    package static let pageMax = 1_000

    private static let columns: SQL = """
        SELECT name, document, preflighted_at, version, created_at, updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.audit
                WHERE audit.resource = 'database/roles/' || lease_profiles.name
                AND audit.action IN ('profile.put', 'profile.delete') AND audit.outcome = 'success'
                AND (audit.detail::jsonb ->> 'version')::bigint > lease_profiles.version
            ) AS superseded
        FROM turnpike.lease_profiles
        """

    /// Stores a profile, new or changed.
    package static func put(
        _ row: ProfileRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let document = JSONText(
            String(decoding: JSON.canonical(row.profile.document), as: UTF8.self)
        )
        try await transaction.query(
            """
            INSERT INTO turnpike.lease_profiles (
                name, target, document, preflighted_at, version, created_at, updated_at,
                created_by, mac
            ) VALUES (
                \(row.profile.name.text), \(row.profile.target.text), \(document),
                \(row.preflightedAt), \(row.version), \(row.createdAt), \(row.updatedAt),
                \(row.createdBy), \(rowGuard.tag(row.content))
            )
            ON CONFLICT (name) DO UPDATE SET target = excluded.target,
                document = excluded.document, preflighted_at = excluded.preflighted_at,
                version = excluded.version, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
        )
    }

    /// Removes a profile; false if there was none.
    ///
    /// Leases of it go on with what they copied.
    package static func delete(
        _ name: ProfileName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            "DELETE FROM turnpike.lease_profiles WHERE name = \(name.text)"
        ) == 1
    }

    /// One profile by name.
    package static func find(
        _ name: ProfileName,
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> ProfileRow? {
        let rows = try await transaction.query(
            "\(fragment: columns) WHERE name = \(name.text)"
        )
        return try authentic(rows, rowGuard).first
    }

    /// One page in order of their names, after a name.
    package static func list(
        after name: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<ProfileRow> {
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
    ) throws(PostgresError) -> [ProfileRow] {
        var profiles: [ProfileRow] = []
        for row in rows {
            let name: String = try row.decode("name")
            guard let profile = LeaseDocument.profile(name, try row.decode("document")) else {
                rowGuard.reportUnreadable(table: "lease_profiles", key: name)
                continue
            }
            let stored = ProfileRow(
                profile: profile,
                preflightedAt: try row.decode("preflighted_at"),
                version: try row.decode("version"),
                createdAt: try row.decode("created_at"),
                updatedAt: try row.decode("updated_at"),
                createdBy: try row.decode("created_by")
            )
            let isAuthentic = rowGuard.isAuthentic(
                stored.content,
                tag: try row.decode("mac"),
                isSuperseded: try row.decode("superseded")
            )
            if isAuthentic { profiles.append(stored) }
        }
        return profiles
    }
}
