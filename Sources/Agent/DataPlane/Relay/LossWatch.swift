import Reactor

/// Notices a peer that vanished: it acknowledges nothing of what is under way to it.
///
/// A peer that keeps its window shut for hours is there: the kernel's probes are answered, and
/// nothing is under way.
struct LossWatch: Equatable {
    private var since: Reactor.Instant?

    /// Takes what the socket says now; true when the peer is given up.
    mutating func observed(
        _ delivery: Socket.Delivery,
        now: Reactor.Instant,
        timeout: Duration
    ) -> Bool {
        guard delivery.isUnderWay else {
            since = nil
            return false
        }
        // The silence before the first bytes were sent says nothing.
        guard let since, delivery.silence >= since.duration(to: now) else {
            since = now
            return false
        }
        return since.duration(to: now) >= timeout
    }
}
