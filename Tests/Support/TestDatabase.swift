package import Postgres
package import Reactor
import Store
import Synchronization

/// A fresh database of the test cluster, dropped when its body ends.
package struct TestDatabase: Sendable {
    package let cluster: TestCluster
    package let name: String
    /// The schemas of unqualified names: `turnpike` if the database has it.
    let searchPath: [String]

    /// The reactor on which tests run their database work.
    package static let reactor: Reactor = {
        do {
            return try Threads.database.reactor
        } catch {
            preconditionFailure("no reactor: \(error)")
        }
    }()

    private static let counter = Atomic<Int>(0)

    /// Settings for connections as a superuser, or as another role.
    package func settings(user: String = TestCluster.superuser) -> PostgresSettings {
        var settings = PostgresSettings(url: cluster.url(database: name, user: user))
        settings.applicationName = "turnpike-test"
        settings.searchPath = searchPath
        return settings
    }

    /// A pool of connections to this database; the caller closes it.
    package func pool(
        limits: PoolLimits = PoolLimits(),
        user: String = TestCluster.superuser
    ) -> PostgresPool {
        PostgresPool(settings(user: user), limits: limits, on: TestDatabase.reactor) { 0.5 }
    }

    /// Opens a connection that the caller closes.
    package func connect(
        user: String = TestCluster.superuser
    ) async throws(PostgresError) -> PostgresConnection {
        try await PostgresConnection.connect(settings(user: user), on: TestDatabase.reactor)
    }

    /// Runs a body with an empty database.
    package static func withEmpty<Value>(
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        try await with(template: "template0", searchPath: ["public", "pg_temp"], body)
    }

    /// Runs a body with a database that has all migrations.
    package static func withMigrated<Value>(
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        try await with(template: try await MigratedTemplate.shared.name()) { database in
            // The rights on a database are not copied with it.
            let name = database.name
            try await database.cluster.administer(
                """
                REVOKE ALL ON DATABASE \(name) FROM PUBLIC;
                GRANT CONNECT, CREATE ON DATABASE \(name) TO turnpike_owner;
                GRANT CONNECT ON DATABASE \(name) TO turnpike_runtime, turnpike_dashboard;
                """
            )
            return try await body(database)
        }
    }

    static func with<Value>(
        template: String,
        searchPath: [String] = ["turnpike", "pg_temp"],
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        await TestDatabaseGate.shared.enter()
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await withinGate(template, searchPath, body))
        } catch {
            outcome = .failure(error)
        }
        await TestDatabaseGate.shared.leave()
        return try outcome.get()
    }

    private static func withinGate<Value>(
        _ template: String,
        _ searchPath: [String],
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        let cluster = try await TestCluster.shared
        let number = counter.add(1, ordering: .relaxed).newValue
        let database = TestDatabase(
            cluster: cluster,
            name: "test_\(number)",
            searchPath: searchPath
        )
        try await cluster.administer("CREATE DATABASE \(database.name) TEMPLATE \(template)")
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await body(database))
        } catch {
            outcome = .failure(error)
        }
        try await cluster.administer("DROP DATABASE \(database.name) WITH (FORCE)")
        return try outcome.get()
    }
}

extension TestCluster {
    /// Runs one command as the superuser of the cluster.
    package func administer(_ text: String) async throws {
        guard let script = SQLScript(fileBytes: Array(text.utf8)) else {
            throw TestClusterError(text: "not a script")
        }
        var settings = PostgresSettings(url: url())
        settings.statementTimeout = .seconds(60)
        let connection = try await PostgresConnection.connect(settings, on: TestDatabase.reactor)
        do {
            try await connection.run(script)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }
}

/// The database that migrated ones are copied from, made once.
private actor MigratedTemplate {
    static let shared = MigratedTemplate()

    private var making: Task<String, any Error>?

    func name() async throws -> String {
        if let making { return try await making.value }
        let task = Task {
            let cluster = try await TestCluster.shared
            let name = "test_template"
            try await cluster.administer("CREATE DATABASE \(name) TEMPLATE template0")
            let settings = PostgresSettings(url: cluster.url(database: name))
            let connection = try await PostgresConnection.connect(
                settings,
                on: TestDatabase.reactor
            )
            try await Migrator().migrate(connection)
            await connection.close()
            // A template that is in use cannot be copied, and a session ends only after its close.
            try await cluster.administer("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
            return name
        }
        making = task
        return try await task.value
    }
}

/// Lets a few tests at a time have a database: with all at once on a busy machine the cluster copies
/// templates for so long that connections and locks run into their limits.
///
/// Who has one asks for no second.
private actor TestDatabaseGate {
    static let shared = TestDatabaseGate()

    private var free = 8
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        if free > 0 {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        guard waiting.isEmpty else { return waiting.removeFirst().resume() }
        free += 1
    }
}

private enum Threads {
    static let shared = Result { try ReactorThread(name: "test-postgres") }

    static var database: ReactorThread {
        get throws { try shared.get() }
    }
}
