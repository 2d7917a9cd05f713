import Testing

@testable import DataPlane

@Suite struct HeapTrimmingTests {
    private let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        start + .milliseconds(milliseconds)
    }

    @Test func itWaitsForTheLullAfterManyFellQuiet() {
        var trimming = HeapTrimming()
        let isEarly = trimming.swept(released: HeapTrimming.releasedMin, now: at(0))
        #expect(!isEarly && trimming.isWaiting)
        let isInTheLull = trimming.swept(released: 0, now: at(250))
        #expect(isInTheLull && !trimming.isWaiting)
        let isAgain = trimming.swept(released: 0, now: at(500))
        #expect(!isAgain)
    }

    @Test func aFewAreNotWorthIt() {
        var trimming = HeapTrimming()
        let isEarly = trimming.swept(released: HeapTrimming.releasedMin - 1, now: at(0))
        let isLater = trimming.swept(released: 0, now: at(250))
        #expect(!isEarly && !isLater && !trimming.isWaiting)
    }

    @Test func theNextOneWaitsForItsTime() {
        var trimming = HeapTrimming()
        _ = trimming.swept(released: 1_000, now: at(0))
        let first = trimming.swept(released: 0, now: at(250))
        _ = trimming.swept(released: 1_000, now: at(500))
        let tooSoon = trimming.swept(released: 0, now: at(750))
        #expect(first && !tooSoon && trimming.isWaiting)
        let next = trimming.swept(released: 0, now: at(250) + HeapTrimming.interval)
        #expect(next)
    }
}
