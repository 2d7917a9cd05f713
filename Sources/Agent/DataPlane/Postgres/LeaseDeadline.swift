package import Wire

/// When the sessions of a lease end, and when its successor is fetched.
package struct LeaseDeadline: Equatable, Sendable {
    /// What a session does now.
    package enum Duty: Equatable, Sendable {
        /// It goes on.
        case serve
        /// It ends as soon as it is idle: its program connects again, to the successor.
        case drain
        /// It ends now, whatever it does.
        case end
    }

    /// How long before its end the sessions of a lease begin to drain, at most.
    package static let drainMax = Duration.seconds(60)
    /// How long before the lease's end the agent ends what is left itself, so that the program is told.
    package static let margin = Duration.seconds(1)

    /// When a successor is asked for: at two thirds of the life.
    package let renewal: Timestamp
    /// From when on sessions end when they are idle.
    package let draining: Timestamp
    /// When the others end.
    package let end: Timestamp

    /// - Parameters:
    ///   - issued: when the lease began by this host's clock.
    ///   - lifetime: how long it lives from then.
    package init(issued: Timestamp, lifetime: Duration) {
        let life = max(.zero, lifetime)
        renewal = issued + life * 2 / 3
        end = issued + max(.zero, life - Self.margin)
        draining = max(renewal, end - min(Self.drainMax, life / 6))
    }

    /// What a session does at a time.
    package func duty(at now: Timestamp, isIdle: Bool) -> Duty {
        if now >= end { return .end }
        guard now >= draining else { return .serve }
        return isIdle ? .end : .drain
    }
}
