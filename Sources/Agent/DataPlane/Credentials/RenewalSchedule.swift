package import Wire

/// When a certificate is replaced, and how close to its end it has come.
package struct RenewalSchedule: Hashable, Sendable {
    /// How much of a certificate's life is over.
    package enum Zone: String, Hashable, Sendable {
        case fresh
        /// Renewal should have happened: 80 % of the life are over.
        case late
        /// 90 % of the life are over.
        case critical
        case expired
    }

    /// Renewal begins between these shares of the life.
    private static let earliestShare = 0.5
    private static let jitterShare = 0.2

    /// The first second of validity.
    package let notBefore: Timestamp
    /// The last second of validity.
    package let notAfter: Timestamp
    /// When to ask for the next one.
    package let renewAt: Timestamp

    /// Chooses the time of renewal; `jitter` is a random number from 0 to 1, so that agents which
    /// started together do not renew together.
    package init(notBefore: Timestamp, notAfter: Timestamp, jitter: Double) {
        self.notBefore = notBefore
        self.notAfter = notAfter
        let share = Self.earliestShare + Self.jitterShare * min(max(jitter, 0), 1)
        let life = (notAfter - notBefore).nanosecondsClamped
        renewAt = notBefore + .nanoseconds(Int64(Double(max(life, 0)) * share))
    }

    /// The zone at a moment.
    package func zone(at now: Timestamp) -> Zone {
        guard now.secondsSinceEpoch <= notAfter.secondsSinceEpoch else { return .expired }
        let used = share(at: now)
        if used >= 0.9 { return .critical }
        return used >= 0.8 ? .late : .fresh
    }

    /// How much of the life is over, from 0 to 1 and beyond.
    package func share(at now: Timestamp) -> Double {
        let life = Double(max((notAfter - notBefore).nanosecondsClamped, 1))
        return Double((now - notBefore).nanosecondsClamped) / life
    }

    /// How long new connections go on without a control plane; zero once it has expired.
    package func budget(at now: Timestamp) -> Duration {
        max(notAfter - now, .zero)
    }
}
