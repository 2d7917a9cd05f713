import Foundation
import Postgres
import Reactor
import Support
import Synchronization
import Testing

@Suite struct PostgresPoolTests {
    private func withPool(
        _ limits: PoolLimits = PoolLimits(),
        _ body: (PostgresPool, TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.withEmpty { database in
            let pool = database.pool(limits: limits)
            try await body(pool, database)
            await pool.close()
        }
    }

    @Test func neverOpensMoreConnectionsThanAllowed() async throws {
        var limits = PoolLimits()
        limits.connectionsMax = 3
        limits.acquireTimeout = .seconds(60)
        try await withPool(limits) { pool, _ in
            let processes = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        let rows = try await pool.query("SELECT pg_backend_pid()")
                        return try rows.single().decode(at: 0)
                    }
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(processes.count <= 3)
            let status = await pool.status
            #expect(status.connectionCount <= 3)
            #expect(status.waiterCount == 0)
        }
    }

    @Test func aRequestThatWaitsTooLongIsRefused() async throws {
        var limits = PoolLimits()
        limits.connectionsMax = 1
        limits.acquireTimeout = .seconds(1)
        try await withPool(limits) { pool, _ in
            // The only connection may take its time to be made.
            for _ in 0..<60 where (try? await pool.query("SELECT 1")) == nil {}
            try await pool.withConnection { connection throws(PostgresError) in
                await #expect(throws: PostgresError.timedOut(.connection)) {
                    try await pool.query("SELECT 1")
                }
            }
            let rows = try await pool.query("SELECT 1")
            #expect(rows.count == 1)
        }
    }

    @Test func queriesCannotWrite() async throws {
        try await withPool { pool, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("CREATE TABLE t (n int8)")
            }
            #expect(error?.state == .readOnlyTransaction)
        }
    }

    @Test func aConnectionLeftInATransactionIsNotReused() async throws {
        try await withPool { pool, _ in
            let first = try await pool.withConnection { connection throws(PostgresError) in
                try await connection.query("BEGIN")
                return connection.processID
            }
            let second = try await pool.withConnection { connection throws(PostgresError) in
                connection.processID
            }
            #expect(first != second)
        }
    }

    @Test func aThrowingBodyRollsBack() async throws {
        try await withPool { pool, _ in
            try await pool.execute("CREATE TABLE t (n int8)")
            await #expect(throws: PostgresError.cancelled) {
                try await pool.withTransaction(isolation: .serializable) {
                    transaction throws(PostgresError) in
                    try await transaction.execute("INSERT INTO t VALUES (1)")
                    throw .cancelled
                }
            }
            let counts = try await pool.query("SELECT count(*) FROM t").column(Int.self)
            #expect(counts == [0])
        }
    }

    @Test func aSwallowedErrorCannotCommit() async throws {
        try await withPool { pool, _ in
            await #expect(throws: PostgresError.transactionAborted) {
                try await pool.withTransaction(isolation: .readCommitted) {
                    transaction throws(PostgresError) in
                    do throws(PostgresError) {
                        try await transaction.query("SELECT 1 / 0")
                    } catch {
                        return
                    }
                }
            }
        }
    }

    @Test func aTransactionIsUselessAfterItsEnd() async throws {
        try await withPool { pool, _ in
            let kept = try await pool.withTransaction(isolation: .readCommitted) {
                transaction throws(PostgresError) in
                try await transaction.query("SELECT 1")
                return transaction
            }
            await #expect(throws: PostgresError.closed) { try await kept.query("SELECT 1") }
        }
    }

    @Test func serializationFailuresAreRunAgain() async throws {
        try await withPool { pool, _ in
            try await pool.execute("CREATE TABLE counter (n int8 NOT NULL)")
            try await pool.execute("INSERT INTO counter VALUES (0)")
            let runs = Counter()
            var retry = RetryLimits()
            retry.attemptsMax = 100
            // Under a sanitizer on a busy machine a run takes its time.
            retry.elapsedMax = .seconds(120)
            let limits = retry
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<5 {
                            try await pool.withTransaction(
                                isolation: .serializable,
                                retry: limits
                            ) { transaction throws(PostgresError) in
                                runs.increment()
                                let row = try await transaction.query("SELECT n FROM counter")
                                let count = try row.single().decode(at: 0, as: Int.self)
                                try await transaction.execute(
                                    "UPDATE counter SET n = \(count + 1)"
                                )
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let counts = try await pool.query("SELECT n FROM counter").column(Int.self)
            #expect(counts == [40])
            #expect(runs.count >= 40)
        }
    }

    @Test func retriesAreBounded() async throws {
        try await withPool { pool, _ in
            let runs = Counter()
            var retry = RetryLimits()
            retry.attemptsMax = 3
            retry.pauseMin = .milliseconds(1)
            let limits = retry
            let error = await #expect(throws: PostgresError.self) {
                try await pool.withTransaction(isolation: .serializable, retry: limits) {
                    transaction throws(PostgresError) in
                    runs.increment()
                    try await transaction.query(
                        "DO $$ BEGIN RAISE serialization_failure; END $$"
                    )
                }
            }
            #expect(error?.state == .serializationFailure)
            #expect(runs.count == 3)
        }
    }

    @Test func theKilledBackendIsATypedErrorAndThePoolRecovers() async throws {
        try await withPool { pool, database in
            let killer = try await database.connect()
            let runs = Counter()
            // Inside a transaction nothing was committed, so it is run again by itself.
            let answer = try await pool.withTransaction(isolation: .readCommitted) {
                transaction throws(PostgresError) in
                let row = try await transaction.query("SELECT pg_backend_pid()").single()
                let process = try row.decode(at: 0, as: Int.self)
                if runs.increment() == 1 {
                    try await killer.query("SELECT pg_terminate_backend(\(process)::int4)")
                }
                return try await transaction.query("SELECT 7").single().decode(at: 0, as: Int.self)
            }
            #expect(answer == 7)
            #expect(runs.count == 2)
            // On its own, a statement whose answer is lost may have happened.
            let sleeping = Task {
                try await pool.withConnection { connection throws(PostgresError) in
                    try await connection.query("SELECT pg_sleep(60)")
                }
            }
            try await killUntilGone(killer)
            let outcome = await sleeping.result
            #expect(throws: PostgresError.outcomeUnknown) { try outcome.get() }
            let rows = try await pool.query("SELECT 1")
            #expect(rows.count == 1)
            await killer.close()
        }
    }

    private func killUntilGone(_ killer: PostgresConnection) async throws {
        while true {
            let killed = try await killer.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%'
                    AND state = 'active' AND pid <> pg_backend_pid()
                """
            )
            if killed.count > 0 { return }
            try await TestDatabase.reactor.sleep(for: .milliseconds(10))
        }
    }

    @Test func cancellingTheTaskStopsTheStatement() async throws {
        try await withPool { pool, database in
            let watcher = try await database.connect()
            let sleeping = Task {
                try await pool.withTransaction(isolation: .readCommitted) {
                    transaction throws(PostgresError) in
                    try await transaction.query("SELECT pg_sleep(61)")
                }
            }
            while true {
                let running = try await watcher.query(
                    """
                    SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                        AND state = 'active' AND query LIKE '%pg_sleep(61)%'
                        AND pid <> pg_backend_pid()
                    """
                )
                if running.count > 0 { break }
                try await TestDatabase.reactor.sleep(for: .milliseconds(10))
            }
            sleeping.cancel()
            let outcome = await sleeping.result
            #expect(throws: PostgresError.cancelled) { try outcome.get() }
            await watcher.close()
        }
    }

    @Test func anUnreachableServerIsSaidToBe() async throws {
        let cluster = try await TestCluster.shared
        let url = DatabaseURL(
            socketDirectory: cluster.socketDirectory + "/none",
            user: "postgres",
            password: "hunter2",
            database: "postgres"
        )
        var limits = PoolLimits()
        limits.acquireTimeout = .milliseconds(500)
        let pool = PostgresPool(
            PostgresSettings(url: url),
            limits: limits,
            on: TestDatabase.reactor
        ) { 0.5 }
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction(isolation: .readCommitted, retry: .none) {
                transaction throws(PostgresError) in try await transaction.query("SELECT 1")
            }
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(cluster.socketDirectory))
        #expect(!text.contains("hunter2"))
        await pool.close()
    }

    @Test func aThousandNotificationsArrive() async throws {
        try await withPool { pool, database in
            let received = Inbox()
            let listener = try await database.connect()
            await listener.onNotification { notification in
                received.add(notification.payload)
            }
            try await listener.listen(to: PostgresChannel("revision"))
            for round in 0..<10 {
                let statements = (0..<100).map { number -> SQL in
                    "SELECT pg_notify('revision', \(String(round * 100 + number)))"
                }
                _ = try await pool.withTransaction(isolation: .readCommitted) {
                    transaction throws(PostgresError) in try await transaction.batch(statements)
                }
            }
            for _ in 0..<500 where received.all.count < 1_000 {
                try await TestDatabase.reactor.sleep(for: .milliseconds(10))
            }
            #expect(received.all == (0..<1_000).map { String($0) })
            await listener.close()
        }
    }
}

private final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    var count: Int { value.load(ordering: .relaxed) }

    @discardableResult
    func increment() -> Int { value.add(1, ordering: .relaxed).newValue }
}

private final class Inbox: Sendable {
    private let texts = Mutex<[String]>([])

    var all: [String] { texts.withLock { $0 } }

    func add(_ text: String) { texts.withLock { $0.append(text) } }
}
