/// How long to wait before a server is tried again; doubles up to a cap, with jitter.
package struct Backoff: Hashable, Sendable {
    /// The wait after the first failure, before jitter.
    package static let first = Duration.milliseconds(500)
    /// The longest wait, before jitter.
    package static let longest = Duration.seconds(30)
    /// Doubling beyond this changes nothing.
    private static let doublingsMax = 6

    /// Failures since the last success.
    package private(set) var failures = 0

    package init() {}

    /// The wait after one more failure.
    ///
    /// Half of it depends on `jitter`, a random number from 0 to 1, so that agents that lost one
    /// server together do not come back together. Of several that are tried in turn each is tried
    /// once in the time of one wait: that one is away for long keeps nobody from finding another.
    package mutating func failed(jitter: Double, inTurnsOf count: Int = 1) -> Duration {
        let count = max(1, count)
        let doublings = min(failures / count, Self.doublingsMax)
        let wait = min(Self.first * (1 << doublings), Self.longest)
        failures += 1
        let share = jitter.isFinite ? min(max(jitter, 0), 1) : 1
        return (wait / 2 + .nanoseconds(Int64(share * wait.halfNanoseconds))) / count
    }

    /// The next failure is the first one again.
    package mutating func succeeded() { failures = 0 }
}

extension Duration {
    fileprivate var halfNanoseconds: Double {
        Double(components.seconds) * 5e8 + Double(components.attoseconds) / 2e9
    }
}
