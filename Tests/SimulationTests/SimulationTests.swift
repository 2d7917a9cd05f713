import Crypto
import Foundation
import Mesh
import Snapshot
import Testing
import Wire

@testable import turnpike_simulation

/// What must hold whatever the network, the disks, the clocks and a thief do.
///
/// - No agent ever enforces an unsigned, older, foreign or forked snapshot, or one that was signed
///   with a stolen key for a place or a time that is not the thief's to give.
/// - A pair is let in exactly as the enforced revision says, through every outage and restart.
/// - What is acknowledged is enforced, and comes back after a crash.
/// - Nobody who is honest is taken for a breaker of the protocol.
/// - When faults end, everything converges.
/// - A decision that an agent has brought to disk appears once, whatever happens on its way; none
///   appears twice, and none that nobody made.
///
/// `turnpike-simulation SEED` runs one seed again and tells what happens in it.
@Suite(.serialized) struct SimulationTests {
    /// How long a debug build, which is slow, looks for a seed that fails.
    private static let seconds = 20.0

    /// `turnpike-simulation` runs 10,000 of them as a release build.
    @Test func noSeedViolatesAnInvariant() async throws {
        let run = SeedRun(
            seeds: 1..<10_001,
            end: Date(timeIntervalSinceNow: Self.seconds)
        )
        let outcome = try await run.perform()
        print("simulation: \(outcome.count) seeds: \(outcome.tally)")
        #expect(outcome.violations == [])
        // An idle simulation would prove nothing.
        let isWide = outcome.count >= 10
        #expect(outcome.tally.applied > outcome.count)
        #expect(outcome.tally.acknowledged > outcome.count)
        #expect(outcome.tally.decided > outcome.count)
        #expect(outcome.tally.refused > 0 || !isWide)
        #expect(outcome.tally.restarts > 0 || !isWide)
        #expect(outcome.tally.hostileFrames > 0 || !isWide)
    }

    @Test func aSeedGivesTheSameRunEachTime() throws {
        let fixture = try Fixture()
        let runs = try (0..<2).map { _ in
            let simulation = try Simulation(seed: 7, fixture: fixture)
            _ = try simulation.run()
            return (simulation.tally, simulation.authority.signed.count)
        }
        #expect(runs[0].0 == runs[1].0)
        #expect(runs[0].1 == runs[1].1)
    }

    /// A judge that sees nothing would let every seed pass.
    @Test func theJudgeNoticesWhatNoAgentMayDo() throws {
        let fixture = try Fixture()
        var random = SeededRandom(seed: 1)
        let authority = try Authority(fixture, &random)
        let other = try Authority(fixture, &random)
        let first = try snapshot(authority, of: 0)
        authority.flip(0)
        let second = try snapshot(authority, of: 0)
        let agent = SimulatedAgent(index: 0, trust: authority.trust[0], skew: .zero)
        #expect(agent.enforce(second, authority) == nil)
        #expect(agent.isAllowed(fixture, now: Fixture.start) == authority.latest.isAllowed[0])
        #expect(agent.enforce(first, authority)?.contains("after") == true)
        #expect(
            agent.enforce(try snapshot(authority, of: 1), authority)?.contains("agent 1") == true
        )
        other.flip(0)
        other.flip(1)
        #expect(agent.enforce(try snapshot(other, of: 0), authority)?.contains("unsigned") == true)
        let claim = Acknowledgement(
            manifest: first.manifest.hash,
            mark: first.mark,
            appliedAt: Fixture.start,
            trustVersion: 1,
            errors: []
        )
        #expect(agent.fault(in: claim) != nil)
        agent.die()
        #expect(!agent.isAllowed(fixture, now: Fixture.start))
    }

    @Test func theJudgeNoticesDecisionsThatAreMissingOrRepeated() throws {
        let agent = try AgentName("host-0")
        let beginning = EvidencePosition.beginning(of: agent)
        let ids = (0..<3).map { number in
            UUIDv7(timestamp: Fixture.start, random: Array(repeating: UInt8(number), count: 10))
        }
        func batch(_ number: UInt64, after previous: EvidencePosition, _ id: UUIDv7)
            -> EvidenceBatch
        {
            let decision = Decision(
                id: id,
                time: Fixture.start,
                agent: agent,
                source: nil,
                destination: nil,
                ruling: .refused(.defaultDeny),
                revision: 1,
                peerAddress: nil
            )
            return EvidenceBatch(
                batch: number,
                previous: previous,
                dropped: 0,
                decisions: [decision],
                flows: []
            )
        }
        var ledger = EvidenceLedger()
        for id in ids.prefix(2) { ledger.make(id) }
        ledger.keep(Array(ids.prefix(2)))
        let first = batch(1, after: beginning, ids[0])
        #expect(ledger.store(first, of: 0, beginning: beginning) == nil)
        #expect(ledger.missingCount == 1)
        // The same batch again is no second one.
        #expect(ledger.store(first, of: 0, beginning: beginning) == nil)
        let again = batch(2, after: first.head, ids[0])
        #expect(ledger.store(again, of: 0, beginning: beginning)?.contains("twice") == true)
        let gap = batch(3, after: beginning, ids[1])
        #expect(ledger.store(gap, of: 0, beginning: beginning)?.contains("follow") == true)
        let invented = batch(3, after: again.head, ids[2])
        #expect(ledger.store(invented, of: 0, beginning: beginning)?.contains("nobody") == true)
    }

    private func snapshot(_ authority: Authority, of agent: Int) throws -> ValidatedSnapshot {
        let publication = try #require(
            try authority.publication(authority.latest, for: agent, at: Fixture.start)
        )
        let verifier = SnapshotVerifier(
            agent: authority.fixture.agents[agent],
            trust: authority.trust[0],
            mark: nil
        )
        let sections = Dictionary(
            uniqueKeysWithValues: publication.sections.map { ($0.reference.hash, $0.bytes) }
        )
        guard
            case .accepted(let verified) = try verifier.verify(
                publication.envelope,
                origin: .received,
                now: Fixture.start
            )
        else { throw SimulationFault.notAccepted }
        return try verifier.assemble(verified) { sections[$0] }
    }

    private enum SimulationFault: Error { case notAccepted }
}
