import Control
import Crypto
import Ledger
import Mesh
import Observability
import Postgres
import Reactor
import Store
import Support
import Synchronization
import Wire

/// A control plane over a fresh database, connected as the role that the server runs as.
struct ControlFixture: Sendable {
    let database: TestDatabase
    let pool: PostgresPool
    let control: ControlPlane
    /// The file that holds the bootstrap token, and how often it was written.
    let file: BootstrapFile
    /// A caller with every right.
    let admin: Caller

    /// What stands in the place of the 0600 file.
    final class BootstrapFile: Sendable {
        private let contents = Mutex<[String]>([])

        var tokens: [String] { contents.withLock { $0 } }

        func write(_ token: String) { contents.withLock { $0.append(token) } }
    }

    static let key = Bytes.key(filledWith: 7)

    /// A caller with the rights of some policies.
    static func caller(_ name: String, _ policies: [AccessPolicy]) -> Caller {
        Caller(
            principal: "token/\(name)",
            displayName: name,
            policies: policies,
            sourceAddress: "192.0.2.7",
            requestID: "request-\(name)"
        )
    }

    static var administrator: Caller {
        caller("admin", BuiltInPolicies.all.filter { $0.name == BuiltInPolicies.adminName })
    }

    static func surroundings(
        now: @escaping @Sendable () -> Timestamp = {
            Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
        }
    ) -> Surroundings {
        Surroundings(
            now: now,
            instant: { ContinuousClock.now },
            randomBytes: Randomness.bytes
        )
    }

    static func settings(
        server: String = "one",
        trustDomain: String = "example.org"
    ) throws -> ControlSettings {
        ControlSettings(
            trustDomain: try TrustDomain(trustDomain),
            serverName: try Mesh.ServerName(server),
            version: "0.0.0-test"
        )
    }

    /// Opens a replica on a database.
    static func open(
        _ pool: PostgresPool,
        server: String = "one",
        trustDomain: String = "example.org",
        key: KeyEncryptionKey = key,
        file: BootstrapFile = BootstrapFile(),
        steps: [FirstStart.Step] = []
    ) async throws -> ControlPlane {
        try await ControlPlane.open(
            settings(server: server, trustDomain: trustDomain),
            pool: pool,
            key: key,
            surroundings: surroundings(),
            firstStart: FirstStart(steps: steps, writeBootstrapToken: file.write)
        )
    }

    /// Runs a body with a control plane at its first start.
    @discardableResult
    static func with<Value>(
        steps: [FirstStart.Step] = [],
        _ body: (ControlFixture) async throws -> Value
    ) async throws -> Value {
        try await withPool { database, pool in
            let file = BootstrapFile()
            let control = try await open(pool, file: file, steps: steps)
            return try await body(
                ControlFixture(
                    database: database,
                    pool: pool,
                    control: control,
                    file: file,
                    admin: administrator
                )
            )
        }
    }

    /// Runs a body with a migrated database and a pool of the runtime role.
    @discardableResult
    static func withPool<Value>(
        _ body: (TestDatabase, PostgresPool) async throws -> Value
    ) async throws -> Value {
        try await TestDatabase.withMigrated { database in
            try await database.cluster.administer(
                """
                DO $$ BEGIN
                    CREATE ROLE test_runtime LOGIN IN ROLE turnpike_runtime;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                END $$;
                """
            )
            let pool = database.pool(user: "test_runtime")
            let outcome: Result<Value, any Error>
            do {
                outcome = .success(try await body(database, pool))
            } catch {
                outcome = .failure(error)
            }
            await pool.close()
            return try outcome.get()
        }
    }

    /// Does something behind the server's back, as the superuser.
    func tamper(_ statement: SQL) async throws {
        let connection = try await database.connect()
        do {
            try await connection.query(statement)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// Enrolled agents, as if they had always been there.
    func addAgents(_ names: [String]) async throws {
        try await control.write { database in
            for name in names {
                let row = Stored(
                    AgentRow(name: try AgentName(name), state: .enrolled),
                    revision: 0,
                    createdAt: try await ServerRepository.time(in: database),
                    updatedAt: try await ServerRepository.time(in: database),
                    createdBy: "test"
                )
                try await AgentRepository.put(
                    row,
                    guardedBy: control.rowGuard,
                    in: database
                )
            }
        }
    }

    /// What the audit trail says about an action, oldest first.
    func audited(_ action: String) async throws -> [AuditSummary] {
        var filter = AuditFilter()
        filter.action = action
        return try await control.audit.list(filter, limit: 1_000).records.reversed().map { stored in
            AuditSummary(
                actor: stored.record.actor,
                resource: stored.record.resource,
                outcome: stored.record.outcome,
                reason: stored.record.reason,
                revision: stored.record.revision
            )
        }
    }
}

/// The part of an audit record that tests compare.
struct AuditSummary: Equatable {
    let actor: String
    let resource: String
    let outcome: String
    let reason: String?
    let revision: UInt64?
}

enum Bytes {
    static func key(filledWith byte: UInt8) -> KeyEncryptionKey {
        var bytes = [UInt8](repeating: byte, count: KeyEncryptionKey.byteCount)
        bytes[0] = byte &+ 1
        guard let key = KeyEncryptionKey(SecretBytes(copying: bytes)) else {
            preconditionFailure("not a key")
        }
        return key
    }
}

/// The error that a call throws, so that it can be compared.
func refusal<Value>(
    _ body: () async throws -> Value
) async -> ControlError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? ControlError
    }
}

extension AccessPolicy {
    /// A policy of globs and capabilities, for tests.
    static func of(
        _ name: String,
        _ rules: KeyValuePairs<String, Set<Capability>>
    ) throws -> AccessPolicy {
        var list: [Rule] = []
        for (glob, capabilities) in rules {
            list.append(Rule(path: try PathGlob(glob), capabilities: capabilities))
        }
        return try AccessPolicy(name: name, rules: list)
    }
}
