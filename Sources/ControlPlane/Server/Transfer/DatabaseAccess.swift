import Crypto
import Foundation
import Observability
import Postgres
import Reactor
import Store
import Wire

/// How the commands that copy whole databases reach them.
enum DatabaseAccess {
    static let name = PostgresName(literal: "turnpike")

    /// A database as somebody who may read and make everything of it.
    struct Place: Sendable {
        let url: DatabaseURL
        let programs: DatabasePrograms
    }

    /// The settings of the embedded cluster of a configuration.
    static func embedded(_ configuration: ServerConfiguration) -> EmbeddedSettings {
        var settings = EmbeddedSettings(directory: configuration.dataDirectory + "/database")
        settings.binaryDirectory = configuration.databaseBinaries
        settings.executablePath = (ProcessInfo.processInfo.environment["PATH"] ?? "")
            .split(separator: ":").map(String.init)
        return settings
    }

    /// Reads a configuration and tells it from a command's own flags.
    static func configuration(_ arguments: [String]) throws(StartFailure) -> ServerConfiguration {
        let options = try ServeCommand.Options(arguments)
        guard !options.checksConfig, !options.printsConfig, !options.printsListeners else {
            throw .usage("--check-config, --print-config and --print-listeners go with `serve`")
        }
        let settings = try options.resolve()
        do throws(SettingsError) {
            return try ServerConfiguration(settings)
        } catch {
            throw .usage(error.description)
        }
    }

    /// A database elsewhere; its programs are the newest that are found, which read older servers.
    static func external(
        _ text: String,
        _ configuration: ServerConfiguration,
        on reactor: Reactor
    ) async throws(StartFailure) -> Place {
        do {
            let found = try await EmbeddedCluster.newestServer(
                embedded(configuration),
                on: reactor
            )
            return Place(
                url: try DatabaseURL(parsing: text),
                programs: DatabasePrograms(directory: found.binaryDirectory)
            )
        } catch let error as DatabaseURLError {
            throw .usage("\(error)")
        } catch {
            throw .work("\(error)")
        }
    }

    /// The database of an embedded cluster, made if it is missing.
    static func place(in cluster: EmbeddedCluster) async throws(StartFailure) -> Place {
        do throws(EmbeddedClusterError) {
            try await cluster.ensureDatabase(name)
        } catch {
            throw .work("\(error)")
        }
        return Place(
            url: cluster.superuserURL(database: name.text),
            programs: DatabasePrograms(directory: cluster.binaryDirectory)
        )
    }

    /// The major version of a server.
    static func majorVersion(
        _ url: DatabaseURL,
        on reactor: Reactor
    ) async throws(StartFailure) -> Int {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(
                PostgresSettings(url: url),
                on: reactor
            )
            await connection.close()
            return connection.serverVersion / 10_000
        } catch {
            throw .work("\(url): \(error)")
        }
    }

    /// Runs a body with an embedded cluster that nobody else runs.
    ///
    /// `report` hears what becomes of it, such as that it is made.
    static func withCluster<Value: Sendable>(
        _ settings: EmbeddedSettings,
        on reactor: Reactor,
        report: @escaping @Sendable (EmbeddedEvent) -> Void = { _ in },
        _ body: (EmbeddedCluster) async throws(StartFailure) -> Value
    ) async throws(StartFailure) -> Value {
        let cluster: EmbeddedCluster
        do throws(EmbeddedClusterError) {
            cluster = try await EmbeddedCluster.start(
                settings,
                on: reactor,
                random: Randomness.bytes,
                report: report
            )
        } catch {
            if case .inUse = error {
                throw .work("\(error): stop `turnpike-server serve` first")
            }
            throw .work("\(error)")
        }
        let outcome: Result<Value, StartFailure>
        do throws(StartFailure) {
            outcome = .success(try await body(cluster))
        } catch {
            outcome = .failure(error)
        }
        await cluster.stop()
        return try outcome.get()
    }

    /// One transaction on a connection of its own.
    static func read<Value: Sendable>(
        _ url: DatabaseURL,
        on reactor: Reactor,
        _ body: (PostgresTransaction) async throws(PostgresError) -> Value
    ) async throws(StartFailure) -> Value {
        var settings = PostgresSettings(url: url)
        settings.applicationName = "turnpike-transfer"
        settings.statementTimeout = .seconds(600)
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(settings, on: reactor)
            let outcome: Result<Value, PostgresError>
            do throws(PostgresError) {
                outcome = .success(
                    try await connection.withTransaction(isolation: .readCommitted, body)
                )
            } catch {
                outcome = .failure(error)
            }
            await connection.close()
            return try outcome.get()
        } catch {
            throw .work("\(url): \(error)")
        }
    }

    /// What a database holds; refuses one without a cluster.
    static func summary(
        _ url: DatabaseURL,
        on reactor: Reactor
    ) async throws(StartFailure) -> DatabaseSummary {
        let summary = try await read(url, on: reactor) { database throws(PostgresError) in
            try await TransferRepository.isEmpty(in: database)
                ? nil : try await TransferRepository.summary(in: database)
        }
        guard let summary else { throw .work("\(url): there is no Turnpike in this database") }
        return summary
    }

    /// Brings a database to the schema of this program.
    static func migrate(_ url: DatabaseURL, on reactor: Reactor) async throws(StartFailure) {
        do {
            let connection = try await PostgresConnection.connect(
                PostgresSettings(url: url),
                on: reactor
            )
            do {
                try await Migrator().migrate(connection)
                await connection.close()
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            throw .work("\(url): \(error)")
        }
    }
}
