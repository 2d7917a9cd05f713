/// One suspended task that the first of several things wakes: an event, a deadline, a cancellation.
///
/// Sendable because everything in it is touched only on the reactor's thread.
final class Suspension<Outcome: Sendable>: TimerHandler, @unchecked Sendable {
    private let reactor: Reactor
    private let outcomeAtDeadline: Outcome
    private var continuation: CheckedContinuation<Outcome, Never>?
    private var outcome: Outcome?
    private var timer = TimerToken.none

    init(on reactor: Reactor, outcomeAtDeadline: Outcome) {
        self.reactor = reactor
        self.outcomeAtDeadline = outcomeAtDeadline
    }

    var isWaiting: Bool { continuation != nil }

    /// Suspends, or goes on at once when `finish` came first.
    func begin(
        _ continuation: CheckedContinuation<Outcome, Never>,
        deadline: Reactor.Instant?
    ) {
        if let outcome { return continuation.resume(returning: outcome) }
        self.continuation = continuation
        if let deadline { timer = reactor.schedule(at: deadline, self) }
    }

    /// Wakes the task; later calls do nothing.
    func finish(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        reactor.cancel(timer)
        continuation?.resume(returning: outcome)
        continuation = nil
    }

    func timerFired(_ timer: TimerToken, on reactor: Reactor) {
        finish(outcomeAtDeadline)
    }
}
