@testable import Postgres
import Support
import Testing

@Suite struct PostgresReaderTests {
    private func withReader(
        _ limits: PoolLimits = PoolLimits(),
        _ body: @Sendable (PostgresReader, PostgresPool, TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.withEmpty { database in
            let pool = database.pool(limits: limits)
            try await body(PostgresReader(pool), pool, database)
            await pool.close()
        }
    }

    /// Reads that are asked for at once; nil stands for one that was refused.
    private func answers(
        _ statements: [SQL],
        _ reader: PostgresReader
    ) async -> [Int: [Int]] {
        await withTaskGroup(of: (Int, [Int]?).self) { group in
            for (index, statement) in statements.enumerated() {
                group.addTask {
                    let rows = try? await reader.query(statement)
                    let row = try? rows?.single()
                    return (
                        index, row.flatMap { row in try? [row.decode(at: 0), row.decode(at: 1)] }
                    )
                }
            }
            return await group.reduce(into: [:]) { all, answer in all[answer.0] = answer.1 }
        }
    }

    @Test func readsOfOneMomentShareRoundTripsAndEachGetsItsOwnAnswer() async throws {
        try await withReader { reader, _, _ in
            let count = 200
            // What shares a round trip shares an implicit transaction, and so its time.
            let found = await answers(
                (0..<count).map { number in
                    "SELECT \(number)::int8, (extract(epoch FROM now()) * 1000000)::int8"
                },
                reader
            )
            #expect((0..<count).allSatisfy { found[$0]?.first == $0 })
            let roundTrips = Set(found.values.compactMap(\.last))
            #expect(roundTrips.count < count / 4)
        }
    }

    @Test func whatFailsAmongOthersFailsAlone() async throws {
        try await withReader { reader, _, _ in
            let found = await answers(
                (0..<40).map { number in
                    number == 17
                        ? "SELECT 1::int8 / (random() * 0)::int8, 0::int8"
                        : "SELECT \(number)::int8, 0::int8"
                },
                reader
            )
            #expect(found.count == 39)
            #expect(found[17] == nil)
            let error = await #expect(throws: PostgresError.self) {
                try await reader.query("SELECT 1 / (random() * 0)::int8")
            }
            #expect(error?.state == SQLState(code: "22012"))
        }
    }

    @Test func aReadSeesWhatWasCommittedBeforeItWasAskedFor() async throws {
        try await withReader { reader, pool, _ in
            try await pool.execute("CREATE TABLE counts (n int8)")
            try await pool.execute("INSERT INTO counts VALUES (0)")
            for expected in 1...50 {
                try await pool.execute("UPDATE counts SET n = \(expected)")
                async let other = reader.query("SELECT n FROM counts")
                let rows = try await reader.query("SELECT n FROM counts")
                #expect(try rows.single().decode(at: 0) == expected)
                _ = try await other
            }
        }
    }

    @Test func aSessionThatEndsAmongReadsCostsNoAnswer() async throws {
        try await withReader { reader, _, database in
            _ = try await reader.query("SELECT 1")
            let found = await answers(
                (0..<60).map { number in
                    number == 5
                        ? "SELECT count(pg_terminate_backend(pid))::int8, 0::int8 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        : "SELECT \(number)::int8, count(pg_sleep(0.01))::int8"
                },
                reader
            )
            #expect((0..<60).allSatisfy { $0 == 5 || found[$0]?.first == $0 })
        }
    }

    @Test func whoeverWaitsWhereNoConnectionIsToBeHadIsToldAtOnce() async throws {
        var limits = PoolLimits()
        limits.connectionsMax = 1
        limits.acquireTimeout = .milliseconds(500)
        // Two round trips may wait for a connection; a read that asked by itself would be refused.
        limits.waitersMax = 2
        try await withReader(limits) { reader, pool, _ in
            for _ in 0..<60 where (try? await pool.query("SELECT 1")) == nil {}
            let errors = try await pool.withConnection { _ throws(PostgresError) in
                await withTaskGroup(of: PostgresError?.self) { group in
                    for _ in 0..<600 {
                        group.addTask {
                            do throws(PostgresError) {
                                _ = try await reader.query("SELECT 1")
                                return nil
                            } catch {
                                return error
                            }
                        }
                    }
                    return await group.reduce(into: [PostgresError?]()) { $0.append($1) }
                }
            }
            #expect(errors == Array(repeating: .timedOut(.connection), count: 600))
        }
    }

    @Test func aReadThatNobodyWaitsForAnyLongerLetsItsTaskGo() async throws {
        var limits = PoolLimits()
        limits.connectionsMax = 1
        limits.acquireTimeout = .seconds(600)
        try await withReader(limits) { reader, pool, _ in
            try await pool.withConnection { _ throws(PostgresError) in
                let reading = Task { try await reader.query("SELECT 1") }
                let early = Task { try await reader.query("SELECT 1") }
                early.cancel()
                await Task.yield()
                reading.cancel()
                for task in [reading, early] {
                    await #expect(throws: PostgresError.cancelled) { try await task.value }
                }
            }
            #expect(try await reader.query("SELECT 1").count == 1)
        }
    }

    /// What waits behind the reads of a session that ended shares round trips of another one.
    @Test func theReadsBehindALostSessionAreNotReadOneByOne() async throws {
        try await withReader { reader, _, _ in
            let count = 500
            let found = await answers(
                (0..<count).map { number in
                    number == 0
                        ? "SELECT pg_terminate_backend(pg_backend_pid())::int8, 0::int8"
                        : "SELECT \(number)::int8, (extract(epoch FROM now()) * 1000000)::int8"
                },
                reader
            )
            #expect((1..<count).allSatisfy { found[$0]?.first == $0 })
            let roundTrips = Set(found.values.compactMap(\.last))
            // Those of the first round trip are, and a few of the others.
            #expect(roundTrips.count < PostgresReader.batchMax + count / 8)
        }
    }

    @Test func moreThanMayWaitAreReadAllTheSame() async throws {
        try await withReader { reader, _, _ in
            let count = PostgresReader.waitingMax + 50
            let found = await answers(
                (0..<count).map { "SELECT \($0)::int8, 0::int8" },
                reader
            )
            #expect(found.count == count)
        }
    }

    @Test func aPoolThatIsClosedIsTheReason() async throws {
        try await withReader { reader, pool, _ in
            await pool.close()
            await #expect(throws: PostgresError.closed) { try await reader.query("SELECT 1") }
        }
    }
}
