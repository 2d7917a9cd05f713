package import Postgres

/// Versions with their paths and their mount, from one state of the database.
extension SecretRepository {
    /// What a read of one version needs, from one state of the database.
    package struct Reading: Sendable {
        package let mount: Found<SecretMountRow>
        package let key: Found<SecretKeyRow>
        package let version: Found<SecretVersionRow>
    }

    /// Which version of which path is read; nil is the current one.
    package struct Wanted: Equatable, Sendable {
        package let path: String
        package let version: Int64?

        package init(path: String, version: Int64?) {
            self.path = path
            self.version = version
        }
    }

    /// A path with one of its versions.
    package static func find(
        mount: String,
        path: String,
        version: Int64?,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Reading {
        try await find(
            mount: mount,
            [Wanted(path: path, version: version)],
            guardedBy: rowGuard,
            in: transaction
        ).first ?? Reading(mount: .absent, key: .absent, version: .absent)
    }

    /// Paths with one of their versions each, in the order of the wishes; none without the mount.
    package static func find(
        mount: String,
        _ wanted: [Wanted],
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Reading] {
        // One statement, so that all is of one state; versions count from 1.
        let rows = try await transaction.query(
            """
            SELECT m.mount, m.sequence, m.config, m.sealed, m.updated_at, m.mac,
                k.path, k.current_version, k.oldest_version, k.state, k.sequence AS key_sequence,
                k.created_at AS key_created_at, k.updated_at AS key_updated_at, k.mac AS key_mac,
                v.version, v.sealed AS value_sealed, v.sealed_sequence AS value_sealed_sequence,
                v.sequence AS value_sequence, v.created_at AS value_created_at,
                v.deletion_time AS value_deletion_time, v.mac AS value_mac
            FROM turnpike.secret_mounts m
            CROSS JOIN unnest(\(wanted.map(\.path)), \(wanted.map { $0.version ?? -1 }))
                WITH ORDINALITY AS w (path, version, number)
            LEFT JOIN turnpike.secret_keys k ON k.mount = m.mount AND k.path = w.path
            LEFT JOIN turnpike.secret_versions v ON v.mount = k.mount AND v.path = k.path
                AND v.version = CASE WHEN w.version < 0 THEN k.current_version ELSE w.version END
            WHERE m.mount = \(mount)
            ORDER BY w.number
            """
        )
        guard let first = rows.first else { return [] }
        let head = try judged(first, "", rowGuard, self.mount)
        return try rows.items { row throws(PostgresError) in
            let hasKey = try row.decodeIfPresent("path", as: String.self) != nil
            let hasVersion = try row.decodeIfPresent("version", as: Int64.self) != nil
            return Reading(
                mount: head,
                key: hasKey ? try judged(row, "key_", rowGuard, key) : .absent,
                version: hasVersion ? try judged(row, "value_", rowGuard, self.version) : .absent
            )
        }
    }
}
