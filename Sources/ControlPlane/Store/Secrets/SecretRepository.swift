package import Postgres
import Wire

/// Static secrets by mount and path.
package enum SecretRepository {
    /// The most paths of one step of a scan.
    package static let pathsPerStepMax = 500
    /// The most versions of one step of a scan, which come with their values.
    package static let versionsPerStepMax = 64
    /// The most versions that a path may keep.
    package static let versionsMax: Int64 = 1_000

    private static let mounts: SQL = """
        SELECT mount, sequence, config, sealed, updated_at, mac FROM turnpike.secret_mounts
        """
    private static let paths: SQL = """
        SELECT mount, path, current_version, oldest_version, state, sequence, created_at,
            updated_at, mac
        FROM turnpike.secret_keys
        """
    private static let values: SQL = """
        SELECT mount, path, version, sealed, sealed_sequence, sequence, created_at, deletion_time,
            mac
        FROM turnpike.secret_versions
        """

    /// The head of a mount, locked until the transaction ends: writers below it take turns.
    package static func lockMount(
        _ mount: String,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Found<SecretMountRow> {
        let rows = try await transaction.query(
            "\(fragment: mounts) WHERE mount = \(mount) FOR UPDATE"
        )
        return try first(rows, rowGuard, self.mount)
    }

    /// The head of a mount.
    package static func findMount(
        _ mount: String,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Found<SecretMountRow> {
        try first(
            try await transaction.query("\(fragment: mounts) WHERE mount = \(mount)"),
            rowGuard,
            self.mount
        )
    }

    /// A path.
    package static func findKey(
        mount: String,
        path: String,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Found<SecretKeyRow> {
        let rows = try await transaction.query(
            "\(fragment: paths) WHERE mount = \(mount) AND path = \(path)"
        )
        return try first(rows, rowGuard, key)
    }

    /// When and how the versions of a path were written and ended, without their values.
    package static func times(
        mount: String,
        path: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [SecretTimes] {
        let rows = try await transaction.query(
            """
            SELECT version, sequence, created_at, deletion_time, destroyed
            FROM turnpike.secret_versions WHERE mount = \(mount) AND path = \(path)
            ORDER BY version LIMIT \(versionsMax + 1)
            """
        )
        var times: [SecretTimes] = []
        for row in rows {
            times.append(
                SecretTimes(
                    version: try row.decode("version"),
                    sequence: try row.decode("sequence"),
                    createdAt: try row.decode("created_at"),
                    deletionTime: try row.decodeIfPresent("deletion_time"),
                    isDestroyed: try row.decode("destroyed")
                )
            )
        }
        return times
    }

    /// The names directly below a folder, in order, at most `limit`; those of folders end in a slash.
    ///
    /// `folder` is empty or ends in a slash.
    package static func names(
        mount: String,
        below folder: String,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [String] {
        // The bytes of a path are compared, so all that begins with `a/` lies between `a/` and `a0`.
        let range: SQL =
            folder.isEmpty
            ? "" : "AND path > \(folder) AND path < \(String(folder.dropLast()) + "0")"
        let start = Int32(clamping: folder.unicodeScalars.count + 1)
        return try await transaction.query(
            """
            SELECT DISTINCT name COLLATE "C" FROM (
                SELECT CASE WHEN position('/' IN rest) > 0
                    THEN left(rest, position('/' IN rest)) ELSE rest END AS name
                FROM (
                    SELECT substr(path, \(start)) AS rest FROM turnpike.secret_keys
                    WHERE mount = \(mount) \(fragment: range)
                ) AS paths
            ) AS names
            ORDER BY 1 LIMIT \(limit)
            """
        ).column()
    }

    // MARK: Writing

    /// Stores the head of a mount, new or changed.
    package static func put(
        _ row: SecretMountRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.secret_mounts (mount, sequence, config, sealed, updated_at, mac)
            VALUES (
                \(row.mount), \(row.sequence), \(text(row.config)), \(row.sealed),
                \(row.updatedAt), \(rowGuard.tag(row.content))
            )
            ON CONFLICT (mount) DO UPDATE SET sequence = excluded.sequence,
                config = excluded.config, sealed = excluded.sealed,
                updated_at = excluded.updated_at, mac = excluded.mac
            """
        )
    }

    /// Stores a path, new or changed.
    package static func put(
        _ row: SecretKeyRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.secret_keys (
                mount, path, current_version, oldest_version, state, sequence, created_at,
                updated_at, mac
            ) VALUES (
                \(row.mount), \(row.path), \(row.currentVersion), \(row.oldestVersion),
                \(text(row.state)), \(row.sequence), \(row.createdAt), \(row.updatedAt),
                \(rowGuard.tag(row.content))
            )
            ON CONFLICT (mount, path) DO UPDATE SET current_version = excluded.current_version,
                oldest_version = excluded.oldest_version, state = excluded.state,
                sequence = excluded.sequence, updated_at = excluded.updated_at, mac = excluded.mac
            """
        )
    }

    /// Stores a version, new or changed.
    package static func put(
        _ row: SecretVersionRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.secret_versions (
                mount, path, version, sealed, sealed_sequence, sequence, created_at, deletion_time,
                destroyed, mac
            ) VALUES (
                \(row.mount), \(row.path), \(row.version), \(row.sealed), \(row.sealedSequence),
                \(row.sequence), \(row.createdAt), \(row.deletionTime), \(row.isDestroyed),
                \(rowGuard.tag(row.content))
            )
            ON CONFLICT (mount, path, version) DO UPDATE SET sealed = excluded.sealed,
                sequence = excluded.sequence, deletion_time = excluded.deletion_time,
                destroyed = excluded.destroyed, mac = excluded.mac
            """
        )
    }

    /// Removes one version.
    package static func delete(
        _ row: SecretVersionRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            DELETE FROM turnpike.secret_versions
            WHERE mount = \(row.mount) AND path = \(row.path) AND version = \(row.version)
            """
        )
    }

    /// Removes a path whose versions were removed.
    package static func delete(
        _ row: SecretKeyRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "DELETE FROM turnpike.secret_keys WHERE mount = \(row.mount) AND path = \(row.path)"
        )
    }

    // MARK: Scanning

    /// Paths in order after one.
    package static func keys(
        mount: String,
        after path: String,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Found<SecretKeyRow>] {
        let rows = try await transaction.query(
            """
            \(fragment: paths) WHERE mount = \(mount) AND path > \(path) ORDER BY path
            LIMIT \(pathsPerStepMax)
            """
        )
        var found: [Found<SecretKeyRow>] = []
        for row in rows { found.append(try judged(row, "", rowGuard, key)) }
        return found
    }

    /// Versions in order after one.
    package static func versions(
        mount: String,
        after place: (path: String, version: Int64),
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Found<SecretVersionRow>] {
        let rows = try await transaction.query(
            """
            \(fragment: values)
            WHERE mount = \(mount) AND (path, version) > (\(place.path), \(place.version))
            ORDER BY path, version LIMIT \(versionsPerStepMax)
            """
        )
        var found: [Found<SecretVersionRow>] = []
        for row in rows { found.append(try judged(row, "", rowGuard, version)) }
        return found
    }

    // MARK: Reading

    /// Reads the columns of one table; those that several tables have stand behind a prefix.
    typealias Reader<Value> =
        (Row, _ prefix: String) throws(PostgresError) -> (Value, RowContent)?

    private static func first<Value>(
        _ rows: Rows,
        _ rowGuard: RowGuard,
        _ read: Reader<Value>
    ) throws(PostgresError) -> Found<Value> {
        guard let row = try rows.optional() else { return .absent }
        return try judged(row, "", rowGuard, read)
    }

    static func judged<Value>(
        _ row: Row,
        _ prefix: String,
        _ rowGuard: RowGuard,
        _ read: Reader<Value>
    ) throws(PostgresError) -> Found<Value> {
        guard let (value, content) = try read(row, prefix),
            rowGuard.isAuthentic(content, tag: try row.decode(prefix + "mac"))
        else { return .altered }
        return .present(value)
    }

    static func mount(
        _ row: Row,
        _ prefix: String
    ) throws(PostgresError) -> (SecretMountRow, RowContent)? {
        guard let config = try document(row, "config") else { return nil }
        let value = SecretMountRow(
            mount: try row.decode("mount"),
            sequence: try row.decode(prefix + "sequence"),
            config: config,
            sealed: try row.decode(prefix + "sealed"),
            updatedAt: try row.decode(prefix + "updated_at")
        )
        return (value, value.content)
    }

    static func key(
        _ row: Row,
        _ prefix: String
    ) throws(PostgresError) -> (SecretKeyRow, RowContent)? {
        guard let state = try document(row, "state") else { return nil }
        let value = SecretKeyRow(
            mount: try row.decode("mount"),
            path: try row.decode("path"),
            currentVersion: try row.decode("current_version"),
            oldestVersion: try row.decode("oldest_version"),
            state: state,
            sequence: try row.decode(prefix + "sequence"),
            createdAt: try row.decode(prefix + "created_at"),
            updatedAt: try row.decode(prefix + "updated_at")
        )
        return (value, value.content)
    }

    static func version(
        _ row: Row,
        _ prefix: String
    ) throws(PostgresError) -> (SecretVersionRow, RowContent)? {
        let value = SecretVersionRow(
            mount: try row.decode("mount"),
            path: try row.decode("path"),
            version: try row.decode("version"),
            sealed: try row.decodeIfPresent(prefix + "sealed"),
            sealedSequence: try row.decode(prefix + "sealed_sequence"),
            sequence: try row.decode(prefix + "sequence"),
            createdAt: try row.decode(prefix + "created_at"),
            deletionTime: try row.decodeIfPresent(prefix + "deletion_time")
        )
        return (value, value.content)
    }

    /// What does not even read was not written by a server.
    private static func document(
        _ row: Row,
        _ column: String
    ) throws(PostgresError) -> Document? {
        let text: JSONText = try row.decode(column)
        return try? JSON.parse(text.text, source: column)
    }

    private static func text(_ document: Document) -> JSONText {
        JSONText(String(decoding: JSON.canonical(document), as: UTF8.self))
    }
}
