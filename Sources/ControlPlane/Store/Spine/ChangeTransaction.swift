package import Postgres
import Synchronization
package import Wire

/// A transaction that changes configuration: it holds the lock on the revision, so that what it
/// reads is what it changes, and ends with its feed entries and its audit record.
///
/// A transaction that records no change makes no revision. Usable inside the body that it was
/// given to.
package final class ChangeTransaction: Sendable {
    /// The most changes of one revision.
    package static let changesMax = RevisionRepository.changesMax

    /// The revision that rows written here must carry.
    package let revision: Int64
    /// The audit record and the time of this change.
    package let audited: AuditedTransaction

    private let recorded = Mutex<[Change]>([])

    init(audited: AuditedTransaction, revision: Int64) {
        self.audited = audited
        self.revision = revision
    }

    /// What repositories are called with.
    package var database: PostgresTransaction { audited.database }

    /// The database's clock once this change had its turn; what rows take as their times.
    package var at: Timestamp { audited.at }

    /// Enters a change into the feed; called once for each row that was written.
    package func record(_ kind: Change.Kind, key: String, _ action: Change.Action) {
        recorded.withLock { $0.append(Change(kind, key: key, action)) }
    }

    /// What was recorded so far.
    package var changes: [Change] { recorded.withLock { $0 } }

    /// Says more about the act in its audit record: what a reader needs, never a secret.
    package func describe(_ detail: Document) { audited.describe(detail) }
}
