import Foundation
import Reactor
import Support
import Synchronization
import Testing

@testable import Postgres

@Suite struct EmbeddedClusterTests {
    /// Not the shared one: a start waits for the disk, which would hold up all other tests.
    private static let thread = Result { try ReactorThread(name: "test-embedded") }

    private let reactor: Reactor

    init() throws {
        reactor = try EmbeddedClusterTests.thread.get().reactor
    }

    /// A directory that the cluster's user may enter, removed when the body ends.
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let path = "/tmp/turnpike-embedded-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755]
        )
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(path))
        } catch {
            outcome = .failure(error)
        }
        try FileManager.default.removeItem(atPath: path)
        try outcome.get()
    }

    private func start(
        _ settings: EmbeddedSettings,
        _ events: Events = Events()
    ) async throws(EmbeddedClusterError) -> EmbeddedCluster {
        try await EmbeddedCluster.start(
            settings,
            on: reactor,
            random: { count in (0..<count).map { _ in UInt8.random(in: 0...255) } },
            report: { events.add($0) }
        )
    }

    private func ask(_ url: DatabaseURL, _ statement: SQL) async throws -> Row {
        var settings = PostgresSettings(url: url)
        settings.searchPath = ["public"]
        let connection = try await PostgresConnection.connect(settings, on: reactor)
        let row = try await connection.query(statement).single()
        await connection.close()
        return row
    }

    private func overTCP(_ url: DatabaseURL, _ port: UInt16) -> DatabaseURL {
        DatabaseURL(
            socketDirectory: "127.0.0.1",
            port: port,
            user: url.user,
            password: url.password,
            database: url.database
        )
    }

    private func postmaster(_ settings: EmbeddedSettings) throws -> Int32 {
        let path = settings.directory + "/cluster/data/postmaster.pid"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try #require(text.split(separator: "\n").first.flatMap { Int32($0) })
    }

    @Test func isMadeStartedStoppedAndStartedAgain() async throws {
        try await withDirectory { directory in
            let settings = EmbeddedSettings(directory: directory + "/pg")
            let events = Events()
            let first = try await start(settings, events)
            let database = PostgresName(literal: "turnpike")
            try await first.ensureDatabase(database)
            try await first.ensureDatabase(database)
            let row = try await ask(
                first.superuserURL(database: "turnpike"),
                """
                SELECT current_setting('listen_addresses') || current_setting('fsync')
                    || current_setting('server_encoding')
                    || current_setting('log_parameter_max_length')
                """
            )
            let found = try row.decode(at: 0, as: String.self)
            #expect(found == "onUTF80")
            // A role that may log in must find no other database to make things in.
            let isOpen = try await ask(
                first.superuserURL(database: "turnpike"),
                """
                SELECT bool_or(has_database_privilege('public', datname, 'CONNECT, TEMP'))
                FROM pg_database WHERE datallowconn AND datname <> 'turnpike'
                """
            ).decode(at: 0, as: Bool.self)
            #expect(!isOpen)
            let files = FileManager.default
            for name in ["postgres.password", "lock"] {
                let attributes = try files.attributesOfItem(atPath: "\(directory)/pg/\(name)")
                #expect(attributes[.posixPermissions] as? Int == 0o600)
            }
            await #expect(throws: EmbeddedClusterError.inUse(directory: directory + "/pg")) {
                try await start(settings)
            }
            await first.stop()
            #expect(events.all.first == .creating(directory: directory + "/pg/cluster/data"))
            #expect(events.all.contains(.ready))
            #expect(events.all.last == .stopped)

            let second = try await start(settings)
            let again = try await ask(
                second.superuserURL(database: "turnpike"),
                "SELECT current_database()"
            ).decode(at: 0, as: String.self)
            #expect(again == "turnpike")
            await second.stop()
        }
    }

    @Test func rolesLogInWithTheirOwnPasswordOnly() async throws {
        try await withDirectory { directory in
            let cluster = try await start(EmbeddedSettings(directory: directory))
            let role = PostgresName(literal: "some_role")
            let connection = try await PostgresConnection.connect(
                PostgresSettings(url: cluster.superuserURL()),
                on: reactor
            )
            try await connection.query("CREATE ROLE some_role NOLOGIN")
            await connection.close()
            let url = try await cluster.loginURL(
                role: role,
                database: PostgresName(literal: "postgres")
            )
            let user = try await ask(url, "SELECT current_user").decode(at: 0, as: String.self)
            #expect(user == "some_role")
            let same = try await cluster.loginURL(
                role: role,
                database: PostgresName(literal: "postgres")
            )
            #expect(same == url)
            let wrong = url.withUser("some_role", password: "hunter2")
            let error = await #expect(throws: PostgresError.self) {
                try await ask(wrong, "SELECT 1")
            }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("password authentication failed"))
            #expect(!text.contains("hunter2"))
            await cluster.stop()
        }
    }

    @Test func aKilledServerIsStartedAgainAndThePoolRecovers() async throws {
        try await withDirectory { directory in
            let settings = EmbeddedSettings(directory: directory)
            let events = Events()
            let cluster = try await start(settings, events)
            var limits = PoolLimits()
            limits.acquireTimeout = .seconds(60)
            let pool = PostgresPool(
                PostgresSettings(url: cluster.superuserURL()),
                limits: limits,
                on: reactor
            ) { 0.5 }
            _ = try await pool.query("SELECT 1")
            let before = try postmaster(settings)
            kill(before, SIGKILL)
            for _ in 0..<3_000 where events.count(of: .ready) < 2 {
                try await reactor.sleep(for: .milliseconds(20))
            }
            #expect(events.count(of: .ready) == 2)
            #expect(try postmaster(settings) != before)
            let rows = try await pool.query("SELECT 1")
            #expect(rows.count == 1)
            await pool.close()
            await cluster.stop()
        }
    }

    @Test func aServerThatOutlivedItsTurnpikeIsTakenOver() async throws {
        try await withDirectory { directory in
            let settings = EmbeddedSettings(directory: directory)
            let first = try await start(settings)
            let process = try postmaster(settings)
            await first.leave()
            let events = Events()
            let second = try await start(settings, events)
            #expect(events.all == [.adopted(processID: process), .ready])
            // An adopted server is watched like a child of ours.
            kill(process, SIGKILL)
            for _ in 0..<3_000 where events.count(of: .ready) < 2 {
                try await reactor.sleep(for: .milliseconds(20))
            }
            #expect(try postmaster(settings) != process)
            await second.leave()
            let third = try await start(settings)
            await third.stop()
            #expect(throws: (any Error).self) { try postmaster(settings) }
        }
    }

    @Test func aLockFileOfSomethingElseIsIgnored() async throws {
        try await withDirectory { directory in
            let settings = EmbeddedSettings(directory: directory)
            let first = try await start(settings)
            await first.stop()
            let file = directory + "/cluster/data/postmaster.pid"
            let text = "\(getpid())\n\(directory)/cluster/data\n1700000000\n5432\n\n\n\n"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            let second = try await start(settings)
            #expect(try postmaster(settings) != getpid())
            await second.stop()
        }
    }

    @Test func wrongRightsOwnersAndContentsAreRefused() async throws {
        try await withDirectory { directory in
            let files = FileManager.default
            let data = directory + "/cluster/data"
            let settings = EmbeddedSettings(directory: directory)
            let cluster = try await start(settings)
            await cluster.stop()

            try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: data)
            await #expect(throws: EmbeddedClusterError.openToOthers(path: data, mode: 0o755)) {
                try await start(settings)
            }
            try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: data)

            let version = try String(contentsOfFile: data + "/PG_VERSION", encoding: .utf8)
            try "9\n".write(toFile: data + "/PG_VERSION", atomically: false, encoding: .utf8)
            let mismatch = await #expect(throws: EmbeddedClusterError.self) {
                try await start(settings)
            }
            #expect(mismatch?.description.contains("was made by PostgreSQL 9") == true)
            try files.removeItem(atPath: data + "/PG_VERSION")
            await #expect(throws: EmbeddedClusterError.notACluster(path: data)) {
                try await start(settings)
            }
            try version.write(toFile: data + "/PG_VERSION", atomically: false, encoding: .utf8)

            let password = directory + "/postgres.password"
            try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: password)
            await #expect(throws: EmbeddedClusterError.self) { try await start(settings) }
            try files.removeItem(atPath: password)
            await #expect(throws: EmbeddedClusterError.passwordMissing(path: password)) {
                try await start(settings)
            }
        }
    }

    @Test func pathsThatCannotWorkAreRefusedWithTheirReason() async throws {
        try await withDirectory { directory in
            let long = directory + "/" + String(repeating: "x", count: 100)
            let error = await #expect(throws: EmbeddedClusterError.self) {
                try await start(EmbeddedSettings(directory: long))
            }
            #expect(error?.description.contains("may have 107") == true)
            await #expect(throws: EmbeddedClusterError.relativePath("pg")) {
                try await start(EmbeddedSettings(directory: "pg"))
            }
            let odd = directory + "/a b"
            await #expect(throws: EmbeddedClusterError.unsuitablePath(odd)) {
                try await start(EmbeddedSettings(directory: odd))
            }
            var nowhere = EmbeddedSettings(directory: directory + "/pg")
            nowhere.binaryDirectory = directory
            await #expect(throws: EmbeddedClusterError.noBinaries(searched: [directory])) {
                try await start(nowhere)
            }
        }
    }

    @Test func aParentThatTheUserCannotEnterIsNamed() async throws {
        guard geteuid() == 0 else { return }
        try await withDirectory { directory in
            let closed = directory + "/closed"
            try FileManager.default.createDirectory(
                atPath: closed,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
            await #expect(
                throws: EmbeddedClusterError.untraversable(directory: closed, user: "postgres")
            ) { try await start(EmbeddedSettings(directory: closed + "/pg")) }
            var unknown = EmbeddedSettings(directory: directory)
            unknown.user = "nobody_of_this_name"
            await #expect(throws: EmbeddedClusterError.unknownUser("nobody_of_this_name")) {
                try await start(unknown)
            }
        }
    }

    /// A server started without the port is replaced by one with it; only its role gets in.
    @Test func theReadersPortAppearsAtTheNextStartAndIsTheirsAlone() async throws {
        try await withDirectory { directory in
            var settings = EmbeddedSettings(directory: directory + "/pg")
            let first = try await start(settings)
            let role = PostgresName(literal: "reader")
            let database = PostgresName(literal: "sales")
            try await first.ensureDatabase(database)
            await first.leave()
            let port = LoopbackSocket.freePort()
            settings.readerPort = ReaderPort(.loopback(port: port), role: role, database: database)
            let events = Events()
            let second = try await start(settings, events)
            #expect(events.count(of: .stopping(.smart)) == 1)
            #expect(events.count(of: .ready) == 1)
            let superuser = second.superuserURL(database: "sales")
            let connection = try await PostgresConnection.connect(
                PostgresSettings(url: superuser),
                on: reactor
            )
            try await connection.query("CREATE ROLE reader LOGIN")
            await connection.close()
            let login = try await second.loginURL(role: role, database: database)
            let row = try await ask(overTCP(login, port), "SELECT current_user::text")
            #expect(try row.decode(at: 0, as: String.self) == "reader")
            for refused in [
                overTCP(superuser, port), overTCP(login.withDatabase("postgres"), port),
            ] {
                let error = await #expect(throws: PostgresError.self) {
                    try await ask(refused, "SELECT 1")
                }
                #expect(error.map { "\($0)" }?.contains("no pg_hba.conf entry") == true)
            }
            await second.stop()
        }
    }

    @Test func aSocketOfAnotherServerIsRefused() async throws {
        try await withDirectory { directory in
            let sockets = directory + "/sockets"
            var first = EmbeddedSettings(directory: directory + "/one")
            first.socketDirectory = sockets
            let cluster = try await start(first)
            let process = try postmaster(first)
            var second = EmbeddedSettings(directory: directory + "/two")
            second.socketDirectory = sockets
            await #expect(
                throws: EmbeddedClusterError.socketBusy(
                    path: sockets + "/.s.PGSQL.5432",
                    processID: process
                )
            ) { try await start(second) }
            await cluster.stop()
        }
    }
}

private final class Events: Sendable {
    private let events = Mutex<[EmbeddedEvent]>([])

    var all: [EmbeddedEvent] { events.withLock { $0 } }

    func add(_ event: EmbeddedEvent) { events.withLock { $0.append(event) } }

    func count(of event: EmbeddedEvent) -> Int { all.count { $0 == event } }
}
