import Crypto
import Observability
import Postgres
import Reactor
import Store

/// The database of a replica: an embedded cluster or a real one, migrated and with a pool.
struct Database: Sendable {
    let pool: PostgresPool
    /// Nil for a real one.
    let cluster: EmbeddedCluster?

    private static let name = PostgresName(literal: "turnpike")
    private static let runtimeRole = PostgresName(literal: "turnpike_runtime")
    private static let dashboardRole = PostgresName(literal: "turnpike_dashboard")

    static func start(
        _ configuration: ServerConfiguration,
        logger: Logger,
        on reactor: Reactor
    ) async throws(StartFailure) -> Database {
        if let url = configuration.databaseURL {
            return try await external(url, configuration, logger, reactor)
        }
        return try await embedded(configuration, logger, reactor)
    }

    func stop() async {
        await pool.close()
        await cluster?.stop()
    }

    private static func embedded(
        _ configuration: ServerConfiguration,
        _ logger: Logger,
        _ reactor: Reactor
    ) async throws(StartFailure) -> Database {
        try EmbeddedState(configuration).checkUsable()
        var settings = DatabaseAccess.embedded(configuration)
        settings.readerPort = configuration.dashboardAddress.flatMap {
            ReaderPort($0, role: dashboardRole, database: name)
        }
        do {
            let cluster = try await EmbeddedCluster.start(
                settings,
                on: reactor,
                random: Randomness.bytes
            ) { event in
                logger.info("database", ["event": .text("\(event)")])
            }
            do {
                try await cluster.ensureDatabase(name)
                try await migrate(
                    PostgresSettings(url: cluster.superuserURL(database: name.text)),
                    logger,
                    reactor
                )
                let url = try await cluster.loginURL(
                    role: runtimeRole,
                    database: name
                )
                // For `turnpike-server sql` and the dashboards' port.
                _ = try await cluster.loginURL(role: dashboardRole, database: name)
                return Database(
                    pool: pool(PostgresSettings(url: url), configuration, reactor),
                    cluster: cluster
                )
            } catch {
                await cluster.stop()
                throw error
            }
        } catch {
            throw .work("the embedded database: \(error)")
        }
    }

    private static func external(
        _ text: String,
        _ configuration: ServerConfiguration,
        _ logger: Logger,
        _ reactor: Reactor
    ) async throws(StartFailure) -> Database {
        do {
            let url = try DatabaseURL(parsing: text)
            try await migrate(PostgresSettings(url: url), logger, reactor)
            var settings = PostgresSettings(url: url)
            // The role of the URL may own the tables; what the server does needs far less.
            settings.role = runtimeRole
            return Database(
                pool: pool(settings, configuration, reactor),
                cluster: nil
            )
        } catch {
            throw .work("the database: \(error)")
        }
    }

    private static func pool(
        _ settings: PostgresSettings,
        _ configuration: ServerConfiguration,
        _ reactor: Reactor
    ) -> PostgresPool {
        var settings = settings
        settings.applicationName = "turnpike-server \(configuration.name)"
        settings.statementTimeout = configuration.statementTimeout
        var limits = PoolLimits()
        limits.connectionsMax = configuration.poolSize
        return PostgresPool(settings, limits: limits, on: reactor) { Double.random(in: 0..<1) }
    }

    /// Brings the database up to date.
    private static func migrate(
        _ settings: PostgresSettings,
        _ logger: Logger,
        _ reactor: Reactor
    ) async throws {
        let connection = try await PostgresConnection.connect(settings, on: reactor)
        do {
            // What a restore left half done looks like a mesh, and is none.
            let isUnfinished = try await connection.withTransaction(isolation: .readCommitted) {
                database throws(PostgresError) in
                try await TransferRepository.isUnfinished(in: database)
            }
            if isUnfinished { throw DatabaseAccess.unfinished("\(settings.url)") }
            let migrator = Migrator()
            try await migrator.migrate(connection) { migration in
                logger.info("migrating", ["file": .describing(migration)])
            }
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
    }
}
