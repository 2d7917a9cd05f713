extension Reactor {
    /// Arms a timer; the handler is held until it fires or is cancelled.
    @discardableResult
    package func schedule(at deadline: Instant, _ handler: any TimerHandler) -> TimerToken {
        assertOnReactor()
        return timers.insert(at: deadline, handler: handler)
    }

    /// Arms a timer that runs a closure.
    @discardableResult
    package func schedule(
        at deadline: Instant,
        _ work: @escaping (Reactor) -> Void
    ) -> TimerToken {
        schedule(at: deadline, TimerClosure(work))
    }

    /// Arms a timer relative to the current time.
    @discardableResult
    package func schedule(after delay: Duration, _ handler: any TimerHandler) -> TimerToken {
        schedule(at: Instant.now.advanced(by: delay), handler)
    }

    /// Arms a timer that runs a closure, relative to the current time.
    @discardableResult
    package func schedule(
        after delay: Duration,
        _ work: @escaping (Reactor) -> Void
    ) -> TimerToken {
        schedule(at: Instant.now.advanced(by: delay), work)
    }

    /// Gives an armed timer another deadline; false when it fired or was cancelled before.
    ///
    /// Later is nearly free, so an idle timeout may be pushed back on every byte.
    @discardableResult
    package func move(_ timer: TimerToken, to deadline: Instant) -> Bool {
        assertOnReactor()
        return timers.move(timer, to: deadline)
    }

    /// Disarms a timer; false when it fired or was cancelled before.
    @discardableResult
    package func cancel(_ timer: TimerToken) -> Bool {
        assertOnReactor()
        return timers.cancel(timer)
    }

    /// How many timers are armed.
    package var timerCount: Int { timers.count }
}

private final class TimerClosure: TimerHandler {
    private let work: (Reactor) -> Void

    init(_ work: @escaping (Reactor) -> Void) {
        self.work = work
    }

    func timerFired(_ timer: TimerToken, on reactor: Reactor) {
        work(reactor)
    }
}
