import Mesh
import Synchronization

/// What the reactors share about sessions with databases: who may cancel them, and which leases are of
/// no use any more.
final class PostgresDesk: Sendable {
    private let keys = Mutex(PostgresCancelKeys(capacity: PostgresLimits.cancelKeysMax))
    private let useless = Mutex<Set<LeaseID>>([])

    /// A key of our own for a session; nil when there are too many.
    func issue(
        for session: PostgresCancelKeys.Session,
        random: [UInt8]
    ) -> PostgresCancelKey? {
        keys.withLock { $0.issue(for: session, random: random) }
    }

    /// The session that a key stands for; see `PostgresCancelKeys`.
    func session(of key: PostgresCancelKey, port: UInt16) -> PostgresCancelKeys.Session? {
        keys.withLock { $0.session(of: key, port: port) }
    }

    /// Forgets a key.
    func remove(_ key: PostgresCancelKey) {
        keys.withLock { $0.remove(key) }
    }

    /// The database does not take the role of this lease.
    func discard(_ lease: LeaseID) {
        useless.withLock { _ = $0.insert(lease) }
    }

    /// The leases that were discarded since the last call.
    func takeDiscarded() -> Set<LeaseID> {
        useless.withLock { useless in
            defer { useless = [] }
            return useless
        }
    }
}
