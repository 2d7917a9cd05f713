@testable import DataPlane
import Testing

@Suite struct BalancingRulesTests {
    /// Every pair of states of three candidates: the last are never ejected, and weight 0 never
    /// takes anything.
    @Test func theLastAreNeverEjected() {
        let states = (0..<8).map { bits in
            BalancingCandidate(
                weight: bits & 1 == 0 ? 1 : 0,
                load: 0,
                isDown: bits & 2 != 0,
                isEjected: bits & 4 != 0
            )
        }
        for first in states {
            for second in states {
                for third in states {
                    let all = [first, second, third]
                    let eligible = BalancingRules.eligible(all)
                    let weighted = all.indices.filter { all[$0].weight > 0 }
                    #expect(eligible.isEmpty == weighted.isEmpty)
                    #expect(Set(eligible).isSubset(of: weighted))
                    let healthy = weighted.filter { !all[$0].isDown }
                    if !healthy.isEmpty { #expect(Set(eligible).isSubset(of: healthy)) }
                    let sound = healthy.filter { !all[$0].isEjected }
                    if !sound.isEmpty { #expect(eligible == sound) }
                }
            }
        }
    }

    @Test func ofTwoTheOneWithFewerConnectionsForItsWeightIsTaken() {
        var random = SeededDraw(seed: 1)
        let candidates = [
            BalancingCandidate(weight: 1, load: 3), BalancingCandidate(weight: 4, load: 3),
        ]
        for _ in 0..<100 {
            let choice = BalancingRules.leastRequest(
                candidates,
                among: [0, 1],
                random: &random
            )
            #expect(choice == 1)
        }
        #expect(BalancingRules.leastRequest(candidates, among: [0], random: &random) == 0)
        #expect(BalancingRules.leastRequest(candidates, among: [], random: &random) == nil)
    }

    @Test func loadEvensOutByWeight() {
        for seed in UInt64(0)..<20 {
            var random = SeededDraw(seed: seed)
            var candidates = [3, 2, 1, 0].map { BalancingCandidate(weight: $0, load: 0) }
            for _ in 0..<600 {
                let choice = BalancingRules.leastRequest(
                    candidates,
                    among: BalancingRules.eligible(candidates),
                    random: &random
                )
                if let choice { candidates[choice].load += 1 }
            }
            let loads = candidates.map(\.load)
            #expect(loads.reduce(0, +) == 600)
            #expect(loads[3] == 0)
            for (load, fair) in zip(loads, [300, 200, 100]) {
                #expect(abs(load - fair) <= fair / 5, "\(loads) with seed \(seed)")
            }
        }
    }

    @Test func turnsFollowTheWeightsExactly() {
        let candidates = [3, 1, 0].map { BalancingCandidate(weight: $0, load: 0) }
        var credits = [0, 0, 0]
        var counts = [0, 0, 0]
        for turn in 1...400 {
            let choice = BalancingRules.roundRobin(
                candidates,
                among: [0, 1],
                credits: &credits
            )
            counts[choice ?? 2] += 1
            if turn % 4 == 0 { #expect(counts == [turn * 3 / 4, turn / 4, 0]) }
        }
        #expect(BalancingRules.roundRobin(candidates, among: [], credits: &credits) == nil)
    }

    @Test func failuresInARowLeaveOutForLongerEachTime() {
        var now = ContinuousClock.now
        var ejection = FailureEjection()
        func fails() -> Bool { ejection.failed(at: now, jitter: 0.5) }
        #expect(!fails())
        ejection.succeeded()
        for _ in 0..<2 { #expect(!fails()) }
        #expect(!ejection.isEjected(at: now))
        var pauses: [Duration] = []
        for round in 0..<9 {
            // After a time out the next failure is enough.
            #expect(fails(), "round \(round)")
            #expect(ejection.isEjected(at: now))
            // Connections that were under way say nothing new.
            #expect(!fails())
            let end = ejection.until ?? now
            pauses.append(now.duration(to: end))
            #expect(!ejection.isEjected(at: end))
            now = end
        }
        #expect(pauses.prefix(4) == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(pauses.last == .seconds(60))
        ejection.succeeded()
        #expect(ejection == FailureEjection())
    }
}
