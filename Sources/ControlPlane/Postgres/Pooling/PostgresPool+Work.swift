import Reactor

/// How often and with which pauses a transaction is run again when the server asks for it.
package struct RetryLimits: Equatable, Sendable {
    /// Runs in all, the first included.
    package var attemptsMax = 6
    /// No run begins later than this after the first one: whoever waits is told in time.
    package var elapsedMax: Duration = .seconds(10)
    package var pauseMin: Duration = .milliseconds(5)
    package var pauseMax: Duration = .milliseconds(500)

    package init() {}

    /// Exactly one run.
    package static let none: RetryLimits = {
        var limits = RetryLimits()
        limits.attemptsMax = 1
        return limits
    }()

    /// The pause after a failed run, counted from 1; `random` is from 0 up to 1.
    package func pause(after attempt: Int, random: Double) -> Duration {
        min(pauseMin * (1 << min(max(attempt, 1), 16)), pauseMax) * (0.5 + 0.5 * random)
    }
}

extension PostgresPool {
    /// Lends a connection for as long as the body runs.
    ///
    /// A connection that comes back inside a transaction, busy or broken is dropped.
    @discardableResult
    package nonisolated func withConnection<Value, Failure: PostgresErrorCarrying>(
        _ body: (PostgresConnection) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let lent: Lent
        do throws(PostgresError) {
            lent = try await borrow()
        } catch {
            throw Failure(error)
        }
        let outcome: Result<Value, Failure>
        do throws(Failure) {
            outcome = .success(try await body(lent.connection))
        } catch {
            outcome = .failure(error)
        }
        await giveBack(lent)
        return try outcome.get()
    }

    /// Runs a body in a transaction, again from its start when the server asks for that.
    ///
    /// Serialization failures, deadlocks and a connection lost before COMMIT lead to another run
    /// after a pause with jitter, so the body must have no effect outside of the transaction.
    /// `outcomeUnknown` is never run again.
    @discardableResult
    package nonisolated func withTransaction<Value, Failure: PostgresErrorCarrying>(
        isolation: TransactionIsolation,
        access: TransactionAccess = .readWrite,
        retry: RetryLimits = RetryLimits(),
        _ body: (PostgresTransaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        var attempt = 0
        let began: ContinuousClock.Instant = .now
        while true {
            attempt += 1
            do throws(Failure) {
                return try await withConnection { connection throws(Failure) in
                    try await connection.withTransaction(
                        isolation: isolation,
                        access: access,
                        body
                    )
                }
            } catch {
                guard attempt < retry.attemptsMax, began.duration(to: .now) < retry.elapsedMax,
                    error.postgresError?.recourse == .runAgain
                else { throw error }
                do {
                    try await reactor.sleep(for: await pause(retry, after: attempt))
                } catch {
                    throw Failure(.cancelled)
                }
            }
        }
    }

    /// Reads with one statement in a read-only transaction; run again like any transaction.
    package nonisolated func query(_ statement: SQL) async throws(PostgresError) -> Rows {
        try await withTransaction(isolation: .readCommitted, access: .readOnly) {
            transaction throws(PostgresError) in
            try await transaction.query(statement)
        }
    }

    /// Changes with one statement that commits on its own; returns how many rows it touched.
    ///
    /// - Throws: `outcomeUnknown` when the connection is lost before the answer.
    @discardableResult
    package nonisolated func execute(_ statement: SQL) async throws(PostgresError) -> Int {
        try await withConnection { connection throws(PostgresError) in
            try await connection.execute(statement)
        }
    }

    private func pause(_ retry: RetryLimits, after attempt: Int) -> Duration {
        retry.pause(after: attempt, random: random())
    }
}
