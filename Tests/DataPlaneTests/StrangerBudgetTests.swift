import Reactor
import Testing
import Wire

@testable import DataPlane

@Suite struct StrangerBudgetTests {
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_020)

    private func admitted(
        _ budget: inout StrangerBudget,
        _ source: IPAddress?,
        _ count: Int,
        at time: Timestamp
    ) -> Int {
        var admitted = 0
        for _ in 0..<count where budget.admits(source, now: time) { admitted += 1 }
        return admitted
    }

    @Test func oneSourceGetsItsShareOfAMinute() {
        var budget = StrangerBudget()
        #expect(admitted(&budget, .v4(1), 1_000, at: now) == StrangerBudget.perSourceMax)
        #expect(admitted(&budget, .v4(2), 1, at: now) == 1)
        #expect(admitted(&budget, nil, 1_000, at: now) == StrangerBudget.perSourceMax)
        #expect(admitted(&budget, .v4(1), 1, at: now + .seconds(59)) == 0)
        #expect(admitted(&budget, .v4(1), 1_000, at: now + .seconds(60)) == 120)
    }

    @Test func manySourcesTogetherStayWithinTheMinutesBound() {
        var budget = StrangerBudget()
        var count = 0
        for source in 0..<10_000 as Range<UInt32> {
            count += admitted(&budget, .v4(source), 1, at: now)
        }
        #expect(count == StrangerBudget.perMinuteMax)
    }
}
