import Postgres
import Store
import Support
import Testing

@Suite struct MigratorTests {
    private let foundation = Migration.all[0]

    private func migration(_ version: Int, _ name: String, _ text: String) -> Migration {
        Migration(version: version, name: name, text: Array(text.utf8))
    }

    private func migrate(_ database: TestDatabase, _ migrations: [Migration]) async throws -> [Int]
    {
        let connection = try await database.connect()
        let outcome: Result<[Migration], MigrationError>
        do throws(MigrationError) {
            outcome = .success(try await Migrator(migrations).migrate(connection))
        } catch {
            outcome = .failure(error)
        }
        await connection.close()
        return try outcome.get().map(\.version)
    }

    @Test func appliesWhatIsMissingOnce() async throws {
        try await TestDatabase.withEmpty { database in
            let second = migration(2, "things", "CREATE TABLE turnpike.things (n int8);")
            #expect(try await migrate(database, [foundation]) == [1])
            #expect(try await migrate(database, [foundation, second]) == [2])
            #expect(try await migrate(database, [foundation, second]) == [])
            let connection = try await database.connect()
            let owners = try await connection.query(
                "SELECT tableowner FROM pg_tables WHERE schemaname = 'turnpike'"
            ).column(String.self)
            #expect(owners == ["turnpike_owner", "turnpike_owner"])
            await connection.close()
        }
    }

    @Test func theRealOnesApplyAndVerify() async throws {
        try await TestDatabase.withMigrated { database in
            let connection = try await database.connect()
            try await Migrator().verify(connection)
            let status = try await Migrator().status(of: connection)
            #expect(status.applied == Migration.all.map(\.version))
            #expect(status.pending == [])
            await connection.close()
        }
    }

    @Test func concurrentMigratorsTakeTurns() async throws {
        try await TestDatabase.withEmpty { database in
            let slow = migration(
                2,
                "slow",
                "SELECT pg_sleep(0.2); CREATE TABLE turnpike.things (n int8);"
            )
            let migrations = [foundation, slow]
            let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
                for _ in 0..<3 { group.addTask { try await migrate(database, migrations) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(applied.sorted() == [1, 2])
        }
    }

    @Test func databasesOfOneClusterShareTheRoles() async throws {
        try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await TestDatabase.withEmpty { database in
                        try await migrate(database, Migration.all)
                    }
                }
            }
            for try await applied in group { #expect(applied == Migration.all.map(\.version)) }
        }
    }

    @Test func aFailedFileLeavesNothing() async throws {
        try await TestDatabase.withEmpty { database in
            let broken = migration(
                2,
                "broken",
                "CREATE TABLE turnpike.half (n int8); SELECT no_such_function();"
            )
            let error = await #expect(throws: MigrationError.self) {
                try await migrate(database, [foundation, broken])
            }
            guard case .failed(let name, let cause) = error else {
                Issue.record("unexpected \(String(describing: error))")
                return
            }
            #expect(name == "m0002_broken")
            #expect(cause.state == SQLState(code: "42883"))
            let fixed = migration(2, "fixed", "CREATE TABLE turnpike.half (n int8);")
            let applied = try await migrate(database, [foundation, fixed])
            #expect(applied == [2])
        }
    }

    @Test func aFileMayNotEndItsTransaction() async throws {
        try await TestDatabase.withEmpty { database in
            let sly = migration(2, "sly", "COMMIT; SELECT 1;")
            await #expect(throws: MigrationError.self) {
                try await migrate(database, [foundation, sly])
            }
            let applied = try await migrate(database, [foundation])
            #expect(applied == [])
        }
    }

    @Test func changedTextIsRefused() async throws {
        try await TestDatabase.withEmpty { database in
            let first = migration(2, "things", "CREATE TABLE turnpike.things (n int8);")
            let other = migration(2, "things", "CREATE TABLE turnpike.things (n int4);")
            _ = try await migrate(database, [foundation, first])
            await #expect(throws: MigrationError.changed(version: 2, name: "things")) {
                try await migrate(database, [foundation, other])
            }
        }
    }

    /// Replicas are upgraded one after the other: the first one migrates, the others go on.
    @Test func aNewerDatabaseThatOnlyHasMoreIsServed() async throws {
        try await TestDatabase.withEmpty { database in
            let future = migration(2, "future", "CREATE TABLE turnpike.future (n int8);")
            _ = try await migrate(database, [foundation, future])
            #expect(try await migrate(database, [foundation]) == [])
            let connection = try await database.connect()
            let status = try await Migrator([foundation]).status(of: connection)
            #expect(status.unknown == ["future"])
            #expect(status.pending == [])
            await connection.close()
        }
    }

    @Test func aNewerDatabaseThatLacksSomethingIsRefused() async throws {
        try await TestDatabase.withEmpty { database in
            let future = migration(2, "future", "CREATE TABLE turnpike.future (n int8);")
            let less = migration(3, "contract_future", "DROP TABLE turnpike.future;")
            _ = try await migrate(database, [foundation, future, less])
            let refusal = MigrationError.ahead(version: 3, name: "contract_future")
            await #expect(throws: refusal) { try await migrate(database, [foundation]) }
            let connection = try await database.connect()
            await #expect(throws: refusal) {
                try await Migrator([foundation, future]).verify(connection)
            }
            await connection.close()
        }
    }

    @Test func anOlderDatabaseIsRefusedByVerify() async throws {
        try await TestDatabase.withEmpty { database in
            let connection = try await database.connect()
            await #expect(throws: MigrationError.behind(pending: ["m0001_foundation"])) {
                try await Migrator([foundation]).verify(connection)
            }
            await connection.close()
        }
    }

    @Test func theRuntimeRoleOwnsAndWritesNothing() async throws {
        try await TestDatabase.withMigrated { database in
            let connection = try await database.connect()
            try await connection.query("SET ROLE turnpike_runtime")
            try await Migrator().verify(connection)
            let statements: [SQL] = [
                "DELETE FROM turnpike.migrations", "CREATE TABLE turnpike.mine (n int8)",
                "CREATE TABLE public.mine (n int8)", "CREATE TEMPORARY TABLE mine (n int8)",
            ]
            for statement in statements {
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.query(statement)
                }
                #expect(error?.state == .insufficientPrivilege)
            }
            await connection.close()
        }
    }
}
