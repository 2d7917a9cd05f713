package import Postgres
package import Reactor
import Synchronization

/// A fresh database of the test cluster, dropped when its body ends.
package struct TestDatabase: Sendable {
    package let cluster: TestCluster
    package let name: String

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
        return settings
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
        try await with(template: "template0", body)
    }

    static func with<Value>(
        template: String,
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        let cluster = try await TestCluster.shared
        let number = counter.add(1, ordering: .relaxed).newValue
        let database = TestDatabase(cluster: cluster, name: "test_\(number)")
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

private enum Threads {
    static let shared = Result { try ReactorThread(name: "test-postgres") }

    static var database: ReactorThread {
        get throws { try shared.get() }
    }
}
