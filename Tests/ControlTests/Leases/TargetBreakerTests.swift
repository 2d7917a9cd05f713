import Control
import Testing

/// One attempt after a pause that grows.
@Suite struct TargetBreakerTests {
    @Test func pausesGrowUpToAMinuteAndEndWithAnAnswer() throws {
        let start = ContinuousClock.now
        var breaker = TargetBreaker()
        #expect(breaker.retryAt(now: start) == nil)
        var now = start
        var pauses: [Duration] = []
        for _ in 0..<10 {
            pauses.append(breaker.failed(now: now, random: 1))
            let retry = try #require(breaker.retryAt(now: now))
            #expect(breaker.retryAt(now: retry.advanced(by: .milliseconds(-1))) != nil)
            #expect(breaker.retryAt(now: retry) == nil)
            now = retry
        }
        #expect(pauses.prefix(4) == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(pauses.last == .seconds(60))
        #expect(breaker.failureCount == 10)
        breaker.succeeded()
        #expect(breaker.retryAt(now: start) == nil)
        #expect(breaker.failed(now: start, random: 0) == .milliseconds(750))
    }
}
