package import Mesh
package import Postgres
package import Wire

/// A target with what the server keeps about it.
package struct TargetRow: Equatable, Sendable {
    package let target: LeaseTarget
    /// The administrator's password, sealed for this very version of the row.
    package let sealedPassword: [UInt8]
    package let decommissionedAt: Timestamp?
    /// From 1, one more with every change, also across a deletion: the row's entity tag.
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let createdBy: String

    package init(
        target: LeaseTarget,
        sealedPassword: [UInt8],
        decommissionedAt: Timestamp? = nil,
        version: Int64,
        createdAt: Timestamp,
        updatedAt: Timestamp,
        createdBy: String
    ) {
        self.target = target
        self.sealedPassword = sealedPassword
        self.decommissionedAt = decommissionedAt
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
    }

    var content: RowContent {
        var content = RowContent(table: "lease_targets", key: target.name.text)
        content.add("document", target.document)
        content.add("sealed_password", sealedPassword)
        content.add("decommissioned_at", decommissionedAt)
        content.add("version", version)
        content.add("created_by", createdBy)
        return content
    }
}

/// Servers on which roles are leased; forged rows are absent from every answer.
package enum TargetRepository {
    /// The most targets of one page.
    package static let pageMax = 1_000

    private static let columns: SQL = """
        SELECT name, document, sealed_password, decommissioned_at, version, created_at, updated_at,
            created_by, mac,
            EXISTS (
                SELECT FROM turnpike.audit
                WHERE audit.resource = 'database/config/' || lease_targets.name
                AND audit.action IN ('target.put', 'target.delete') AND audit.outcome = 'success'
                AND (audit.detail::jsonb ->> 'version')::bigint > lease_targets.version
            ) AS superseded
        FROM turnpike.lease_targets
        """

    /// Stores a target, new or changed.
    package static func put(
        _ row: TargetRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let document = JSONText(
            String(decoding: JSON.canonical(row.target.document), as: UTF8.self)
        )
        try await transaction.query(
            """
            INSERT INTO turnpike.lease_targets (
                name, document, sealed_password, decommissioned_at, version, created_at,
                updated_at, created_by, mac
            ) VALUES (
                \(row.target.name.text), \(document), \(row.sealedPassword),
                \(row.decommissionedAt), \(row.version), \(row.createdAt), \(row.updatedAt),
                \(row.createdBy), \(rowGuard.tag(row.content))
            )
            ON CONFLICT (name) DO UPDATE SET document = excluded.document,
                sealed_password = excluded.sealed_password,
                decommissioned_at = excluded.decommissioned_at, version = excluded.version,
                created_at = excluded.created_at, updated_at = excluded.updated_at,
                created_by = excluded.created_by, mac = excluded.mac
            """
        )
    }

    /// Removes a target, with its leases that have ended.
    ///
    /// Throws a foreign key violation while a profile or an open lease is left.
    package static func delete(
        _ name: TargetName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            DELETE FROM turnpike.leases
            WHERE target = \(name.text) AND state IN ('revoked', 'aborted')
            """
        )
        return try await transaction.execute(
            "DELETE FROM turnpike.lease_targets WHERE name = \(name.text)"
        ) == 1
    }

    /// How a row is held until the transaction ends.
    package enum Hold: Equatable, Sendable {
        /// Against changes, and against everybody who counts what is open on it.
        case counted
        /// Against everybody who holds it.
        case exclusive

        fileprivate var clause: SQL {
            switch self {
            case .counted: "FOR NO KEY UPDATE"
            case .exclusive: "FOR UPDATE"
            }
        }
    }

    /// One target by name.
    package static func find(
        _ name: TargetName,
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> TargetRow? {
        let rows = try await transaction.query("\(fragment: columns) WHERE name = \(name.text)")
        return try authentic(rows, rowGuard).first
    }

    /// One target by name, held until the transaction ends.
    package static func find(
        _ name: TargetName,
        hold: Hold,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> TargetRow? {
        let rows = try await transaction.query(
            """
            \(fragment: columns) WHERE name = \(name.text)
            \(fragment: hold.clause)
            """
        )
        return try authentic(rows, rowGuard).first
    }

    /// One page in order of their names, after a name.
    package static func list(
        after name: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<TargetRow> {
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

    /// The highest version that anything of a resource ever had, by the audit trail.
    package static func lastVersion(
        of resource: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        try await transaction.query(
            """
            SELECT coalesce(max((detail::jsonb ->> 'version')::bigint), 0) FROM turnpike.audit
            WHERE resource = \(resource) AND outcome = 'success'
            AND action IN ('target.put', 'target.delete', 'profile.put', 'profile.delete')
            """
        ).single().decode(at: 0)
    }

    private static func authentic(
        _ rows: some Sequence<Row>,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> [TargetRow] {
        var targets: [TargetRow] = []
        for row in rows {
            let name: String = try row.decode("name")
            // What cannot be read cannot have been written by a server: it has no valid tag.
            guard let target = LeaseDocument.target(name, try row.decode("document")) else {
                rowGuard.reportUnreadable(table: "lease_targets", key: name)
                continue
            }
            let stored = TargetRow(
                target: target,
                sealedPassword: try row.decode("sealed_password"),
                decommissionedAt: try row.decodeIfPresent("decommissioned_at"),
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
            if isAuthentic { targets.append(stored) }
        }
        return targets
    }
}

/// Targets and profiles as their rows keep them: the REST form, with the name.
enum LeaseDocument {
    static func target(_ name: String, _ text: JSONText) -> LeaseTarget? {
        guard let name = try? TargetName(name), let value = value(text, name.text) else {
            return nil
        }
        return try? value.map { reader throws(FieldError) in
            _ = reader.optional("name")
            return try LeaseTarget(name: name, from: &reader, at: value)
        }
    }

    static func profile(_ name: String, _ text: JSONText) -> LeaseProfile? {
        guard let name = try? ProfileName(name), let value = value(text, name.text) else {
            return nil
        }
        return try? value.map { reader throws(FieldError) in
            _ = reader.optional("name")
            return try LeaseProfile(name: name, from: &reader, at: value)
        }
    }

    private static func value(_ text: JSONText, _ name: String) -> FieldValue? {
        guard let document = try? JSON.parse(text.text, source: name) else { return nil }
        return FieldValue(document)
    }
}
