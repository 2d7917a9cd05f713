import Foundation
import Postgres
import Support
import Testing
import Wire

@Suite struct PostgresConnectionTests {
    /// Runs a body with a connection to a fresh database.
    private func withConnection(
        _ body: (PostgresConnection) async throws -> Void
    ) async throws {
        try await TestDatabase.withEmpty { database in
            let connection = try await database.connect()
            try await body(connection)
            await connection.close()
        }
    }

    private func isAlive(_ connection: PostgresConnection) async throws -> Bool {
        let answers = try await connection.query("SELECT 42").column(Int.self)
        return answers == [42]
    }

    @Test func valuesSurviveTheRoundTrip() async throws {
        let time = Timestamp(nanosecondsSinceEpoch: 1_763_000_000_123_456_000)
        let id = UUIDv7(timestamp: time, random: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        try await withConnection { connection in
            let row = try await connection.query(
                """
                SELECT \("żółć") AS t, \(Int16.min) AS i2, \(Int32.max) AS i4,
                    \(Int.min) AS i8, \(true) AS b, \([0, 1, 255] as [UInt8]) AS bytes,
                    \(id) AS id, \(time) AS time, \(JSONText("{\"a\": [1]}")) AS json,
                    \(["", "a,b", "{\"}"]) AS texts, \([1, -2, 3]) AS numbers,
                    \([] as [Int]) AS none, \([[1], []] as [[UInt8]]) AS blobs,
                    \(2.5) AS double, \([id]) AS ids, \([time]) AS times, \("") AS empty
                """
            ).single()
            #expect(try row.decode("t", as: String.self) == "żółć")
            #expect(try row.decode("i2", as: Int16.self) == .min)
            #expect(try row.decode("i4", as: Int32.self) == .max)
            #expect(try row.decode("i4", as: Int.self) == Int(Int32.max))
            #expect(try row.decode("i8", as: Int.self) == .min)
            #expect(try row.decode("b", as: Bool.self))
            #expect(try row.decode("bytes", as: [UInt8].self) == [0, 1, 255])
            #expect(try row.decode("id", as: UUIDv7.self) == id)
            #expect(try row.decode("time", as: Timestamp.self) == time)
            #expect(try row.decode("json", as: JSONText.self).text == "{\"a\": [1]}")
            #expect(try row.decode("json", as: String.self) == "{\"a\": [1]}")
            #expect(try row.decode("texts", as: [String].self) == ["", "a,b", "{\"}"])
            #expect(try row.decode("numbers", as: [Int].self) == [1, -2, 3])
            #expect(try row.decode("none", as: [Int].self) == [])
            #expect(try row.decode("blobs", as: [[UInt8]].self) == [[1], []])
            #expect(try row.decode("double", as: Double.self) == 2.5)
            #expect(try row.decode("ids", as: [UUIDv7].self) == [id])
            #expect(try row.decode("times", as: [Timestamp].self) == [time])
            #expect(try row.decode("empty", as: String.self) == "")
        }
    }

    @Test func nullIsNilOrATypedError() async throws {
        try await withConnection { connection in
            let row = try await connection.query("SELECT NULL::int8 AS x, \(nil as String?) AS y")
                .single()
            #expect(try row.decodeIfPresent("x", as: Int.self) == nil)
            #expect(try row.decodeIfPresent("y", as: String.self) == nil)
            #expect(
                throws: PostgresError.undecodable(column: "x", type: .int8, .unexpectedNull)
            ) { try row.decode("x", as: Int.self) }
        }
    }

    @Test func unexpectedColumnsAreTypedErrors() async throws {
        try await withConnection { connection in
            let row = try await connection.query(
                """
                SELECT 'a'::text AS t, 3.5::numeric AS n, ARRAY[1, NULL]::int8[] AS holes,
                    ARRAY[[1, 2], [3, 4]]::int8[] AS square
                """
            ).single()
            #expect(
                throws: PostgresError.undecodable(column: "t", type: .text, .unexpectedType)
            ) { try row.decode("t", as: Int.self) }
            #expect(throws: PostgresError.self) { try row.decode("n", as: Double.self) }
            #expect(throws: PostgresError.missingColumn("z")) { try row.decode("z", as: Int.self) }
            #expect(throws: PostgresError.self) { try row.decode(at: 9, as: Int.self) }
            #expect(
                throws: PostgresError.undecodable(
                    column: "holes",
                    type: .int8Array,
                    .unexpectedNull
                )
            ) { try row.decode("holes", as: [Int].self) }
            #expect(
                throws: PostgresError.undecodable(
                    column: "square",
                    type: .int8Array,
                    .malformedArray
                )
            ) { try row.decode("square", as: [Int].self) }
        }
    }

    @Test func rowsDecodeAsTuples() async throws {
        try await withConnection { connection in
            let rows = try await connection.query(
                "SELECT n, n % 2 = 0, 'n' || n FROM generate_series(1, 3) AS n ORDER BY n"
            )
            let tuples = try rows.map { try $0.decode(Int.self, Bool.self, String.self) }
            #expect(tuples.map(\.0) == [1, 2, 3])
            #expect(tuples.map(\.1) == [false, true, false])
            #expect(tuples.map(\.2) == ["n1", "n2", "n3"])
            #expect(throws: PostgresError.unexpectedColumnCount(3)) {
                try rows.first?.decode(Int.self)
            }
        }
    }

    @Test func anInjectionStaysData() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (name text)")
            let evil = "x'); DROP TABLE t; --"
            #expect(try await connection.execute("INSERT INTO t VALUES (\(evil))") == 1)
            let names = try await connection.query("SELECT name FROM t").column(String.self)
            #expect(names == [evil])
        }
    }

    @Test func errorsCarryStateAndConstraintButNoValue() async throws {
        try await withConnection { connection in
            try await connection.execute(
                "CREATE TABLE t (name text CONSTRAINT name_is_unique UNIQUE)"
            )
            try await connection.execute("INSERT INTO t VALUES (\("hunter2"))")
            let error = await #expect(throws: PostgresError.self) {
                try await connection.execute("INSERT INTO t VALUES (\("hunter2"))")
            }
            #expect(error?.state == .uniqueViolation)
            #expect(error?.violatedConstraint == "name_is_unique")
            #expect(error?.recourse == PostgresError.Recourse.none)
            let text = try #require(error.map { "\($0)" })
            #expect(!text.contains("hunter2"))
            let syntax = await #expect(throws: PostgresError.self) {
                try await connection.query("SELECT \("hunter2")::int8")
            }
            #expect(syntax.map { "\($0)".contains("hunter2") } == false)
            let isUsable = try await isAlive(connection)
            #expect(isUsable)
        }
    }

    @Test func aBatchIsAllOrNothing() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int8 PRIMARY KEY)")
            let rows = try await connection.batch([
                "INSERT INTO t VALUES (\(1))", "INSERT INTO t VALUES (\(2))",
                "SELECT count(*) FROM t",
            ])
            #expect(try rows.last?.single().decode(at: 0, as: Int.self) == 2)
            await #expect(throws: PostgresError.self) {
                try await connection.batch([
                    "INSERT INTO t VALUES (\(3))", "INSERT INTO t VALUES (\(1))",
                    "INSERT INTO t VALUES (\(4))",
                ])
            }
            let counts = try await connection.query("SELECT count(*) FROM t").column(Int.self)
            #expect(counts == [2])
        }
    }

    @Test func concurrentStatementsAreAnsweredToTheirOwners() async throws {
        try await withConnection { connection in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        let row = try await connection.query("SELECT \(number)").single()
                        let answer = try row.decode(Int.self)
                        return answer == number ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 100)
        }
    }

    @Test func largeValuesPassBothWays() async throws {
        try await withConnection { connection in
            let bytes = (0..<8_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let row = try await connection.query("SELECT \(bytes) AS b").single()
            #expect(try row.decode("b", as: [UInt8].self) == bytes)
        }
    }

    @Test func aChangedTableIsReadWithANewPlan() async throws {
        try await TestDatabase.withEmpty { database in
            let pool = database.pool()
            try await pool.execute("CREATE TABLE t (a int8)")
            try await pool.execute("INSERT INTO t VALUES (1)")
            let statement: SQL = "SELECT * FROM t"
            let connection = try await database.connect()
            let before = try await connection.query(statement)
            let pooled = try await pool.query(statement)
            #expect(before.columnNames == ["a"])
            #expect(pooled.columnNames == ["a"])
            try await pool.execute("ALTER TABLE t ADD COLUMN b int8")
            let after = try await connection.query(statement)
            let again = try await pool.query(statement)
            #expect(after.columnNames == ["a", "b"])
            #expect(again.columnNames == ["a", "b"])
            await connection.close()
            await pool.close()
        }
    }

    @Test func manyStatementsDoNotPileUpInTheSession() async throws {
        try await TestDatabase.withEmpty { database in
            var settings = database.settings()
            settings.preparedStatementsMax = 4
            let connection = try await PostgresConnection.connect(
                settings,
                on: TestDatabase.reactor
            )
            for count in 1...20 {
                let numbers: [SQL] = (0..<count).map { "\($0)" }
                let list = SQL.joined(numbers, separator: ", ")
                let row = try await connection.query("SELECT ARRAY[\(fragment: list)] AS a")
                #expect(try row.single().decode("a", as: [Int].self).count == count)
            }
            let rows = try await connection.query("SELECT count(*) FROM pg_prepared_statements")
            let kept = try rows.single().decode(at: 0, as: Int.self)
            #expect(kept <= 5)
            await connection.close()
        }
    }

    /// What a network that swallows everything looks like: neither answer nor error.
    @Test(arguments: [true, false])
    func aServerThatFallsSilentIsGivenUp(inTransaction: Bool) async throws {
        try await TestDatabase.withEmpty { database in
            var settings = database.settings()
            settings.answerGrace = .milliseconds(200)
            let connection = try await PostgresConnection.connect(
                settings,
                on: TestDatabase.reactor
            )
            let silence: (PostgresConnection) async throws(PostgresError) -> Void = {
                connection throws(PostgresError) in
                kill(connection.processID, SIGSTOP)
                try await connection.query("SELECT 1", timeout: .milliseconds(200))
            }
            let error = await #expect(throws: PostgresError.self) {
                guard inTransaction else { return try await silence(connection) }
                try await connection.withTransaction(isolation: .readCommitted) {
                    transaction throws(PostgresError) in
                    try await transaction.query("SELECT 1")
                    try await silence(connection)
                }
            }
            #expect(error == (inTransaction ? .timedOut(.answer) : .outcomeUnknown))
            let isOpen = await connection.isOpen
            #expect(!isOpen)
            kill(connection.processID, SIGCONT)
        }
    }

    @Test func theDeadlineCancelsTheStatement() async throws {
        try await withConnection { connection in
            await #expect(throws: PostgresError.timedOut(.answer)) {
                try await connection.query("SELECT pg_sleep(60)", timeout: .milliseconds(100))
            }
            let isUsable = try await isAlive(connection)
            #expect(isUsable)
        }
    }
}
