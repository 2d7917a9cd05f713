import Synchronization
import Wire

/// Callers who were authenticated a moment ago.
///
/// An entry lives at most one second and never longer than its token, so that a revocation on
/// another replica counts within that time; a change on this one empties it at once.
final class PrincipalCache: Sendable {
    static let lifetime: Duration = .seconds(1)
    static let entriesMax = 10_000

    typealias Instant = ContinuousClock.Instant

    private struct State: Sendable {
        var generation = 0
        var entries: [[UInt8]: (caller: Caller, end: Instant)] = [:]
    }

    private let state = Mutex(State())

    /// The caller whose token has this keyed hash.
    func find(_ hmac: [UInt8], now: Instant) -> Caller? {
        state.withLock { state in
            guard let entry = state.entries[hmac], entry.end > now else { return nil }
            return entry.caller
        }
    }

    /// What must be read before the database is, so that a change in between is noticed.
    var generation: Int { state.withLock { $0.generation } }

    /// Keeps a caller unless something was changed since `generation` was read.
    func insert(_ caller: Caller, hmac: [UInt8], until end: Instant, generation: Int) {
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.entries.count >= Self.entriesMax { state.entries = [:] }
            state.entries[hmac] = (caller, end)
        }
    }

    /// Forgets everybody, after a change of tokens or policies.
    func flush() {
        state.withLock { state in
            state.generation &+= 1
            state.entries = [:]
        }
    }
}
