import Crypto
import Mesh
import Snapshot
import Testing
import Wire

struct EvidenceBatchTests {
    private let agent: AgentName
    private let start: EvidencePosition

    init() throws {
        agent = try AgentName("host-1")
        start = .beginning(of: agent)
    }

    private func decision(_ number: UInt8, verdict: Verdict = .deny) throws -> Decision {
        Decision(
            id: UUIDv7(timestamp: World.now, random: Array(repeating: number, count: 10)),
            time: World.now,
            agent: agent,
            source: try SPIFFEID("spiffe://mesh.example/ns/shop/svc/web"),
            destination: try ServiceName("shop/db"),
            ruling: Ruling(verdict: verdict, reason: .defaultDeny),
            revision: 3,
            peerAddress: "10.0.0.9:4000"
        )
    }

    @Test func oneBatchOrManyGiveOneChain() throws {
        let decisions = try (1...5).map { try decision($0) }
        let whole = EvidenceBatch(
            batch: 1,
            previous: start,
            dropped: 0,
            decisions: decisions,
            flows: []
        )
        let first = EvidenceBatch(
            batch: 1,
            previous: start,
            dropped: 0,
            decisions: Array(decisions.prefix(2)),
            flows: []
        )
        let second = EvidenceBatch(
            batch: 2,
            previous: first.head,
            dropped: 0,
            decisions: Array(decisions.dropFirst(2)),
            flows: []
        )
        #expect(second.head == whole.head)
        #expect(first.positions + second.positions == whole.positions)
        #expect(whole.positions.map(\.sequence) == [1, 2, 3, 4, 5])
    }

    @Test func everyChangeMovesTheHead() throws {
        let batch = EvidenceBatch(
            batch: 1,
            previous: start,
            dropped: 2,
            decisions: [try decision(1), try decision(2)],
            flows: []
        )
        var edited = batch
        edited.decisions[0] = try decision(1, verdict: .allow)
        var swapped = batch
        swapped.decisions.swapAt(0, 1)
        var hidden = batch
        hidden.dropped = 0
        var foreign = batch
        foreign.previous = .beginning(of: try AgentName("host-2"))
        let heads = [batch, edited, swapped, hidden, foreign].map(\.head)
        #expect(Set(heads).count == heads.count)
    }

    @Test func aBatchComesBackFromAFrameAsItWas() throws {
        let flow = Flow(
            minute: World.now,
            source: try SPIFFEID("spiffe://mesh.example/ns/shop/svc/web"),
            destination: try ServiceName("shop/db"),
            ruleID: nil,
            opened: 1,
            bytesSent: 9
        )
        let batch = EvidenceBatch(
            batch: 7,
            previous: start,
            dropped: 4,
            decisions: [try decision(1)],
            flows: [flow]
        )
        var decoder = FrameDecoder()
        decoder.append(try Frame.encode(.evidence(batch)))
        let message = try #require(try decoder.next())
        #expect(message == .evidence(batch))
    }
}
