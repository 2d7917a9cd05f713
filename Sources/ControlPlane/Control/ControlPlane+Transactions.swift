package import Postgres
package import Store
import Wire

extension ControlPlane {
    /// Changes configuration: rows, revision, feed, audit record and wake-up in one transaction.
    ///
    /// The body may run more than once, so it must have no effect outside of the transaction; it
    /// throws `ControlError` for rules and lets errors of the database through.
    @discardableResult
    package func change<Value>(
        _ caller: Caller,
        action: String,
        resource: String,
        _ body: (ChangeTransaction) async throws -> Value
    ) async throws(ControlError) -> Value {
        let entry = caller.entry(action: action, resource: resource)
        return try await settled { () throws(SpineFailure) in
            try await spine.change(entry, body)
        }
    }

    /// Does what is audited but no configuration, such as issuing a credential.
    ///
    /// The body may run more than once, so it must have no effect outside of the transaction.
    @discardableResult
    package func act<Value>(
        _ caller: Caller,
        action: String,
        resource: String,
        _ body: (AuditedTransaction) async throws -> Value
    ) async throws(ControlError) -> Value {
        let entry = caller.entry(action: action, resource: resource)
        return try await settled { () throws(SpineFailure) in
            try await spine.act(entry, body)
        }
    }

    /// Does several acts that are audited and no configuration, with one commit.
    ///
    /// The body may run more than once, so it must have no effect outside of the transaction.
    func actTogether<Value>(
        _ body: (SharedTransaction) async throws -> Value
    ) async throws(ControlError) -> Value {
        try await settled { () throws(SpineFailure) in
            try await spine.actTogether(body)
        }
    }

    /// Reads one consistent state.
    package func read<Value>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws(ControlError) -> Value {
        try await settled { () throws(SpineFailure) in
            try await spine.read(body)
        }
    }

    /// Reads with statements each of which sees a state of its own: for what is one statement.
    package func look<Value>(
        _ body: (PostgresReader) async throws -> Value
    ) async throws(ControlError) -> Value {
        try await settled { () throws(SpineFailure) in
            try await spine.look(body)
        }
    }

    /// Writes what is neither configuration nor worth an audit record, such as a sign of life.
    @discardableResult
    package func write<Value>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws(ControlError) -> Value {
        try await settled { () throws(SpineFailure) in
            try await spine.write(body)
        }
    }

    /// Runs a transaction, keeps the alarms it raised, and puts its failure into words.
    private func settled<Value>(
        _ work: () async throws(SpineFailure) -> Value
    ) async throws(ControlError) -> Value {
        let outcome: Result<Value, SpineFailure>
        do throws(SpineFailure) {
            outcome = .success(try await work())
        } catch {
            outcome = .failure(error)
        }
        await keepAlarms()
        switch outcome {
        case .success(let value): return value
        case .failure(let failure): throw ControlError(failure, logger: logger)
        }
    }
}

extension Caller {
    /// The beginning of an audit record about what this caller does.
    package func entry(
        action: String,
        resource: String,
        outcome: String = "success",
        reason: String? = nil
    ) -> AuditEntry {
        AuditEntry(
            actor: principal,
            action: action,
            resource: resource,
            outcome: outcome,
            reason: reason,
            sourceAddress: sourceAddress.isEmpty ? nil : sourceAddress,
            requestID: requestID.isEmpty ? nil : requestID
        )
    }
}
