import CPostgres

/// A transaction in progress; usable inside the body it was given to, refused after it.
package struct PostgresTransaction: Sendable {
    let connection: PostgresConnection
    let id: UInt64

    /// Runs one statement and returns its rows.
    @discardableResult
    package func query(_ statement: SQL) async throws(PostgresError) -> Rows {
        try await connection.require(id)
        return try await connection.query(statement)
    }

    /// Runs one statement and returns how many rows it touched.
    @discardableResult
    package func execute(_ statement: SQL) async throws(PostgresError) -> Int {
        try await query(statement).affectedCount
    }

    /// Runs statements in one round trip; the first failure skips the rest.
    @discardableResult
    package func batch(_ statements: [SQL]) async throws(PostgresError) -> [Rows] {
        try await connection.require(id)
        return try await connection.batch(statements)
    }

    /// Runs a script, which must not end the transaction.
    package func run(_ script: SQLScript, timeout: Duration? = nil) async throws(PostgresError) {
        try await connection.require(id)
        try await connection.run(script, timeout: timeout)
        try await connection.requireTransaction()
    }
}

extension PostgresConnection {
    /// Runs a body in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// Runs the body once; `PostgresPool.withTransaction` also runs it again when the server asks
    /// for that. Transactions do not nest.
    @discardableResult
    package nonisolated func withTransaction<Value, Failure: PostgresErrorCarrying>(
        isolation: TransactionIsolation,
        access: TransactionAccess = .readWrite,
        _ body: (PostgresTransaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let id: UInt64
        do throws(PostgresError) {
            id = try await announceTransaction(isolation, access)
        } catch {
            throw Failure(error)
        }
        let value: Value
        do throws(Failure) {
            value = try await body(PostgresTransaction(connection: self, id: id))
        } catch {
            await rollBack(id)
            throw error
        }
        do throws(PostgresError) {
            try await commit(id)
        } catch {
            throw Failure(error)
        }
        return value
    }

    private func announceTransaction(
        _ isolation: TransactionIsolation,
        _ access: TransactionAccess
    ) throws(PostgresError) -> UInt64 {
        if let end { throw end }
        guard transaction == .none else {
            throw .protocolViolation("a transaction is under way on this connection")
        }
        let id = makeID()
        transaction = .announced(id, begin: SessionCommand.begin(isolation, access))
        return id
    }

    func require(_ id: UInt64) throws(PostgresError) {
        if let end { throw end }
        switch transaction {
        case .announced(id, _), .running(id): return
        case .none, .announced, .running: throw .closed
        }
    }

    /// Ends the session if a script has ended its transaction.
    func requireTransaction() throws(PostgresError) {
        guard libpq.transactionStatus == PQTRANS_INTRANS else {
            let error = PostgresError.protocolViolation("a script ended its transaction")
            finish(error)
            throw error
        }
    }

    private func commit(_ id: UInt64) async throws(PostgresError) {
        try require(id)
        guard transaction == .running(id) else {
            // No statement was ever sent.
            transaction = .none
            return
        }
        // From here on the outcome is the server's: cancelling the task would leave it unknown.
        let rows = try await submit(
            [SessionCommand.commit],
            effect: .unknown,
            arePrepared: false,
            isCancellable: false
        )
        transaction = .none
        // COMMIT of a failed transaction succeeds with the tag ROLLBACK.
        guard rows.first?.commandTag == "COMMIT" else { throw .transactionAborted }
    }

    private func rollBack(_ id: UInt64) async {
        guard transaction == .running(id) else {
            if case .announced(id, _) = transaction { transaction = .none }
            return
        }
        do throws(PostgresError) {
            _ = try await submit(
                [SessionCommand.rollback],
                effect: .lostWithConnection,
                arePrepared: false,
                isCancellable: false
            )
            transaction = .none
        } catch {
            // A session that cannot roll back must not be used again.
            finish(.connectionLost)
        }
    }
}
