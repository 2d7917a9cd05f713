extension ServerConnectionMachine {
    /// When `timerFired` must be called, unless something happens before; nil for never.
    package var deadline: Instant? {
        let own: Instant?
        switch state {
        case .idle(let since):
            own = since + (isFirstRequest ? limits.headTimeout : limits.idleTimeout)
        case .head(let since): own = since + limits.headTimeout
        case .exchange(let exchange): own = exchange.rate.deadline(limits)
        case .lingering(_, let until): own = until
        case .closed: own = nil
        }
        guard let stall = output.deadline(limits.writeStallTimeout) else { return own }
        return own.map { min($0, stall) } ?? stall
    }

    /// The time of `deadline` came, or a later one.
    package mutating func timerFired(now: Instant) -> [Action] {
        guard let deadline, now >= deadline else { return [] }
        var actions: [Action] = []
        if let stall = output.deadline(limits.writeStallTimeout), now >= stall {
            cutStalled(into: &actions)
            return actions
        }
        switch state {
        case .idle, .lingering: close(into: &actions)
        case .head: fail(.headTimeout, now: now, into: &actions)
        case .exchange(var exchange):
            let isFastEnough = exchange.rate.renew(limits, now: now)
            state = .exchange(exchange)
            if !isFastEnough { fail(.bodyTooSlow, now: now, into: &actions) }
        case .closed: break
        }
        return actions
    }

    private mutating func cutStalled(into actions: inout [Action]) {
        actions.append(.refused(.writeStalled))
        if case .exchange(let exchange) = state, exchange.response != .ended {
            actions.append(.requestFailed(.writeStalled))
        }
        output = OutputMeter()
        held.removeAll()
        state = .closed
        actions.append(.abort)
    }
}
