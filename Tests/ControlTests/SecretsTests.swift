import Control
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

/// What the database holds of secrets, and what happens when somebody else writes there.
@Suite struct SecretsTests {
    private func write(_ fixture: ControlFixture, _ path: String, _ text: String) async throws {
        _ = try await fixture.control.secrets.write(
            ["value": .string(text)],
            to: path,
            cas: nil,
            by: fixture.admin
        )
    }

    private func value(_ fixture: ControlFixture, _ path: String) async throws -> String? {
        let found = try await fixture.control.secrets.read(path, version: nil, by: fixture.admin)
        return found?.value?["value"]?.text
    }

    /// Does something behind the server's back, as the superuser.
    private func tamper(_ fixture: ControlFixture, _ text: String) async throws {
        let connection = try await fixture.database.connect()
        try await connection.run(try #require(SQLScript(fileBytes: Array(text.utf8))))
        await connection.close()
    }

    @Test func theDatabaseHoldsNoValue() async throws {
        try await ControlFixture.with { fixture in
            try await write(fixture, "a", "planted-secret-value")
            let connection = try await fixture.database.connect()
            let everything: String = try await connection.query(
                """
                SELECT (SELECT string_agg(v::text, ' ') FROM turnpike.secret_versions v)
                    || (SELECT string_agg(encode(sealed, 'escape'), ' ')
                        FROM turnpike.secret_versions)
                    || (SELECT string_agg(a::text, ' ') FROM turnpike.audit a)
                    || (SELECT string_agg(s::text, ' ') FROM dashboard.secrets s)
                """
            ).single().decode(at: 0)
            await connection.close()
            #expect(!everything.contains("planted"))
            #expect(try await value(fixture, "a") == "planted-secret-value")
        }
    }

    /// What is read at once shares commits; one row that was altered spoils only its own read.
    @Test func readsAtOnceAreRecordedEach() async throws {
        try await ControlFixture.with { fixture in
            for index in 0..<4 { try await write(fixture, "path-\(index)", "value-\(index)") }
            try await tamper(
                fixture,
                "UPDATE turnpike.secret_versions SET deletion_time = now() WHERE path = 'path-3'"
            )
            let answers = await withTaskGroup(of: (Int, String?).self) { group in
                for index in 0..<40 {
                    group.addTask {
                        (index % 5, try? await value(fixture, "path-\(index % 5)") ?? "absent")
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count == 40)
            for (index, answer) in answers {
                let right = index == 3 ? nil : index == 4 ? "absent" : "value-\(index)"
                #expect(answer == right, "path-\(index)")
            }
            let connection = try await fixture.database.connect()
            let row = try await connection.query(
                """
                SELECT count(*) AS records, count(DISTINCT xmin::text) AS commits,
                    count(*) FILTER (WHERE outcome = 'absent') AS absent
                FROM turnpike.audit WHERE action = 'secret.read'
                """
            ).single()
            await connection.close()
            #expect(try row.decode("records", as: Int.self) == 32)
            #expect(try row.decode("absent", as: Int.self) == 8)
            #expect(try row.decode("commits", as: Int.self) < 32)
        }
    }

    /// Each of these is done as the owner of the whole database.
    @Test(arguments: [
        // Another path's value, sealed with the same key.
        """
        UPDATE turnpike.secret_versions SET sealed = other.sealed,
            sealed_sequence = other.sealed_sequence, sequence = other.sequence, mac = other.mac
        FROM turnpike.secret_versions other
        WHERE other.path = 'b' AND secret_versions.path = 'a' AND secret_versions.version = 2
        """,
        // The older value in the place of the newer one.
        """
        UPDATE turnpike.secret_versions SET sealed = other.sealed,
            sealed_sequence = other.sealed_sequence, sequence = other.sequence, mac = other.mac
        FROM turnpike.secret_versions other
        WHERE other.path = 'a' AND other.version = 1
            AND secret_versions.path = 'a' AND secret_versions.version = 2
        """,
        "UPDATE turnpike.secret_versions SET deletion_time = NULL, sequence = sequence + 1",
        "UPDATE turnpike.secret_keys SET current_version = 1 WHERE path = 'a'",
        "DELETE FROM turnpike.secret_versions WHERE path = 'a' AND version = 2",
        "UPDATE turnpike.secret_mounts SET sequence = 0",
        "UPDATE turnpike.secret_mounts SET config = '{\"max_versions\": 1}'",
    ])
    func whatSomebodyElseWroteIsNeitherServedNorOverwritten(statement: String) async throws {
        try await ControlFixture.with { fixture in
            try await write(fixture, "a", "one")
            try await write(fixture, "a", "two")
            try await write(fixture, "b", "other")
            #expect(try await fixture.control.secrets.verify())
            try await tamper(fixture, statement)
            let reading = await refusal { try await value(fixture, "a") }
            #expect(reading?.code == "secret.altered")
            let writing = await refusal {
                try await fixture.control.secrets.change(
                    .destroy,
                    [2],
                    of: "a",
                    by: fixture.admin
                )
            }
            #expect(writing?.code == "secret.altered")
            #expect(try await fixture.control.status().rowAlarms.isEmpty == false)
        }
    }

    /// A path and all of its versions taken away together, or put back together, leave no trace but in
    /// the account of the mount.
    @Test(arguments: [true, false])
    func wholePathsThatVanishOrComeBackAreNoticed(isTakenAway: Bool) async throws {
        try await ControlFixture.with { fixture in
            try await write(fixture, "a", "one")
            try await write(fixture, "b", "other")
            try await tamper(
                fixture,
                """
                CREATE TABLE kept_keys AS SELECT * FROM turnpike.secret_keys WHERE path = 'a';
                CREATE TABLE kept_versions AS SELECT * FROM turnpike.secret_versions
                    WHERE path = 'a';
                """
            )
            if isTakenAway {
                try await tamper(
                    fixture,
                    """
                    DELETE FROM turnpike.secret_versions WHERE path = 'a';
                    DELETE FROM turnpike.secret_keys WHERE path = 'a';
                    """
                )
            } else {
                try await fixture.control.secrets.remove("a", by: fixture.admin)
                #expect(try await fixture.control.secrets.verify())
                try await tamper(
                    fixture,
                    """
                    INSERT INTO turnpike.secret_keys SELECT * FROM kept_keys;
                    INSERT INTO turnpike.secret_versions SELECT * FROM kept_versions;
                    """
                )
            }
            #expect(try await !fixture.control.secrets.verify())
            let alarms = try await fixture.control.status().rowAlarms
            #expect(alarms.contains(RowAlarm(table: "secret_mounts", key: "secret")))
        }
    }

    @Test func writersTakeTurns() async throws {
        try await ControlFixture.with { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for round in 0..<5 {
                            try await write(fixture, "shared", "\(writer)-\(round)")
                            _ = try await value(fixture, "shared")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let metadata = try await fixture.control.secrets.metadata("shared")
            #expect(metadata?.currentVersion == 20)
            #expect(metadata?.versions.count == 10)
            #expect(try await fixture.control.secrets.verify())
        }
    }

    /// A server that starts again, or another replica, finds the head and makes none.
    @Test func anotherReplicaServesTheSame() async throws {
        try await ControlFixture.with { fixture in
            try await write(fixture, "a", "one")
            let other = try await ControlFixture.open(fixture.pool, server: "two")
            let found = try await other.secrets.read("a", version: nil, by: fixture.admin)
            #expect(found?.value?["value"]?.text == "one")
            try await tamper(fixture, "DELETE FROM turnpike.secret_versions")
            try await tamper(fixture, "DELETE FROM turnpike.secret_keys")
            try await tamper(fixture, "DELETE FROM turnpike.secret_mounts")
            let third = try await ControlFixture.open(fixture.pool, server: "three")
            let error = await refusal { try await third.secrets.settings() }
            #expect(error?.code == "secret.altered")
        }
    }
}
