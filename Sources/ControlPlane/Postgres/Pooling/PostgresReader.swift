import Reactor

/// What runs a statement that only reads.
package protocol PostgresReading: Sendable {
    /// Runs one statement and returns its rows.
    func query(_ statement: SQL) async throws(PostgresError) -> Rows
}

extension PostgresTransaction: PostgresReading {}

/// Reads of one statement each, which share round trips to the server.
///
/// For the many small reads of an API: those that are asked for while others are on their way
/// travel together. A statement is sent after it was asked for, so it sees whatever was committed
/// by then; two statements may see two states, so what needs one state needs a transaction. A
/// statement that fails among others is run again alone, with the retries of a transaction.
package actor PostgresReader: PostgresReading {
    /// Statements of one round trip.
    static let batchMax = 64
    /// Round trips at the same time, each on a connection of the pool.
    static let connectionsMax = 2
    /// Round trips before a connection goes back to the pool.
    static let batchesMax = 64
    /// Statements that wait; further ones are run alone.
    static let waitingMax = 1_024

    /// What became of a read; no rows ask to run it alone.
    private typealias Outcome = Result<Rows?, PostgresError>

    private let pool: PostgresPool
    private var waiting: [(id: UInt64, statement: SQL)] = []
    /// Who waits, until they are answered or give up.
    private var continuations: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    private var latest: UInt64 = 0
    private var running = 0
    /// Those of them that have a connection.
    private var serving = 0

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe pool.reactor.asUnownedSerialExecutor()
    }

    /// Takes connections from a pool while there is something to read.
    package init(_ pool: PostgresPool) {
        self.pool = pool
    }

    package func query(_ statement: SQL) async throws(PostgresError) -> Rows {
        guard waiting.count < Self.waitingMax else { return try await pool.query(statement) }
        latest += 1
        let id = latest
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else {
                    return continuation.resume(returning: Outcome.failure(.cancelled))
                }
                continuations[id] = continuation
                waiting.append((id, statement))
                start()
            }
        } onCancel: {
            Task(executorPreference: pool.reactor) { await self.cancel(id) }
        }
        if let rows = try outcome.get() { return rows }
        return try await pool.query(statement)
    }

    /// Whoever waits no longer is told at once; what is on its way already is read for nobody.
    private func cancel(_ id: UInt64) {
        waiting.removeAll { $0.id == id }
        answer(id, .failure(.cancelled))
    }

    private func answer(_ id: UInt64, _ outcome: Outcome) {
        continuations.removeValue(forKey: id)?.resume(returning: outcome)
    }

    private func start() {
        guard running < Self.connectionsMax, !waiting.isEmpty else { return }
        running += 1
        Task(executorPreference: pool.reactor) { await self.drain() }
    }

    private func drain() async {
        do throws(PostgresError) {
            try await pool.withConnection { connection throws(PostgresError) in
                serving += 1
                defer { serving -= 1 }
                for _ in 0..<Self.batchesMax {
                    // Whatever else waits is for another session where this one has ended.
                    guard await connection.isOpen else { return }
                    let batch = take()
                    guard !batch.isEmpty else { return }
                    await read(batch, over: connection)
                }
            }
        } catch {
            // Where no connection is to be had, all that wait have waited for this one.
            if serving == 0 {
                for waiter in waiting { answer(waiter.id, .failure(error)) }
                waiting = []
            }
        }
        running -= 1
        start()
    }

    private func take() -> [(id: UInt64, statement: SQL)] {
        let batch = Array(waiting.prefix(Self.batchMax))
        waiting.removeFirst(batch.count)
        return batch
    }

    private func read(
        _ batch: [(id: UInt64, statement: SQL)],
        over connection: PostgresConnection
    ) async {
        let answers = try? await connection.batch(batch.map(\.statement))
        for (index, waiter) in batch.enumerated() {
            let rows = answers.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            answer(waiter.id, .success(rows))
        }
    }
}
