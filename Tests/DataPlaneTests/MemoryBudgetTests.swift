import Testing

@testable import DataPlane

@Suite struct MemoryBudgetTests {
    private let mebibyte = 1 << 20

    @Test func itShedsBeforeItCuts() {
        var budget = MemoryBudget(limit: 100 * mebibyte)
        let calm = budget.measured(79 * mebibyte)
        #expect(calm == 0 && !budget.isShedding)
        let near = budget.measured(81 * mebibyte)
        #expect(near == 0 && budget.isShedding)
        let over = budget.measured(90 * mebibyte)
        #expect(budget.isShedding)
        #expect((9 * mebibyte...11 * mebibyte).contains(over))
        let after = budget.measured(50 * mebibyte)
        #expect(after == 0 && !budget.isShedding)
    }

    @Test func thoseThatHoldTheMostGoFirstAndNoMoreThanNeeded() {
        #expect(MemoryBudget.victims(of: [5, 0, 100, 40], releasing: 101) == [2, 3])
        #expect(MemoryBudget.victims(of: [5, 0, 100, 40], releasing: 100) == [2])
        #expect(MemoryBudget.victims(of: [5, 0, 100, 40], releasing: 0) == [])
        // Who holds nothing is left alone, however much is wanted.
        #expect(MemoryBudget.victims(of: [0, 5, 0], releasing: 1_000) == [1])
    }
}
