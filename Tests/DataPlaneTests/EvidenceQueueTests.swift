import DataPlane
import Mesh
import Snapshot
import Support
import Testing
import Wire

@Suite struct EvidenceQueueTests {
    private func decision() throws -> Decision {
        Decision(
            id: UUIDv7(timestamp: .epoch, random: Array(repeating: 7, count: 10)),
            time: .epoch,
            agent: try AgentName("host-1"),
            source: nil,
            destination: nil,
            ruling: .refused(.unknownSNI),
            revision: 1,
            peerAddress: nil
        )
    }

    @Test func whatDoesNotFitIsCounted() throws {
        let queue = EvidenceQueue()
        let decision = try decision()
        for _ in 0..<EvidenceQueue.decisionsMax + 3 { queue.add(decision) }
        let batch = queue.takeAll()
        #expect(batch.decisions.count == EvidenceQueue.decisionsMax)
        #expect(batch.droppedDecisionCount == 3)
        #expect(queue.takeAll().isEmpty)
        queue.drop()
        #expect(queue.takeAll().droppedDecisionCount == 1)
    }

    @Test func flowsAddUpWithinAMinute() throws {
        let mesh = try TestMesh(now: Timestamp(secondsSinceEpoch: 1_900_000_000))
        let agent = try AgentName("host-1")
        let port: UInt16 = 5_432
        let snapshot = try mesh.snapshot(
            for: agent,
            [
                .upstreams(
                    .init(
                        agent: agent,
                        upstreams: [
                            Upstream(
                                agent: agent,
                                source: ServiceName("web"),
                                destination: ServiceName("db"),
                                port: port,
                                users: .any
                            )
                        ]
                    )
                )
            ]
        ).snapshot
        let permit = try ConnectionPermit.outbound(uid: 7, port: port, snapshot: snapshot).get()
        let queue = EvidenceQueue()
        var amounts = FlowAmounts()
        amounts.opened = 1
        amounts.bytesSent = 10
        let start = Timestamp(secondsSinceEpoch: 1_899_999_960)
        queue.count(permit, amounts, now: start)
        queue.count(permit, amounts, now: start + .seconds(59))
        queue.count(permit, amounts, now: start + .seconds(60))
        let flows = queue.takeAll().flows.sorted { $0.minute < $1.minute }
        #expect(flows.map(\.opened) == [2, 1])
        #expect(flows.map(\.bytesSent) == [20, 10])
        #expect(flows.first?.minute == start)
    }
}
