import Mesh
import Testing

@testable import Control

@Suite struct SigningAllowancesTests {
    private let start = ContinuousClock.now

    @Test func aBurstIsGrantedThenOneEachInterval() {
        var allowance = SigningAllowance(now: start)
        var granted = 0
        while allowance.take(now: start) == nil, granted <= SigningAllowance.burst { granted += 1 }
        #expect(granted == SigningAllowance.burst)
        #expect(allowance.take(now: start) == SigningAllowance.interval)
        #expect(!allowance.isSettled(now: start))
        let later = start.advanced(by: SigningAllowance.interval)
        #expect(allowance.take(now: later) == nil)
        #expect(allowance.take(now: later) == SigningAllowance.interval)
    }

    @Test func aQuietAgentHasItsBurstAgainAndNotMore() {
        var allowance = SigningAllowance(now: start)
        for _ in 0..<SigningAllowance.burst { _ = allowance.take(now: start) }
        let day = start.advanced(by: .seconds(86_400))
        #expect(allowance.isSettled(now: day))
        let granted = (0...SigningAllowance.burst).filter { _ in allowance.take(now: day) == nil }
        #expect(granted.count == SigningAllowance.burst)
    }

    @Test func oneAgentDoesNotUseUpAnothersAllowance() throws {
        let allowances = SigningAllowances()
        for _ in 0..<SigningAllowance.burst { try allowances.take(for: .host, now: start) }
        let error = #expect(throws: ControlError.self) {
            try allowances.take(for: .host, now: start)
        }
        #expect(error?.code == "certificate.too_many")
        try allowances.take(for: .other, now: start)
    }
}
