import Mesh
import Observability
import Postgres
import Snapshot
import Store
import Support
import Synchronization
import Testing
import Wire

@testable import Control

struct PublishingLeaseTests {
    private let start = ContinuousClock.now

    @Test func itHoldsForAWhileFromTheBeginningOfATransaction() {
        var lease = PublishingLease()
        #expect(!lease.holds(at: start))
        #expect(!lease.wasGranted)
        lease.renewed(at: start)
        #expect(lease.holds(at: start + .seconds(14)))
        #expect(!lease.holds(at: start + PublishingLease.duration))
        // An answer that comes late proves no more than its beginning.
        lease.renewed(at: start - .seconds(10))
        #expect(lease.end == start + PublishingLease.duration)
        lease.lost()
        #expect(!lease.holds(at: start))
        #expect(lease.wasGranted)
    }
}

struct RebalanceTests {
    @Test(arguments: [
        (4, [], 0), (4, [0], 1), (2, [2], 0), (3, [2], 0), (2, [1], 0), (3, [0, 0], 1),
        (1, [0, 0], 0), (1_000, [0], 125), (550, [450], 0), (600, [450], 18), (0, [10], 0),
    ])
    func aReplicaSendsAwayAPartOfItsSurplus(own: Int, others: [Int], moving: Int) {
        #expect(Rebalance.movingCount(own: own, others: others) == moving)
    }

    @Test func roundsEndWhereNobodyHasASurplus() {
        var counts = [1_000, 0, 0]
        for _ in 0..<100 {
            for index in counts.indices {
                let others = counts.indices.filter { $0 != index }.map { counts[$0] }
                let moving = Rebalance.movingCount(own: counts[index], others: others)
                counts[index] -= moving
                counts[(index + 1) % counts.count] += moving
            }
        }
        #expect(counts.reduce(0, +) == 1_000)
        #expect(counts.allSatisfy { (260...370).contains($0) }, "\(counts)")
    }

    @Test func theChosenAreDifferentAndFromTheList() {
        #expect(Rebalance.chosen(2, of: [1, 2, 3], from: 65_535) == [1, 2])
        #expect(Rebalance.chosen(2, of: [1, 2, 3], from: 2) == [3, 1])
        #expect(Rebalance.chosen(9, of: [1, 2], from: 1) == [2, 1])
        #expect(Rebalance.chosen(1, of: [Int](), from: 7).isEmpty)
    }
}

@Suite(.timeLimit(.minutes(10))) struct ReplicasTests {
    /// A clock that jumps, as for a process that was stopped meanwhile.
    private final class JumpingClock: Sendable {
        private let offset = Mutex(Duration.zero)

        var now: ContinuousClock.Instant { .now + offset.withLock { $0 } }

        func jump(_ duration: Duration) { offset.withLock { $0 += duration } }
    }

    /// Another replica on the database of a fixture.
    private func replica(
        _ name: String,
        beside fixture: DistributionFixture,
        clock: JumpingClock
    ) async throws -> Distribution {
        let control = try await ControlPlane.open(
            ControlFixture.settings(server: name),
            pool: fixture.base.pool,
            key: ControlFixture.key,
            surroundings: Surroundings(
                now: fixture.control.surroundings.now,
                instant: { clock.now },
                randomBytes: fixture.control.surroundings.randomBytes
            ),
            firstStart: FirstStart(steps: [], writeBootstrapToken: { _ in })
        )
        return Distribution(
            control: control,
            services: fixture.authority.services,
            on: TestDatabase.reactor
        )
    }

    /// Runs a replica as long as the body runs.
    private func running(
        _ distribution: Distribution,
        _ body: () async throws -> Void
    ) async throws {
        let task = Task(executorPreference: TestDatabase.reactor) { await distribution.run() }
        let outcome: Result<Void, any Error>
        do {
            try await until("it publishes") {
                if case .publishing = await distribution.condition { true } else { false }
            }
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        task.cancel()
        await task.value
        try outcome.get()
    }

    @Test func aReplicaThatWasStoppedLetsGoOfItsAgentsAndComparesItself() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let clock = JumpingClock()
            let other = try await replica("two", beside: fixture, clock: clock)
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { _ in
                try await running(other) {
                    try await until("it knows the other one") { await other.hasPeers }
                    try await fixture.connect(agent, to: other)
                    try await until("it has a snapshot") { await agent.revision > 0 }
                    clock.jump(.seconds(20))
                    #expect(await other.condition == .outOfTouch)
                    try await until("it is sent away") { await !agent.isConnected }
                    let refusals = await agent.others.compactMap { message -> String? in
                        if case .refusal(let refusal) = message { refusal.code } else { nil }
                    }
                    #expect(refusals == ["out_of_touch"])
                    try await until("it publishes again") {
                        if case .publishing = await other.condition { true } else { false }
                    }
                    let lost = other.control.metrics.counter(MetricNames.publishingLeasesLost)
                    #expect(lost.value == 1)
                    // Nobody knows what it enforces before a server has looked at it again.
                    let revision = try await fixture.put([fixture.rule(.deny)])
                    let report = try await fixture.control.enforcement.wait(
                        for: revision,
                        timeout: .milliseconds(300)
                    )
                    #expect(!report.isComplete)
                    #expect(report.pending.map(\.text) == ["host-b"])
                }
            }
            await agent.disconnect()
        }
    }

    @Test func aLoneReplicaKeepsItsAgentsForLonger() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let clock = JumpingClock()
            let lone = try await replica("two", beside: fixture, clock: clock)
            let agent = try TestAgent("host-b", fixture.authority)
            try await running(lone) {
                try await fixture.connect(agent, to: lone)
                try await until("it has a snapshot") { await agent.revision > 0 }
                clock.jump(.seconds(20))
                let revision = try await fixture.put([fixture.rule(.deny)])
                try await until("it enforces the change") {
                    await agent.revision >= UInt64(clamping: revision)
                }
                #expect(await agent.isConnected)
            }
            await agent.disconnect()
        }
    }

    @Test func anAgentThatEndsIsNotWaitedFor() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let agent = try TestAgent("host-b", fixture.authority)
            try await fixture.publishing { distribution in
                func report() async throws -> EnforcementReport {
                    let revision = try await fixture.put([
                        fixture.rule(.deny)
                    ])
                    return try await fixture.control.enforcement.wait(
                        for: revision,
                        timeout: .milliseconds(500)
                    )
                }
                try await fixture.connect(agent, to: distribution)
                try await until("it has a snapshot") { await agent.revision > 0 }
                // Its stream is lost: it may be on its way to another server.
                await agent.disconnect()
                try await until("the loss is known") {
                    await distribution.connectedAgents.isEmpty
                }
                #expect(try await report().pending.map(\.text) == ["host-b"])
                try await fixture.connect(agent, to: distribution)
                try await until("it is back") { try await report().isComplete }
                await agent.send(
                    .refusal(StreamRefusal(code: StreamRefusal.stopping, text: "bye"))
                )
                try await until("it has ended") { await !agent.isConnected }
                try await until("nobody waits for it") { try await report().isComplete }
            }
            await agent.disconnect()
        }
    }

    @Test func agentsMoveUntilTheLoadIsEven() async throws {
        try await DistributionFixture.with { fixture in
            try await fixture.addSmallMesh()
            let clock = JumpingClock()
            let full = try await replica("two", beside: fixture, clock: clock)
            let agents = try ["host-a", "host-b", "host-c"].map {
                try TestAgent($0, fixture.authority)
            }
            try await running(full) {
                for agent in agents { try await fixture.connect(agent, to: full) }
                try await until("they are settled") { await full.published.count == 3 }
                try await fixture.publishing { _ in
                    // One of three is too many; two beside none are not.
                    try await until("one is asked to move") {
                        await full.connectedAgents.count == 2
                    }
                    let moved = full.control.metrics.counter(MetricNames.agentsMoved)
                    #expect(moved.value == 1)
                    #expect(await full.asked.count == 1)
                }
            }
            for agent in agents { await agent.disconnect() }
        }
    }
}
