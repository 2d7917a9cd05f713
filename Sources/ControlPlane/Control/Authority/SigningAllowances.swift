import Mesh
import Synchronization
import Wire

/// How much one agent may have signed: a burst for its start, then a steady rate.
struct SigningAllowance: Equatable, Sendable {
    /// Signatures at once: every service of a full host, twice.
    static let burst = 512
    /// The time in which one signature is earned.
    static let interval: Duration = .milliseconds(250)

    /// When the agent will have earned everything that it took.
    private var settledAt: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) { settledAt = now }

    /// Takes one signature.
    ///
    /// - Returns: nil if it is granted, else how long to wait for the next.
    mutating func take(now: ContinuousClock.Instant) -> Duration? {
        let start = max(settledAt, now)
        let debt = now.duration(to: start)
        let debtMax = Self.interval * (Self.burst - 1)
        guard debt <= debtMax else { return debt - debtMax }
        settledAt = start.advanced(by: Self.interval)
        return nil
    }

    /// Whether nothing is owed, so that forgetting it changes nothing.
    func isSettled(now: ContinuousClock.Instant) -> Bool { settledAt <= now }
}

/// The allowances of all agents, so that one broken host does not keep the CA busy for the others.
///
/// Any thread may use it.
final class SigningAllowances: Sendable {
    private static let agentsMax = 10_000

    private let allowances = Mutex<[AgentName: SigningAllowance]>([:])

    func take(for agent: AgentName, now: ContinuousClock.Instant) throws(ControlError) {
        let wait: Duration? = allowances.withLock { allowances in
            if allowances.count >= Self.agentsMax {
                allowances = allowances.filter { !$0.value.isSettled(now: now) }
            }
            return allowances[agent, default: SigningAllowance(now: now)].take(now: now)
        }
        guard let wait else { return }
        throw .tooMany(
            Complaint("certificate.too_many", "\(agent) asks for certificates too often"),
            retryAfter: wait
        )
    }
}
