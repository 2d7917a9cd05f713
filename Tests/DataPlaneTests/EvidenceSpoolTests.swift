@testable import DataPlane
import Mesh
import Reactor
import Snapshot
import Support
import Testing
import Wire

struct EvidenceSpoolTests {
    private let mesh: TestMesh
    private let directory: AgentDirectory
    private let folder: AgentFolder
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    init() throws {
        mesh = try TestMesh(now: now)
        directory = try AgentDirectory(mesh, agent: "host-1")
        folder = AgentFolder(directory.path)
    }

    private func spool(bytes: Int = 1 << 20) throws -> EvidenceSpool {
        try EvidenceSpool(
            in: EvidenceFolder(folder),
            agent: directory.agent,
            byteCountMax: ByteCount(bytes: bytes)
        )
    }

    private func decisions(_ numbers: Range<UInt8>) throws -> EvidenceQueue.Batch {
        var batch = EvidenceQueue.Batch()
        for number in numbers {
            batch.decisions.append(
                Decision(
                    id: UUIDv7(timestamp: now, random: Array(repeating: number, count: 10)),
                    time: now,
                    agent: directory.agent,
                    source: nil,
                    destination: try ServiceName("db"),
                    ruling: .refused(.defaultDeny),
                    revision: 1,
                    peerAddress: nil
                )
            )
        }
        return batch
    }

    private func flow(_ minute: Timestamp) throws -> EvidenceQueue.Batch {
        var batch = EvidenceQueue.Batch()
        batch.flows = [
            Flow(
                minute: minute,
                source: try SPIFFEID("spiffe://mesh.example/ns/default/svc/web"),
                destination: try ServiceName("db"),
                ruleID: nil,
                opened: 1,
                bytesSent: 10
            )
        ]
        return batch
    }

    /// Takes every batch as a server does and checks that the chain has no gap.
    private func deliver(_ spool: inout EvidenceSpool) throws -> [EvidenceBatch] {
        var batches: [EvidenceBatch] = []
        while let batch = spool.oldest() {
            if let last = batches.last { #expect(batch.previous == last.head) }
            batches.append(batch)
            try spool.acknowledged(batch.batch)
        }
        return batches
    }

    @Test func whatIsWrittenSurvivesAndIsDeliveredInOrderOnce() throws {
        var first = try spool()
        first.add(try decisions(0..<3))
        try first.write(now: now)
        first.add(try decisions(3..<5))
        try first.write(now: now)
        var second = try spool()
        let batches = try deliver(&second)
        #expect(batches.map(\.batch) == [1, 2])
        #expect(batches.flatMap(\.decisions) == (try decisions(0..<5)).decisions)
        #expect(batches.first?.previous == .beginning(of: directory.agent))
        var third = try spool()
        #expect(third.oldest() == nil)
    }

    @Test func theChainGoesOnAfterARestartWithAnEmptySpool() throws {
        var first = try spool()
        first.add(try decisions(0..<3))
        try first.write(now: now)
        let head = try #require(try deliver(&first).last?.head)
        var second = try spool()
        second.add(try decisions(3..<4))
        try second.write(now: now)
        let found = second.oldest()
        let batch = try #require(found)
        #expect(batch.previous == head)
        #expect(batch.batch == 2)
    }

    @Test func aBatchThatWasNotAcknowledgedIsSentAgainAsItWas() throws {
        var first = try spool()
        first.add(try decisions(0..<2))
        try first.write(now: now)
        let found = first.oldest()
        let sent = try #require(found)
        var second = try spool()
        #expect(second.oldest() == sent)
    }

    @Test func anAcknowledgementOfAnotherBatchRemovesNothing() throws {
        var spool = try spool()
        spool.add(try decisions(0..<2))
        try spool.write(now: now)
        try spool.acknowledged(9)
        #expect(spool.batchCount == 1)
    }

    @Test func overTheBudgetTheNewestAreDroppedAndCounted() throws {
        var first = try spool(bytes: 3_000)
        for round in 0..<20 as Range<UInt8> {
            first.add(try decisions(round * 3..<round * 3 + 3))
            try first.write(now: now)
        }
        let kept = first.batchCount
        #expect(kept > 0 && kept < 20)
        #expect(first.droppedCount == UInt64((20 - kept) * 3))
        // The count survives a crash, and the chain has no gap behind it.
        var second = try spool(bytes: 3_000)
        #expect(second.droppedCount == UInt64((20 - kept) * 3))
        let delivered = try deliver(&second)
        #expect(delivered.flatMap(\.decisions).count == kept * 3)
        second.add(try decisions(100..<101))
        try second.write(now: now)
        let found = second.oldest()
        let next = try #require(found)
        #expect(next.dropped == UInt64((20 - kept) * 3))
        #expect(next.previous == delivered.last?.head)
        #expect(second.droppedCount == 0)
    }

    @Test func flowsOfTheMinuteThatRunsWaitAndAddUp() throws {
        var spool = try spool()
        let minute = Timestamp(secondsSinceEpoch: now.secondsSinceEpoch / 60 * 60)
        spool.add(try flow(minute))
        spool.add(try flow(minute))
        try spool.write(now: minute + .seconds(59))
        #expect(spool.oldest() == nil)
        try spool.write(now: minute + .seconds(60))
        let found = spool.oldest()
        let batch = try #require(found)
        #expect(batch.flows.map(\.opened) == [2])
        #expect(batch.flows.map(\.bytesSent) == [20])
    }

    @Test func atTheEndFlowsOfTheRunningMinuteAreWritten() throws {
        var spool = try spool()
        spool.add(try flow(now))
        try spool.write(now: now, isEnding: true)
        #expect(spool.oldest()?.flows.count == 1)
    }

    @Test func aDamagedBatchIsGivenUpLoudlyAndTheOthersAreDelivered() throws {
        var first = try spool()
        for round in 0..<3 as Range<UInt8> {
            first.add(try decisions(round..<round + 1))
            try first.write(now: now)
        }
        let name = try #require(
            try FileSystem.list(folder.evidencePath).first {
                $0.hasSuffix("2.json")
            }
        )
        try FileSystem.replace("\(folder.evidencePath)/\(name)", with: [0x7B])
        var second = try spool()
        #expect(second.faults.count == 1)
        #expect(second.batchCount == 2)
        #expect(second.oldest()?.batch == 1)
        try second.acknowledged(1)
        #expect(second.oldest()?.batch == 3)
    }

    /// A process that is replaced tells its successor; where that dies, the next start is told.
    @Test func whatASuccessorDidNotTakeIsFoundByTheNextStart() throws {
        var pair = try Socket.pair()
        var remaining = RemainingEvidence(of: directory.agent)
        remaining.add(try decisions(0..<2))
        remaining.send(over: pair.first)
        #expect(remaining.problem == nil && remaining.decisionCount == 0)
        pair.second.close()
        remaining.add(try decisions(2..<4))
        remaining.add(try flow(now))
        remaining.send(over: pair.first)
        #expect(remaining.problem != nil && remaining.decisionCount == 2)
        // After that nothing is even tried, and everything stays in order.
        remaining.add(try decisions(4..<6))
        remaining.send(over: pair.first)
        #expect(remaining.decisionCount == 4)
        let isLeft = try remaining.leave(in: folder, as: "1")
        #expect(isLeft)
        var next = try spool()
        #expect(next.faults == [])
        let delivered = try deliver(&next)
        let expected = try decisions(2..<6).decisions
        #expect(delivered.flatMap(\.decisions) == expected)
        #expect(delivered.flatMap(\.flows).count == 1)
        // Once.
        var later = try spool()
        let again = try deliver(&later)
        #expect(again.isEmpty)
        #expect(try EvidenceFolder(folder).list().map(\.name) == ["head.json"])
    }

    @Test func whatIsLeftHasALimitAndIsReadStrictly() throws {
        var remaining = RemainingEvidence(of: directory.agent)
        var count: UInt64 = 0
        while remaining.decisionCount == Int(count), count < 100_000 {
            remaining.add(try decisions(0..<200))
            count += 200
        }
        let kept = remaining.decisionCount
        #expect(kept > 1_000 && kept < Int(count))
        let isLeft = try remaining.leave(in: folder, as: "full")
        #expect(isLeft)
        let foreign: [(String, [UInt8])] = [("left-a", [0, 0, 0, 9, 1]), ("left-b", [1, 2, 3])]
        for (name, bytes) in foreign { try EvidenceFolder(folder).replace(name, with: bytes) }
        var next = try spool(bytes: 16 << 20)
        #expect(next.faults.count == 2)
        let delivered = try deliver(&next)
        // The spool has a limit of its own; what goes beyond either is counted.
        let told = UInt64(delivered.reduce(0) { $0 + $1.decisions.count })
        let dropped = delivered.reduce(0) { $0 + $1.dropped } + next.droppedCount
        #expect(told > 1_000 && told + dropped == count)
        // Nor is another agent's evidence ours.
        var other = RemainingEvidence(of: try AgentName("host-2"))
        other.add(try decisions(0..<1))
        let isOtherLeft = try other.leave(in: folder, as: "c")
        #expect(isOtherLeft)
        #expect(try spool().faults.count == 1)
    }

    @Test func aProcessWithoutDescriptorsKeepsItsEvidence() async throws {
        var first = try spool()
        for round in 0..<3 as Range<UInt8> {
            first.add(try decisions(round..<round + 1))
            try first.write(now: now)
        }
        let spool = first
        let folder = folder
        let agent = directory.agent
        let shortage = await withoutDescriptors { () -> (found: Bool, kept: Int, opened: Bool) in
            var starved = spool
            let found = starved.oldest()
            let opened = try? EvidenceSpool(
                in: EvidenceFolder(folder),
                agent: agent,
                byteCountMax: .mebibytes(1)
            )
            return (found != nil, starved.batchCount, opened != nil)
        }
        let result = try #require(shortage)
        #expect(!result.found)
        #expect(result.kept == 3)
        #expect(!result.opened)
        let delivered = try deliver(&first)
        #expect(delivered.map(\.batch) == [1, 2, 3])
        #expect(first.faults == [])
    }

    @Test func aRefusedWriteKeepsEverythingForTheNextAttempt() throws {
        var spool = try spool()
        spool.add(try decisions(0..<2))
        try FileSystem.rename(folder.evidencePath, to: folder.path + "/away")
        #expect(throws: FileError.self) { try spool.write(now: now) }
        #expect(spool.waitingCount == 2)
        try FileSystem.rename(folder.path + "/away", to: folder.evidencePath)
        try spool.write(now: now)
        #expect(spool.oldest()?.decisions.count == 2)
    }
}
