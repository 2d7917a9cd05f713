import Mesh
import Reactor
import Synchronization
package import Wire

/// What a replica knows about its work on leases: which targets do not answer, and under which name it
/// claims.
package final class LeaseDesk: Sendable {
    package let settings: LeaseSettings
    /// The name of this process in claims: that of another start of the same replica is another.
    package let worker: UUIDv7
    let sessions: TargetSessions
    /// Requests for leases that are committed together, and their activations.
    let wishes: LeaseIntents.Wishes
    let activations: LeaseIntents.Activations

    private let breakers = Mutex<[TargetName: TargetBreaker]>([:])
    private let busy = Mutex<Set<LeaseWork.Errand>>([])
    /// Up to when tokens that expired were looked for, by the database's clock; nil for never.
    private let tokensSeen = Mutex<Timestamp?>(nil)

    init(settings: LeaseSettings, worker: UUIDv7, sessions: TargetSessions, on reactor: Reactor) {
        self.settings = settings
        self.worker = worker
        self.sessions = sessions
        wishes = LeaseIntents.Wishes(on: reactor, requestsMax: LeaseIntents.roundMax)
        activations = LeaseIntents.Activations(on: reactor, requestsMax: LeaseIntents.roundMax)
    }

    /// Whether an errand may be begun now: it is not under way, and there are less than `most`.
    func begin(_ errand: LeaseWork.Errand, most: Int) -> Bool {
        busy.withLock { busy in
            guard busy.count < most else { return false }
            return busy.insert(errand).inserted
        }
    }

    func finish(_ errand: LeaseWork.Errand) {
        busy.withLock { _ = $0.remove(errand) }
    }

    /// Since when tokens that expired are still to be looked for; nil for ever.
    var tokensUnseenSince: Timestamp? { tokensSeen.withLock { $0 } }

    func sawTokens(until time: Timestamp) {
        tokensSeen.withLock { $0 = max($0 ?? time, time) }
    }

    /// Targets that are not to be asked now.
    func parked(now: ContinuousClock.Instant) -> [TargetName] {
        breakers.withLock { breakers in
            breakers.filter { $0.value.retryAt(now: now) != nil }.map(\.key).sorted()
        }
    }

    /// How long a target is not to be asked; nil if it may be.
    func pause(of target: TargetName, now: ContinuousClock.Instant) -> Duration? {
        breakers.withLock { $0[target]?.retryAt(now: now).map { now.duration(to: $0) } }
    }

    /// Ends all connections to targets; the next use makes new ones.
    package func close() async { await sessions.close() }

    func succeeded(_ target: TargetName) {
        breakers.withLock { _ = $0.removeValue(forKey: target) }
    }

    @discardableResult
    func failed(
        _ target: TargetName,
        now: ContinuousClock.Instant,
        random: Double
    ) -> Duration {
        breakers.withLock { breakers in
            breakers[target, default: TargetBreaker()].failed(now: now, random: random)
        }
    }
}
