package import Postgres
package import Wire

/// Why a transaction of the spine did not commit.
package enum SpineFailure: PostgresErrorCarrying {
    case database(PostgresError)
    /// What the body threw; everything was rolled back.
    case body(any Error)
    /// More changes than one revision may hold.
    case tooManyChanges

    package init(_ error: PostgresError) { self = .database(error) }

    package var postgresError: PostgresError? {
        switch self {
        case .database(let error): error
        case .body(let error): error as? PostgresError
        case .tooManyChanges: nil
        }
    }
}

/// The transactions that every write goes through: the row, its revision, its feed entries, its
/// audit record and the wake-up of readers commit together or not at all.
///
/// Serialization failures, deadlocks and connections lost before the commit are run again with a
/// bound; a commit whose answer was lost is reported as `outcomeUnknown` and never repeated. The
/// revision is locked first and the audit head last, in that order everywhere.
package struct Spine: Sendable {
    package let pool: PostgresPool
    private let reader: PostgresReader
    /// The name of this replica's audit chain.
    package let writer: String
    private let makeID: @Sendable (Timestamp) -> UUIDv7

    /// `makeID` gives a new identifier for a time.
    package init(
        pool: PostgresPool,
        writer: String,
        makeID: @escaping @Sendable (Timestamp) -> UUIDv7
    ) {
        self.pool = pool
        reader = PostgresReader(pool)
        self.writer = writer
        self.makeID = makeID
    }

    /// Changes configuration.
    ///
    /// The body may run more than once, so it must have no effect outside of the transaction.
    package func change<Value>(
        _ entry: AuditEntry,
        _ body: (ChangeTransaction) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        try await pool.withTransaction(isolation: .readCommitted) {
            database throws(SpineFailure) in
            try await change(entry, in: database, body)
        }
    }

    /// Changes configuration inside a transaction that holds no lock yet but advisory ones.
    func change<Value>(
        _ entry: AuditEntry,
        in database: PostgresTransaction,
        _ body: (ChangeTransaction) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        let (last, at) = try await Self.storage { () throws(PostgresError) in
            try await RevisionRepository.lock(in: database)
        }
        let audited = AuditedTransaction(database: database, at: at, entry: entry)
        let change = ChangeTransaction(audited: audited, revision: last + 1)
        let value = try await Self.run { try await body(change) }
        let changes = change.changes
        guard changes.count <= ChangeTransaction.changesMax else { throw .tooManyChanges }
        try await Self.storage { () throws(PostgresError) in
            try await AuditRepository.append(
                audited.entries,
                revision: changes.isEmpty ? nil : change.revision,
                to: writer,
                makeID: makeID,
                followedBy: changes.isEmpty
                    ? []
                    : RevisionRepository.advance(to: change.revision, at: at, changes),
                in: database
            )
        }
        return value
    }

    /// Does what is audited but no configuration, such as issuing a credential.
    ///
    /// The body may run more than once, so it must have no effect outside of the transaction.
    package func act<Value>(
        _ entry: AuditEntry,
        _ body: (AuditedTransaction) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        try await pool.withTransaction(isolation: .readCommitted) {
            database throws(SpineFailure) in
            let at = try await Self.time(in: database)
            let audited = AuditedTransaction(database: database, at: at, entry: entry)
            let value = try await Self.run { try await body(audited) }
            try await append(audited.entries, in: database)
            return value
        }
    }

    /// Does several acts that are audited and no configuration, with one commit.
    ///
    /// The body may run more than once, so it must have no effect outside of the transaction. Where
    /// no act is kept there is nothing to record.
    package func actTogether<Value>(
        _ body: (SharedTransaction) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        try await pool.withTransaction(isolation: .readCommitted) {
            database throws(SpineFailure) in
            let shared = SharedTransaction(
                database: database,
                at: try await Self.time(in: database)
            )
            let value = try await Self.run { try await body(shared) }
            let entries = shared.entries
            guard !entries.isEmpty else { return value }
            try await append(entries, in: database)
            return value
        }
    }

    private func append(
        _ entries: [AuditEntry],
        in database: PostgresTransaction
    ) async throws(SpineFailure) {
        try await Self.storage { () throws(PostgresError) in
            try await AuditRepository.append(
                entries,
                revision: nil,
                to: writer,
                makeID: makeID,
                followedBy: [],
                in: database
            )
        }
    }

    private static func time(
        in database: PostgresTransaction
    ) async throws(SpineFailure) -> Timestamp {
        try await storage { () throws(PostgresError) in
            try await database.query("SELECT clock_timestamp()").single().decode(at: 0)
        }
    }

    /// Reads one consistent state.
    package func read<Value>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        try await pool.withTransaction(isolation: .repeatableRead, access: .readOnly) {
            database throws(SpineFailure) in
            try await Self.run { try await body(database) }
        }
    }

    /// Reads with statements each of which sees a state of its own: for what is one statement.
    package func look<Value>(
        _ body: (PostgresReader) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        try await Self.run { try await body(reader) }
    }

    /// Writes what is neither configuration nor worth an audit record.
    package func write<Value>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws(SpineFailure) -> Value {
        try await pool.withTransaction(isolation: .readCommitted) {
            database throws(SpineFailure) in
            try await Self.run { try await body(database) }
        }
    }

    private static func run<Value>(
        _ body: () async throws -> Value
    ) async throws(SpineFailure) -> Value {
        do {
            return try await body()
        } catch {
            throw .body(error)
        }
    }

    private static func storage<Value>(
        _ body: () async throws(PostgresError) -> Value
    ) async throws(SpineFailure) -> Value {
        do throws(PostgresError) {
            return try await body()
        } catch {
            throw .database(error)
        }
    }
}
