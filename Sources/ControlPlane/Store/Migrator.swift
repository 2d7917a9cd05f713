import Crypto
package import Postgres

/// Brings a database to the state that this program needs; forward only.
///
/// Under an advisory lock each pending file runs in one transaction together with the row that
/// records it and the hash of its text. A database with other texts is refused and left alone. One
/// that a newer program has migrated is served as long as its files only added something, so that
/// replicas are upgraded one after the other. Everything but the first file runs as
/// `turnpike_owner`.
package struct Migrator: Sendable {
    /// "turnpike" in ASCII: the key of the advisory lock.
    private static let lockKey: Int64 = 0x7475_726e_7069_6b65

    private let migrations: [Migration]
    /// How long another migration of the same database is waited for.
    package var lockTimeout: Duration = .seconds(120)
    /// How long one file may take.
    package var fileTimeout: Duration = .seconds(3_600)

    package init(_ migrations: [Migration] = Migration.all) {
        let isGapless = zip(migrations, 1...).allSatisfy { $0.version == $1 }
        precondition(isGapless, "migrations are numbered from 1 without gaps")
        self.migrations = migrations
    }

    /// What a database has and lacks.
    package struct Status: Equatable, Sendable {
        package let applied: [Int]
        package let pending: [Migration]
        /// Files of a newer program that only added something, by their names.
        package let unknown: [String]
    }

    /// Applies what is missing and returns it; `progress` hears of each file before it runs.
    ///
    /// The connection must not be used by others meanwhile, and its settings are changed.
    @discardableResult
    package func migrate(
        _ connection: PostgresConnection,
        progress: (Migration) -> Void = { _ in }
    ) async throws(MigrationError) -> [Migration] {
        try await lock(connection)
        let outcome: Result<[Migration], MigrationError>
        do throws(MigrationError) {
            let pending = try await status(of: connection).pending
            for migration in pending {
                progress(migration)
                try await apply(migration, connection)
            }
            try await letServe(connection)
            outcome = .success(pending)
        } catch {
            outcome = .failure(error)
        }
        try await unlock(connection)
        return try outcome.get()
    }

    /// Refuses a database that is not exactly in the state that this program needs.
    package func verify(_ connection: PostgresConnection) async throws(MigrationError) {
        let pending = try await status(of: connection).pending
        guard pending.isEmpty else { throw .behind(pending: pending.map(\.description)) }
    }

    /// Compares what was applied with what this program has.
    package func status(of connection: PostgresConnection) async throws(MigrationError) -> Status {
        let recorded: [(version: Int, name: String, checksum: [UInt8])]
        do throws(PostgresError) {
            recorded = try await records(connection)
        } catch {
            throw .database(error)
        }
        var unknown: [String] = []
        for (index, record) in recorded.enumerated() {
            guard record.version == index + 1 else { throw .incomplete(version: index + 1) }
            guard index < migrations.count else {
                guard !record.name.hasPrefix(Migration.contractPrefix) else {
                    throw .ahead(version: record.version, name: record.name)
                }
                unknown.append(record.name)
                continue
            }
            let known = migrations[index]
            guard known.name == record.name, known.checksum.bytes == record.checksum else {
                throw .changed(version: record.version, name: record.name)
            }
        }
        return Status(
            applied: recorded.map(\.version),
            pending: Array(migrations.dropFirst(recorded.count)),
            unknown: unknown
        )
    }

    private func records(
        _ connection: PostgresConnection
    ) async throws(PostgresError) -> [(version: Int, name: String, checksum: [UInt8])] {
        let exists = try await connection.query(
            "SELECT to_regclass('turnpike.migrations') IS NOT NULL"
        )
        guard try exists.single().decode(at: 0, as: Bool.self) else { return [] }
        let rows = try await connection.query(
            "SELECT version, name, checksum FROM turnpike.migrations ORDER BY version"
        )
        var records: [(version: Int, name: String, checksum: [UInt8])] = []
        for row in rows {
            let (version, name, checksum) = try row.decode(Int.self, String.self, [UInt8].self)
            records.append((version, name, checksum))
        }
        return records
    }

    private func apply(
        _ migration: Migration,
        _ connection: PostgresConnection
    ) async throws(MigrationError) {
        guard let script = SQLScript(fileBytes: migration.text) else {
            throw .unreadable(name: migration.description)
        }
        do throws(PostgresError) {
            try await connection.withTransaction(isolation: .readCommitted) {
                transaction throws(PostgresError) in
                if migration.version > 1 { try await transaction.query(Migrator.becomeOwner) }
                try await transaction.run(script, timeout: fileTimeout)
                try await transaction.batch([
                    Migrator.becomeOwner,
                    """
                    INSERT INTO turnpike.migrations (version, name, checksum)
                    VALUES (\(migration.version), \(migration.name), \(migration.checksum.bytes))
                    """,
                ])
            }
        } catch {
            throw .failed(name: migration.description, error)
        }
    }

    /// Lets the role that migrates act as the one that serves, which it need not have made.
    private func letServe(_ connection: PostgresConnection) async throws(MigrationError) {
        guard !migrations.isEmpty else { return }
        do throws(PostgresError) {
            try await connection.query(
                """
                DO $$
                DECLARE
                    may_become text := CASE
                        WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET'
                        ELSE 'MEMBER' END;
                BEGIN
                    IF NOT pg_has_role(current_user, 'turnpike_runtime', may_become) THEN
                        EXECUTE format('GRANT turnpike_runtime TO %I', current_user);
                    END IF;
                EXCEPTION WHEN insufficient_privilege THEN
                    RAISE insufficient_privilege USING MESSAGE = format(
                        'role %I must be a member of turnpike_runtime to serve:'
                            ' GRANT turnpike_runtime TO %I', current_user, current_user);
                END
                $$
                """
            )
        } catch {
            throw .database(error)
        }
    }

    private static let becomeOwner: SQL = "SET LOCAL ROLE turnpike_owner"

    // MARK: Lock

    private func lock(_ connection: PostgresConnection) async throws(MigrationError) {
        let milliseconds = String(max(1, lockTimeout.components.seconds * 1_000))
        do throws(PostgresError) {
            try await connection.query(
                """
                SELECT set_config('statement_timeout', '0', false),
                    set_config('idle_in_transaction_session_timeout', '0', false),
                    set_config('lock_timeout', \(milliseconds), false)
                """
            )
            try await connection.query(
                "SELECT pg_advisory_lock(\(Migrator.lockKey))",
                timeout: lockTimeout + .seconds(5)
            )
            // A migration that waits long for a table would make all others wait behind it.
            try await connection.query("SELECT set_config('lock_timeout', '10000', false)")
        } catch {
            if error.state == .lockNotAvailable { throw .locked }
            throw .database(error)
        }
    }

    private func unlock(_ connection: PostgresConnection) async throws(MigrationError) {
        // A lost session has lost its lock already.
        guard await connection.isOpen else { return }
        do throws(PostgresError) {
            try await connection.query("SELECT pg_advisory_unlock(\(Migrator.lockKey))")
        } catch {
            throw .database(error)
        }
    }
}
