package import Postgres
import Synchronization
package import Wire

/// A transaction that ends with its audit record, or leaves neither.
///
/// Usable inside the body that it was given to.
package final class AuditedTransaction: Sendable {
    /// What repositories are called with.
    package let database: PostgresTransaction
    /// The database's clock when the transaction began; what rows take as their times.
    package let at: Timestamp

    private let state: Mutex<State>

    struct State: Sendable {
        /// What this act is; its detail may be filled in by the body.
        var entry: AuditEntry
        var further: [AuditEntry] = []
    }

    init(database: PostgresTransaction, at: Timestamp, entry: AuditEntry) {
        self.database = database
        self.at = at
        state = Mutex(State(entry: entry))
    }

    /// Says more about the act in its audit record: what a reader needs, never a secret.
    package func describe(_ detail: Document) {
        state.withLock { $0.entry.detail = detail }
    }

    /// Says that the act led to another outcome than `success`, and why.
    package func conclude(outcome: String, reason: String? = nil) {
        state.withLock { state in
            state.entry.outcome = outcome
            state.entry.reason = reason
        }
    }

    /// Names the resource once it is known, for acts that create it under a name of their own.
    package func concern(_ resource: String) {
        state.withLock { $0.entry.resource = resource }
    }

    /// Adds a record of its own for something else that this transaction did.
    package func audit(_ entry: AuditEntry) {
        state.withLock { $0.further.append(entry) }
    }

    /// All records of this transaction in order.
    var entries: [AuditEntry] {
        state.withLock { [$0.entry] + $0.further }
    }
}
