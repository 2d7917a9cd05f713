import HTTP
import Postgres
import Support
import Testing

extension ExternalDatabaseTests {
    @Test func aDatabaseOfAnotherProgramIsLeftAlone() async throws {
        let site = try site(try await makeDatabase("migrated"))
        #expect(await (try site.start()).stop() == 0)
        let changes = [
            (
                "UPDATE turnpike.migrations SET checksum = sha256('other') WHERE version = 3",
                "migration 3 (catalog) was applied with another text"
            ),
            (
                "INSERT INTO turnpike.migrations (version, name, checksum)"
                    + " SELECT max(version) + 1, 'contract_future', sha256('f') FROM turnpike.migrations",
                "which this program does not know"
            ),
            ("DELETE FROM turnpike.migrations WHERE version = 2", "lacks migration 2"),
        ]
        try await run("CREATE TABLE kept AS SELECT * FROM turnpike.migrations")
        for (change, words) in changes {
            try await run(change)
            let refused = try site.launch()
            #expect(await refused.wait() == 1)
            #expect(refused.log.contains(words), "\(refused.log)")
            #expect(!refused.output.contains("listening"))
            try await run(
                """
                DELETE FROM turnpike.migrations;
                INSERT INTO turnpike.migrations SELECT * FROM kept;
                """
            )
        }
        let last = try await site.start()
        #expect(try await last.send(.get, "/v1/status").status == 200)
        #expect(await last.stop() == 0)
    }

    private func run(_ text: String) async throws {
        let script = try #require(SQLScript(fileBytes: Array(text.utf8)))
        let url = try await TestCluster.shared.url(database: "migrated")
        let connection = try await PostgresConnection.connect(
            PostgresSettings(url: url),
            on: TestDatabase.reactor
        )
        try await connection.run(script)
        await connection.close()
    }
}
