import Control
import Mesh
import Postgres
import Snapshot
import Testing
import Wire

@Suite(.timeLimit(.minutes(10))) struct EvidenceIntakeTests {
    /// The agent's side: decisions in a chain, batches with numbers.
    private struct Spool {
        let fixture: DistributionFixture
        let agent: AgentName
        var position: EvidencePosition
        var number: UInt64 = 0

        init(_ agent: String, _ fixture: DistributionFixture) throws {
            self.fixture = fixture
            self.agent = try AgentName(agent)
            position = .beginning(of: self.agent)
        }

        func denial(of destination: String?, from source: String = "shop/spy") throws -> Decision {
            Decision(
                id: fixture.control.makeID(),
                time: fixture.control.now(),
                agent: agent,
                source: SPIFFEID(
                    service: try ServiceName(source),
                    in: fixture.control.trustDomain
                ),
                destination: try destination.map { try ServiceName($0) },
                ruling: .refused(.defaultDeny),
                revision: 3,
                peerAddress: "192.0.2.3:4711"
            )
        }

        func flow(_ opened: UInt64, to destination: String = "shop/db") throws -> Flow {
            Flow(
                minute: Timestamp(secondsSinceEpoch: 1_800_000_000),
                source: SPIFFEID(
                    service: try ServiceName("shop/web"),
                    in: fixture.control.trustDomain
                ),
                destination: try ServiceName(destination),
                ruleID: nil,
                opened: opened,
                bytesSent: 10 * opened
            )
        }

        mutating func batch(
            _ decisions: [Decision],
            _ flows: [Flow] = [],
            dropped: UInt64 = 0
        ) -> EvidenceBatch {
            number += 1
            let batch = EvidenceBatch(
                batch: number,
                previous: position,
                dropped: dropped,
                decisions: decisions,
                flows: flows
            )
            position = batch.head
            return batch
        }
    }

    private func number(_ fixture: DistributionFixture, _ statement: SQL) async throws -> Int64 {
        try await fixture.control.read { database in
            try await database.query(statement).single().decode(at: 0)
        }
    }

    @Test func aBatchCountsOnceAndFlowsAddUp() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            var spool = try Spool("host-b", fixture)
            let first = spool.batch(
                [try spool.denial(of: "shop/db"), try spool.denial(of: nil)],
                [try spool.flow(2), try spool.flow(3)]
            )
            let second = spool.batch([try spool.denial(of: "shop/db")], [try spool.flow(4)])
            for batch in [first, first, second, first, second] {
                try await fixture.control.evidence.store(batch, from: spool.agent)
            }
            #expect(try await number(fixture, "SELECT count(*) FROM turnpike.decisions") == 3)
            #expect(
                try await number(fixture, "SELECT sum(opened)::bigint FROM turnpike.flows") == 9
            )
            #expect(
                try await number(
                    fixture,
                    "SELECT sum(bytes_to_destination)::bigint FROM turnpike.flows"
                ) == 90
            )
            #expect(try await number(fixture, "SELECT max(sequence) FROM turnpike.decisions") == 3)
            #expect(try await fixture.base.audited("evidence.store").isEmpty)
        }
    }

    @Test func aGapIsStoredAndAlarmed() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            var spool = try Spool("host-b", fixture)
            let first = spool.batch([try spool.denial(of: "shop/db")])
            let lost = spool.batch([try spool.denial(of: "shop/db")])
            let third = spool.batch([try spool.denial(of: "shop/db")])
            try await fixture.control.evidence.store(first, from: spool.agent)
            try await fixture.control.evidence.store(third, from: spool.agent)
            #expect(
                try await fixture.base.audited("evidence.store").map(\.reason) == ["broken_chain"]
            )
            #expect(try await number(fixture, "SELECT count(*) FROM turnpike.decisions") == 2)
            #expect(
                try await number(
                    fixture,
                    "SELECT max(chain)::bigint FROM turnpike.decisions"
                ) == 2
            )
            // A second history from the beginning is a break as well, and takes nobody's place.
            var again = try Spool("host-b", fixture)
            let rewritten = again.batch([try again.denial(of: "shop/db")])
            try await fixture.control.evidence.store(rewritten, from: again.agent)
            #expect(try await fixture.base.audited("evidence.store").count == 2)
            #expect(try await number(fixture, "SELECT count(*) FROM turnpike.decisions") == 3)
            #expect(lost.batch == 2)
        }
    }

    @Test func nobodySpeaksForServicesOfOthers() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            var spool = try Spool("host-a", fixture)
            let batch = spool.batch(
                [
                    try spool.denial(of: "shop/db"),
                    // Its own refusal of a service that it hosts.
                    try spool.denial(of: "shop/db", from: "shop/web"),
                ],
                [try spool.flow(1)]
            )
            try await fixture.control.evidence.store(batch, from: spool.agent)
            #expect(
                try await fixture.base.audited("evidence.store").map(\.reason)
                    == ["foreign_service"]
            )
            #expect(try await number(fixture, "SELECT count(*) FROM turnpike.decisions") == 1)
            #expect(try await number(fixture, "SELECT count(*) FROM turnpike.flows") == 0)
            let other = try AgentName("host-b")
            let refused = await refusal {
                try await fixture.control.evidence.store(batch, from: other)
            }
            #expect(refused?.code == "evidence.other_agent")
        }
    }

    @Test func whatWasDroppedIsCounted() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            var spool = try Spool("host-b", fixture)
            let batch = spool.batch([try spool.denial(of: "shop/db")], dropped: 7)
            try await fixture.control.evidence.store(batch, from: spool.agent)
            try await fixture.control.evidence.store(
                spool.batch([], [], dropped: 2),
                from: spool.agent
            )
            #expect(
                try await fixture.base.audited("evidence.store").map(\.reason)
                    == ["dropped", "dropped"]
            )
            #expect(try await number(fixture, "SELECT dropped FROM turnpike.evidence_heads") == 9)
        }
    }
}
