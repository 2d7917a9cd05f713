/// Whether a target that failed is to be asked again: one attempt after a pause that grows, so that a
/// hundred thousand leases of a server that is down cost one attempt and not a hundred thousand.
package struct TargetBreaker: Equatable, Sendable {
    package typealias Instant = ContinuousClock.Instant

    static let pauseMin: Duration = .seconds(1)
    static let pauseMax: Duration = .seconds(60)

    /// How often it failed since it last answered.
    package private(set) var failureCount = 0
    private var closedUntil: Instant?

    package init() {}

    /// When it is to be asked again; nil while it answers.
    package func retryAt(now: Instant) -> Instant? {
        guard let closedUntil, now < closedUntil else { return nil }
        return closedUntil
    }

    /// It answered.
    package mutating func succeeded() {
        failureCount = 0
        closedUntil = nil
    }

    /// It did not answer; `random` is from 0 up to 1.
    ///
    /// - Returns: how long nobody asks.
    @discardableResult
    package mutating func failed(now: Instant, random: Double) -> Duration {
        failureCount += 1
        let doubled = Self.pauseMin * (1 << min(failureCount - 1, 16))
        let pause = min(doubled, Self.pauseMax) * (0.75 + 0.25 * random)
        closedUntil = now.advanced(by: pause)
        return pause
    }
}
