package import Postgres
import Synchronization
package import Wire

/// A transaction of several acts, each with audit records of its own: all commit, or none.
///
/// Usable inside the body that it was given to.
package final class SharedTransaction: Sendable {
    /// What repositories are called with.
    package let database: PostgresTransaction
    /// The database's clock when the transaction began; what rows take as their times.
    package let at: Timestamp

    private let kept = Mutex<[AuditEntry]>([])

    init(database: PostgresTransaction, at: Timestamp) {
        self.database = database
        self.at = at
    }

    /// Begins one of the acts; its records are written only if it is kept.
    package func begin(_ entry: AuditEntry) -> AuditedTransaction {
        AuditedTransaction(database: database, at: at, entry: entry)
    }

    /// Takes in what an act did, in the order of these calls.
    package func keep(_ act: AuditedTransaction) {
        kept.withLock { $0 += act.entries }
    }

    /// All records of this transaction in order.
    var entries: [AuditEntry] { kept.withLock { $0 } }
}
