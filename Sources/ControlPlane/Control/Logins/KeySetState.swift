package import Crypto
import Wire

/// What a replica knows of the keys that one issuer publishes, and when it asks again: nobody who
/// shows tokens makes it ask more often than this allows.
package struct KeySetState: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// Asked again at the latest after this.
    static let refreshAfterMax: Duration = .seconds(600)
    static let refreshAfterMin: Duration = .seconds(30)
    /// Keys that could not be asked for again are used as long as this.
    static let usableFor: Duration = .seconds(86_400)
    /// Between two attempts for names of keys that are unknown.
    static let unknownKeyPause: Duration = .seconds(30)
    /// Between two attempts without any keys.
    static let attemptPause: Duration = .seconds(2)

    /// What to do about one token.
    package enum Step: Sendable {
        case use(JSONWebKeySet)
        /// Ask the issuer, then ask here again.
        case fetch
        /// Somebody asks the issuer at this moment: wait, then ask here again.
        case wait
        /// There are no keys, and it is too early to ask again.
        case unavailable
    }

    private var set: JSONWebKeySet?
    private var refreshAt: Instant?
    private var usableUntil: Instant?
    private var attemptedAt: Instant?
    private(set) var isFetching = false

    package init() {}

    /// Decides about a token that names a key; one that is not plausible makes nobody ask the issuer.
    package mutating func ask(keyID: String?, isPlausible: Bool, now: Instant) -> Step {
        guard let set, let usableUntil, now < usableUntil else {
            if isFetching { return .wait }
            guard isPause(of: Self.attemptPause, over: now) else { return .unavailable }
            return begin(now)
        }
        if set.has(keyID: keyID) {
            let isDue = refreshAt.map { now >= $0 } ?? true
            guard isDue, !isFetching, isPause(of: Self.unknownKeyPause, over: now) else {
                return .use(set)
            }
            return begin(now)
        }
        guard isPlausible else { return .use(set) }
        if isFetching { return .wait }
        return isPause(of: Self.unknownKeyPause, over: now) ? begin(now) : .use(set)
    }

    /// The issuer has answered; `jitter` from 0 up to 1 spreads the next time by a tenth.
    package mutating func fetched(
        _ set: JSONWebKeySet,
        maxAge: Duration?,
        jitter: Double,
        now: Instant
    ) {
        isFetching = false
        self.set = set
        let age = max(
            Self.refreshAfterMin,
            min(maxAge ?? Self.refreshAfterMax, Self.refreshAfterMax)
        )
        refreshAt = now.advanced(by: age * (0.9 + 0.2 * jitter))
        usableUntil = now.advanced(by: Self.usableFor)
    }

    /// The issuer has not answered with keys.
    package mutating func failed() { isFetching = false }

    private func isPause(of pause: Duration, over now: Instant) -> Bool {
        attemptedAt.map { $0.duration(to: now) >= pause } ?? true
    }

    private mutating func begin(_ now: Instant) -> Step {
        isFetching = true
        attemptedAt = now
        return .fetch
    }
}
