import Crypto
import Mesh
import Postgres
import Reactor
import Store
import Synchronization
import Wire

/// Connections to targets: a few for each administrator, lent for one transaction.
final class TargetSessions: Sendable {
    private static let connectionsMax = 4
    private static let poolsMax = 1_000
    /// How often a transaction is tried that met another change of the same role.
    private static let attemptsMax = 5

    /// `tuple concurrently updated`.
    private static let concurrentUpdate = SQLState(code: "XX000")

    private struct Key: Hashable {
        let target: TargetName
        let database: String
    }

    private struct Entry {
        let version: Int64
        let pool: PostgresPool
    }

    private let settings: LeaseSettings
    private let reactor: Reactor
    private let random: @Sendable () -> Double
    private let pools = Mutex<[Key: Entry]>([:])

    /// `random` gives numbers from 0 up to 1 for jitter.
    init(
        _ settings: LeaseSettings,
        on reactor: Reactor,
        random: @escaping @Sendable () -> Double
    ) {
        self.settings = settings
        self.reactor = reactor
        self.random = random
    }

    /// Runs a body in a transaction of the administrator's, in a database of the target.
    ///
    /// Once more where a connection was found lost before anything could have happened, and where two
    /// changed one role at the same moment: PostgreSQL refuses the second, whatever it wanted.
    func run<Value: Sendable>(
        on row: TargetRow,
        database: String? = nil,
        password: () throws(KeyError) -> SecretBytes,
        _ body: (PostgresTransaction) async throws(PostgresError) -> Value
    ) async throws(TargetFailure) -> Value {
        let pool = try pool(of: row, database: database, password: password)
        var retry = RetryLimits()
        retry.attemptsMax = 2
        for _ in 1..<Self.attemptsMax {
            do throws(TargetFailure) {
                return try await TargetFailure.wrap { () async throws(PostgresError) in
                    try await pool.withTransaction(isolation: .readCommitted, retry: retry, body)
                }
            } catch {
                guard case .refused(let answer) = error, answer.state == Self.concurrentUpdate
                else { throw error }
            }
        }
        return try await TargetFailure.wrap { () async throws(PostgresError) in
            try await pool.withTransaction(isolation: .readCommitted, retry: retry, body)
        }
    }

    /// Runs a body with one connection as somebody else, such as a leased role.
    func connect<Value>(
        to target: LeaseTarget,
        as user: String,
        password: String,
        database: String? = nil,
        _ body: (PostgresConnection) async throws(PostgresError) -> Value
    ) async throws(TargetFailure) -> Value {
        var settings = try connectionSettings(
            of: target,
            user: user,
            password: password,
            database: database ?? target.database
        )
        // A role whose sessions begin read-only is no reason to look for another server.
        settings.requiresReadWrite = false
        return try await TargetFailure.wrap { () async throws(PostgresError) in
            let connection = try await PostgresConnection.connect(settings, on: self.reactor)
            do throws(PostgresError) {
                let value = try await body(connection)
                await connection.close()
                return value
            } catch {
                await connection.close()
                throw error
            }
        }
    }

    /// Ends the connections to a target that was changed or removed.
    func forget(_ target: TargetName) async {
        let gone = pools.withLock { pools in
            let keys = pools.keys.filter { $0.target == target }
            return keys.compactMap { pools.removeValue(forKey: $0)?.pool }
        }
        for pool in gone { await pool.close() }
    }

    /// Ends all connections.
    func close() async {
        let gone = pools.withLock { pools in
            defer { pools = [:] }
            return pools.values.map(\.pool)
        }
        for pool in gone { await pool.close() }
    }

    private func pool(
        of row: TargetRow,
        database: String?,
        password: () throws(KeyError) -> SecretBytes
    ) throws(TargetFailure) -> PostgresPool {
        let database = database ?? row.target.database
        let key = Key(target: row.target.name, database: database)
        let known = pools.withLock { pools in
            pools[key].flatMap { $0.version == row.version ? $0.pool : nil }
        }
        if let known { return known }
        let secret: SecretBytes
        do throws(KeyError) {
            secret = try password()
        } catch {
            throw .unusable("the password of target \(row.target.name) cannot be opened")
        }
        let text = secret.withBytes { bytes in
            var copy: [UInt8] = []
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            return String(decoding: copy, as: UTF8.self)
        }
        let settings = try connectionSettings(
            of: row.target,
            user: row.target.user,
            password: text,
            database: database
        )
        var limits = PoolLimits()
        limits.connectionsMax = Self.connectionsMax
        limits.idleTimeout = .seconds(60)
        limits.validateAfterIdle = .seconds(5)
        let made = PostgresPool(settings, limits: limits, on: reactor, random: random)
        let (kept, gone) = pools.withLock { pools -> (PostgresPool, [PostgresPool]) in
            if let other = pools[key], other.version == row.version { return (other.pool, [made]) }
            var gone =
                pools.updateValue(Entry(version: row.version, pool: made), forKey: key)
                .map { [$0.pool] } ?? []
            if pools.count > Self.poolsMax, let other = pools.keys.first(where: { $0 != key }) {
                gone += pools.removeValue(forKey: other).map { [$0.pool] } ?? []
            }
            return (made, gone)
        }
        for pool in gone { Task(executorPreference: reactor) { await pool.close() } }
        return kept
    }

    private func connectionSettings(
        of target: LeaseTarget,
        user: String,
        password: String,
        database: String
    ) throws(TargetFailure) -> PostgresSettings {
        let url: DatabaseURL
        switch target.place {
        case .socket(let directory, let port):
            guard settings.allowsSockets else {
                throw .unusable("this server does not connect to targets through unix sockets")
            }
            url = DatabaseURL(
                socketDirectory: directory,
                port: port,
                user: user,
                password: password,
                database: database
            )
        case .host(let host, let port):
            let file = try authorityFile(of: target)
            do throws(DatabaseURLError) {
                url = try DatabaseURL(
                    host: DatabaseURL.Host(name: host.description, port: port),
                    user: user,
                    password: password,
                    database: database,
                    verifiedBy: file
                )
            } catch {
                throw .unusable("\(error)")
            }
        }
        var settings = PostgresSettings(url: url)
        settings.applicationName = "turnpike-server leases"
        // What an administrator wrote names its schemas; ours needs none.
        settings.searchPath = ["pg_catalog"]
        settings.connectTimeout = .seconds(3)
        return settings
    }

    /// The authorities of a target as the file that libpq reads; nil where nothing is verified.
    ///
    /// The file is named after what stands in it: two that are tried at once under one name must not
    /// vouch for each other.
    private func authorityFile(of target: LeaseTarget) throws(TargetFailure) -> String? {
        guard let text = target.security.pem else { return nil }
        guard let directory = settings.directory else {
            throw .unusable("this server has no directory for the authorities of targets")
        }
        let file = "\(directory)/\(SHA256.digest(of: Array(text.utf8))).pem"
        do throws(FileError) {
            try FileSystem.makeDirectory(directory)
            try FileSystem.replace(file, with: Array(text.utf8))
        } catch {
            throw .unusable("the authorities of target \(target.name) cannot be written: \(error)")
        }
        return file
    }
}

/// Why something did not happen on a target.
enum TargetFailure: Error, Equatable {
    /// It cannot even be tried; the text is ours.
    case unusable(String)
    /// The target did not answer, or not that it happened.
    case unreachable(PostgresError)
    /// A commit was sent and not answered.
    case outcomeUnknown
    /// The target answered and refused.
    case refused(ServerError)

    init(_ error: PostgresError) {
        switch error {
        case .outcomeUnknown: self = .outcomeUnknown
        case .server(let answer) where error.recourse == .none: self = .refused(answer)
        default: self = .unreachable(error)
        }
    }

    static func wrap<Value>(
        _ work: () async throws(PostgresError) -> Value
    ) async throws(TargetFailure) -> Value {
        do throws(PostgresError) {
            return try await work()
        } catch {
            throw TargetFailure(error)
        }
    }

    /// Whether it says something about the target, and not about who asked or about ourselves.
    var concernsTarget: Bool {
        switch self {
        case .unusable, .refused: false
        case .outcomeUnknown: true
        case .unreachable(let error):
            switch error {
            case .connectFailed, .connectionLost, .timedOut(.answer), .server: true
            default: false
            }
        }
    }

    /// A stable word for rows and metrics.
    var word: String {
        switch self {
        case .unusable: "unusable"
        case .unreachable: "unreachable"
        case .outcomeUnknown: "outcome_unknown"
        case .refused(let answer): "refused_\(answer.state)"
        }
    }
}

extension TargetFailure: CustomStringConvertible {
    var description: String {
        switch self {
        case .unusable(let text): text
        case .unreachable(let error): "\(error)"
        case .outcomeUnknown: "the connection was lost while it was done"
        case .refused(let answer): "\(answer)"
        }
    }
}
