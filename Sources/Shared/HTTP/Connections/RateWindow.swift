/// Whether a body comes fast enough: every window must bring its share of bytes.
///
/// Windows instead of an average, so that a fast start earns no right to stall later.
struct RateWindow {
    private var startedAt: ContinuousClock.Instant?
    private var byteCount = 0

    var isRunning: Bool { startedAt != nil }

    mutating func start(now: ContinuousClock.Instant) {
        startedAt = now
        byteCount = 0
    }

    mutating func stop() { startedAt = nil }

    mutating func received(byteCount more: Int) { byteCount += more }

    func deadline(_ limits: Limits) -> ContinuousClock.Instant? {
        startedAt.map { $0 + limits.bodyRateWindow }
    }

    /// At the end of a window: false when it brought too little; otherwise the next one begins.
    mutating func renew(_ limits: Limits, now: ContinuousClock.Instant) -> Bool {
        guard let deadline = deadline(limits), now >= deadline else { return true }
        let share = limits.bodyRateMin * Int(limits.bodyRateWindow.components.seconds)
        guard byteCount >= share else { return false }
        start(now: now)
        return true
    }
}
