import Control
import Ledger
import Mesh
import Postgres
import Store
import Support
import Testing
import Wire

@Suite struct AuditTests {
    private func act(_ fixture: ControlFixture, _ resource: String, by name: String) async throws {
        try await fixture.control.act(
            ControlFixture.caller(name, []),
            action: "thing.done",
            resource: resource
        ) { act in act.describe(["note": "fine"]) }
    }

    @Test func aChainThatNobodyWroteIsNotIntact() async throws {
        try await ControlFixture.with { fixture in
            let error = await refusal {
                try await fixture.control.audit.verify(writer: "server/nobody")
            }
            #expect(error?.code == "audit.unknown_writer")
        }
    }

    @Test func filtersAndPages() async throws {
        try await ControlFixture.with { fixture in
            let audit = fixture.control.audit
            for number in 0..<5 { try await act(fixture, "a/\(number)", by: "x") }
            try await act(fixture, "b/1", by: "y")
            var filter = AuditFilter()
            filter.resourcePrefix = "a/"
            let first = try await audit.list(filter, limit: 3)
            #expect(first.records.map(\.record.resource) == ["a/4", "a/3", "a/2"])
            let second = try await audit.list(filter, before: first.next, limit: 3)
            #expect(second.records.map(\.record.resource) == ["a/1", "a/0"])
            #expect(second.next == nil)
            var other = AuditFilter()
            other.actor = "token/y"
            other.action = "thing.done"
            other.outcome = "success"
            other.requestID = "request-y"
            other.since = first.records.last?.record.time
            let found = try await audit.list(other).records
            #expect(found.map(\.record.resource) == ["b/1"])
            #expect(found.first?.record.detail == #"{"note":"fine"}"#)
            #expect(found.first?.record.sourceAddress == "192.0.2.7")
            other.until = other.since
            #expect(try await audit.list(other).records.isEmpty)
        }
    }

    @Test(arguments: [
        ("UPDATE turnpike.audit SET actor = 'other' WHERE sequence = 4" as SQL, "edited"),
        ("UPDATE turnpike.audit SET detail = NULL WHERE sequence = 4", "edited"),
        ("DELETE FROM turnpike.audit WHERE sequence = 4", "missing"),
        ("DELETE FROM turnpike.audit WHERE sequence >= 5", "tailCut"),
        ("UPDATE turnpike.audit SET sequence = 900 WHERE sequence = 4", "missing"),
    ])
    func aChangedChainIsFound(statement: SQL, fault: String) async throws {
        try await ControlFixture.with { fixture in
            for number in 0..<4 { try await act(fixture, "a/\(number)", by: "x") }
            let before = try await fixture.control.audit.verify(writer: "server/one")
            #expect(before.isIntact)
            #expect(before.recordCount > 5)
            try await fixture.tamper(statement)
            let after = try await fixture.control.audit.verify(writer: "server/one")
            let found = try #require(after.fault)
            #expect("\(found)".hasPrefix(fault))
        }
    }

    @Test func aWitnessFindsARewrittenTail() async throws {
        try await ControlFixture.with { fixture in
            try await act(fixture, "a/1", by: "x")
            let witnessed = try await fixture.control.audit.heads()
            #expect(witnessed.map(\.writer) == ["server/one"])
            try await fixture.tamper(
                """
                WITH cut AS (DELETE FROM turnpike.audit WHERE action = 'thing.done'
                    RETURNING sequence, previous_hash)
                UPDATE turnpike.audit_heads SET sequence = cut.sequence - 1,
                    hash = cut.previous_hash FROM cut
                """
            )
            let alone = try await fixture.control.audit.verify(writer: "server/one")
            #expect(alone.isIntact)
            let together = try await fixture.control.audit.verify(
                writer: "server/one",
                witnessed: witnessed
            )
            #expect(!together.isIntact)
        }
    }

    @Test func longChainsAreReadInPages() async throws {
        try await ControlFixture.with { fixture in
            for number in 0..<3 {
                try await fixture.control.act(
                    fixture.admin,
                    action: "batch",
                    resource: "batch/\(number)"
                ) { act in
                    for index in 0..<700 {
                        act.audit(fixture.admin.entry(action: "part", resource: "part/\(index)"))
                    }
                }
            }
            let verification = try await fixture.control.audit.verify(writer: "server/one")
            #expect(verification.isIntact)
            #expect(verification.recordCount > 2_100)
            #expect(verification.end?.sequence == UInt64(verification.recordCount))
        }
    }
}
