import Mesh
import Observability
import Reactor
import Snapshot
import Wire

// Enforcing.
extension DataPlaneReactor {
    /// Enforces another configuration: new handshakes see it at once, live connections are decided
    /// again before this returns.
    func apply(_ configuration: EnforcedConfiguration) {
        self.configuration = configuration
        verification.value.replace(configuration)
        followOutside(configuration.snapshot)
        followDestinations(of: configuration.snapshot)
        decideAll()
    }

    /// Decides every live connection again and finds the next moment to do so.
    func decideAll() {
        noteAcceptFailures()
        let now = settings.now()
        latestDecision = (now, reactor.now)
        guard let configuration else { return armDecision(now) }
        var memory: [LiveQuestion: Ruling] = [:]
        for connection in live.all {
            connection.decideAgain(configuration, now: now, memory: &memory)
        }
        decidePrograms(configuration, now: now)
        var edges = live.all.map(\.leavesEnd).map { $0 + .seconds(1) }.filter { $0 > now }
        if configuration.snapshot.expires > now { edges.append(configuration.snapshot.expires) }
        if let transition = configuration.snapshot.nextTransition(after: now) {
            edges.append(transition)
        }
        decisionEdge = edges.min() ?? .distantFuture
        armDecision(now)
        // Also each time later, for a port that somebody else held may be free by then.
        if !isDraining { followUpstreams(of: configuration) }
    }

    private func noteAcceptFailures() {
        let listeners = upstreamListeners.values + adoptedListeners.map(\.listener)
        let count = listeners.reduce(meshListener?.failedCount ?? 0) { $0 + $1.failedCount }
        metrics.acceptFailures.increment(by: max(0, count - acceptFailureCount))
        acceptFailureCount = count
    }

    /// Makes sure that the end of a connection's leaves is noticed.
    func watch(_ leavesEnd: Timestamp) {
        let edge = leavesEnd + .seconds(1)
        guard edge < decisionEdge else { return }
        decisionEdge = edge
        armDecision(settings.now())
    }

    /// Looks at the wall clock at the edge, and every second meanwhile: it may be set at any time,
    /// and what ends by it must end within a second even so.
    func armDecision(_ now: Timestamp) {
        reactor.cancel(decisionTimer)
        let limit =
            connectionCount > 0
            ? DataPlaneLimits.clockInterval : DataPlaneLimits.decisionIntervalMax
        let delay = decisionEdge == .distantFuture ? limit : min(limit, decisionEdge - now)
        decisionTimer = reactor.schedule(after: max(.zero, delay)) { [weak self] _ in
            self?.lookAtClock()
        }
    }

    private func lookAtClock() {
        lookForLosses()
        let now = settings.now()
        checkLeases(now: now)
        let rest = latestDecision.instant.advanced(by: DataPlaneLimits.decisionIntervalMax)
        if now >= decisionEdge || now < latestDecision.wall || reactor.now >= rest {
            decideAll()
        } else {
            armDecision(now)
        }
    }

    /// Ends connections whose other agent vanished while bytes were on their way to it.
    private func lookForLosses() {
        let timeout = settings.unacknowledgedTimeout
        guard reactor.now >= latestLossCheck.advanced(by: timeout / 5) else { return }
        latestLossCheck = reactor.now
        for connection in live.all {
            connection.checkDelivery(now: reactor.now, timeout: timeout)
        }
    }
}
