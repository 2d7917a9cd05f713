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

    private let pool: PostgresPool
    private var waiting: [Waiter] = []
    private var running = 0

    private struct Waiter {
        let statement: SQL
        /// Nil asks to run it alone.
        let continuation: CheckedContinuation<Rows?, Never>
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe pool.reactor.asUnownedSerialExecutor()
    }

    /// Takes connections from a pool while there is something to read.
    package init(_ pool: PostgresPool) {
        self.pool = pool
    }

    package func query(_ statement: SQL) async throws(PostgresError) -> Rows {
        let rows =
            waiting.count < Self.waitingMax
            ? await withCheckedContinuation { continuation in
                waiting.append(Waiter(statement: statement, continuation: continuation))
                start()
            } : nil
        if let rows { return rows }
        return try await pool.query(statement)
    }

    private func start() {
        guard running < Self.connectionsMax, !waiting.isEmpty else { return }
        running += 1
        Task(executorPreference: pool.reactor) { await self.drain() }
    }

    private func drain() async {
        do throws(PostgresError) {
            try await pool.withConnection { connection throws(PostgresError) in
                for _ in 0..<Self.batchesMax {
                    let batch = take()
                    guard !batch.isEmpty else { return }
                    await read(batch, over: connection)
                }
            }
        } catch {
            // No connection is to be had: whoever waits is told why by a read of its own.
            for waiter in take() { waiter.continuation.resume(returning: nil) }
        }
        running -= 1
        start()
    }

    private func take() -> [Waiter] {
        let batch = Array(waiting.prefix(Self.batchMax))
        waiting.removeFirst(batch.count)
        return batch
    }

    private func read(_ batch: [Waiter], over connection: PostgresConnection) async {
        let answers = try? await connection.batch(batch.map(\.statement))
        for (index, waiter) in batch.enumerated() {
            let rows = answers.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            waiter.continuation.resume(returning: rows)
        }
    }
}
