import Control
import Ledger
import Mesh
import Postgres
import Store
import Support
import Synchronization
import Testing
import Wire

@Suite struct ControlPlaneTests {
    private struct Undone: Error {}

    @Test func concurrentChangesMakeAGapFreeOrder() async throws {
        try await ControlFixture.with { fixture in
            let revisions = try await withThrowingTaskGroup(of: Int64.self) { group in
                for number in 1...20 {
                    group.addTask {
                        try await fixture.control.change(
                            fixture.admin,
                            action: "namespace.put",
                            resource: "namespaces/n\(number)"
                        ) { change in
                            change.record(.namespace, key: "n\(number)", .create)
                            return change.revision
                        }
                    }
                }
                var revisions: [Int64] = []
                for try await revision in group { revisions.append(revision) }
                return revisions.sorted()
            }
            #expect(revisions == Array(1...20))
            let (feed, last) = try await fixture.control.read { database in
                (
                    try await RevisionRepository.changes(after: 0, in: database),
                    try await RevisionRepository.current(in: database)
                )
            }
            #expect(feed.map(\.revision) == Array(1...20))
            #expect(feed.map(\.at) == feed.map(\.at).sorted())
            #expect(last == 20)
            let records = try await fixture.audited("namespace.put")
            #expect(records.compactMap(\.revision).sorted() == Array(1...20))
            let verification = try await fixture.control.audit.verify(writer: "server/one")
            #expect(verification.isIntact)
        }
    }

    @Test func aRefusedChangeLeavesNothing() async throws {
        try await ControlFixture.with { fixture in
            let error = await refusal { try await changeAndFail(fixture) }
            let records = try await fixture.audited("namespace.put")
            let revision = try await fixture.control.status().revision
            #expect(error?.code == "internal")
            #expect(records.isEmpty)
            #expect(revision == 0)
        }
    }

    private func changeAndFail(_ fixture: ControlFixture) async throws {
        try await fixture.control.change(
            fixture.admin,
            action: "namespace.put",
            resource: "namespaces/a"
        ) { change in
            change.record(.namespace, key: "a", .create)
            throw Undone()
        }
    }

    @Test func anUnchangedRowMakesNoRevision() async throws {
        try await ControlFixture.with { fixture in
            try await fixture.control.change(
                fixture.admin,
                action: "namespace.put",
                resource: "namespaces/a"
            ) { change in change.audited.conclude(outcome: "unchanged") }
            #expect(try await fixture.control.status().revision == 0)
            let records = try await fixture.audited("namespace.put")
            #expect(records.map(\.outcome) == ["unchanged"])
            #expect(records.map(\.revision) == [nil])
        }
    }

    @Test func aPageOfChangesNeverCutsARevision() async throws {
        try await ControlFixture.with { fixture in
            for count in [3, 1] {
                try await fixture.control.change(
                    fixture.admin,
                    action: "apply",
                    resource: "apply"
                ) { change in
                    for number in 0..<count {
                        change.record(.service, key: "default/s\(number)", .update)
                    }
                }
            }
            let (first, second) = try await fixture.control.read { database in
                (
                    try await RevisionRepository.changes(after: 0, limit: 2, in: database),
                    try await RevisionRepository.changes(after: 1, limit: 2, in: database)
                )
            }
            #expect(first.map(\.revision) == [1, 1, 1])
            #expect(first.map(\.ordinal) == [1, 2, 3])
            #expect(second.map(\.revision) == [2])
        }
    }

    @Test func aCommitWakesListeners() async throws {
        try await ControlFixture.with { fixture in
            let connection = try await fixture.database.connect()
            let (wakeUps, continuation) = AsyncStream<String>.makeStream()
            await connection.onNotification { continuation.yield($0.payload) }
            try await connection.listen(to: RevisionRepository.channel)
            try await fixture.control.change(
                fixture.admin,
                action: "namespace.put",
                resource: "namespaces/a"
            ) { change in change.record(.namespace, key: "a", .create) }
            var iterator = wakeUps.makeAsyncIterator()
            #expect(await iterator.next() == "1")
            await connection.close()
        }
    }

    @Test func databaseErrorsBecomeWordsForCallers() async throws {
        try await ControlFixture.with { fixture in
            try await fixture.tamper("CREATE TABLE turnpike.strict (id integer PRIMARY KEY)")
            try await fixture.tamper("GRANT INSERT ON turnpike.strict TO turnpike_runtime")
            let error = await refusal {
                try await fixture.control.write { database in
                    try await database.query("INSERT INTO turnpike.strict VALUES (1), (1)")
                }
            }
            #expect(error?.code == "storage.duplicate")
            await fixture.pool.close()
            let closed = await refusal { try await fixture.control.status() }
            #expect(closed?.code == "storage.unavailable")
        }
    }

    @Test func theRuntimeRoleCannotRewriteHistory() async throws {
        try await ControlFixture.with { fixture in
            let forbidden: [SQL] = [
                "UPDATE turnpike.audit SET actor = 'nobody'",
                "DELETE FROM turnpike.audit",
                "TRUNCATE turnpike.audit",
                "DELETE FROM turnpike.audit_heads",
                "UPDATE turnpike.changes SET key = 'x'",
                "DELETE FROM turnpike.tokens",
                "UPDATE turnpike.cluster SET trust_domain = 'other.example'",
                "DELETE FROM turnpike.root_keys",
                "ALTER TABLE turnpike.audit DISABLE TRIGGER ALL",
                "CREATE TABLE turnpike.mine (id integer)",
            ]
            for statement in forbidden {
                await #expect(throws: PostgresError.self, "\(statement)") {
                    try await fixture.pool.execute(statement)
                }
            }
        }
    }
}
