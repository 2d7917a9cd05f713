package import Mesh
package import Store
import Wire

/// The hosts: who is invited, who is enrolled, who is out.
package struct Agents: Sendable {
    /// The longest description.
    package static let descriptionMaxBytes = 512

    let control: ControlPlane

    package init(_ control: ControlPlane) { self.control = control }

    /// Makes an agent or changes its description.
    package func put(
        _ name: AgentName,
        description: String,
        if condition: RevisionCondition = .none,
        by caller: Caller
    ) async throws(ControlError) -> (row: Stored<AgentRow>, isNew: Bool) {
        guard description.utf8.count <= Self.descriptionMaxBytes, Text.isPrintable(description)
        else {
            throw .invalid(
                "agent.invalid",
                field: "description",
                "must have at most \(Self.descriptionMaxBytes) bytes and no control characters"
            )
        }
        return try await control.change(caller, action: "agent.put", resource: "agents/\(name)") {
            change in
            let existing = try await find(name, in: change)
            try condition.check(existing?.revision, of: "agent \(name)")
            var agent = existing?.value ?? AgentRow(name: name)
            if let existing, existing.value.description == description {
                change.audited.conclude(outcome: "unchanged")
                return (existing, false)
            }
            agent.description = description
            let row = Self.row(agent, existing, change, caller)
            try await put(row, in: change)
            change.record(.agent, key: name.text, existing == nil ? .create : .update)
            return (row, existing == nil)
        }
    }

    /// The agent of a name.
    package func find(_ name: AgentName) async throws(ControlError) -> Stored<AgentRow> {
        let row = try await control.read { transaction in
            try await AgentRepository.find(name, guardedBy: control.rowGuard, in: transaction)
        }
        guard let row else { throw Self.notFound(name) }
        return row
    }

    /// One page in order of name.
    package func list(
        after: String?,
        limit: Int
    ) async throws(ControlError) -> Page<Stored<AgentRow>> {
        try await control.read { transaction in
            try await AgentRepository.list(
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: transaction
            )
        }
    }

    /// Puts an agent out: its certificates count no longer, nor do those of services that it holds;
    /// its connections are cut and its next one is refused.
    ///
    /// - Returns: the revision from which it is out, and how many certificates are denied.
    package func revoke(
        _ name: AgentName,
        reason: String = Revocations.reasonDefault,
        if condition: RevisionCondition = .none,
        by caller: Caller
    ) async throws(ControlError) -> (revision: Int64, certificateCount: Int) {
        try Revocations.check(reason)
        return try await control.change(caller, action: "agent.revoke", resource: "agents/\(name)")
        {
            change in
            guard let existing = try await find(name, in: change) else {
                throw Self.notFound(name)
            }
            try condition.check(existing.revision, of: "agent \(name)")
            if existing.value.state == .revoked {
                // An older server puts an agent out without denying what it holds.
                let count = try await RevocationRepository.deny(
                    agent: name,
                    reason: reason,
                    in: change.database
                )
                guard count > 0 else {
                    change.audited.conclude(outcome: "unchanged")
                    return (existing.revision, 0)
                }
                try await RevocationRepository.cutOff(servicesOf: name, in: change.database)
                try await Revocations(control)
                    .conclude(change, count: count, reason: reason, by: caller)
                return (change.revision, count)
            }
            var agent = existing.value
            agent.state = .revoked
            agent.spkiHash = nil
            try await put(Self.row(agent, existing, change, caller), in: change)
            let count = try await RevocationRepository.deny(
                agent: name,
                reason: reason,
                in: change.database
            )
            try await revokeJoinTokens(of: name, change)
            change.record(.agent, key: name.text, .update)
            try await RevocationRepository.cutOff(servicesOf: name, in: change.database)
            try await Revocations(control)
                .conclude(change, count: count, reason: reason, by: caller)
            return (change.revision, count)
        }
    }

    /// Puts an agent out, and says which live ones are too old to deny what it holds.
    package func putOut(
        _ name: AgentName,
        reason: String = Revocations.reasonDefault,
        if condition: RevisionCondition = .none,
        by caller: Caller
    ) async throws(ControlError) -> Revocations.Outcome {
        // Before: what is done must not be answered as a failure.
        let old = try await Revocations(control).cannotEnforce()
        let (revision, count) = try await revoke(
            name,
            reason: reason,
            if: condition,
            by: caller
        )
        return Revocations.Outcome(
            revision: revision,
            certificateCount: count,
            // It is out itself, and nobody waits for it.
            cannotEnforce: old.filter { $0 != name }
        )
    }

    /// A token that was given out before must not bring the agent back.
    private func revokeJoinTokens(of name: AgentName, _ change: ChangeTransaction) async throws {
        let tokens = try await JoinTokenRepository.live(
            agent: name,
            at: change.at,
            guardedBy: control.rowGuard,
            in: change.database
        )
        for var token in tokens {
            token.revokedAt = change.at
            try await JoinTokenRepository.put(
                token,
                guardedBy: control.rowGuard,
                in: change.database
            )
        }
    }

    /// Keeps where an agent says that others reach it; only the agent itself may say so.
    package func reportAddress(
        _ address: String,
        of name: AgentName,
        from sourceAddress: String = ""
    ) async throws(ControlError) {
        let caller = Caller(
            principal: "agent/\(name)",
            displayName: name.text,
            sourceAddress: sourceAddress
        )
        try await control.change(caller, action: "agent.address", resource: "agents/\(name)") {
            change in
            guard let existing = try await find(name, in: change),
                existing.value.state == .enrolled
            else { throw Self.notFound(name) }
            if existing.value.meshAddress == address {
                return change.audited.conclude(outcome: "unchanged")
            }
            var agent = existing.value
            agent.meshAddress = address
            try await put(Self.row(agent, existing, change, caller), in: change)
            change.describe(Document.fields(["mesh_address": .string(address)]))
            change.record(.agent, key: name.text, .update)
        }
    }

    /// Writes agents again as they are, so that this change's revision counts for each.
    ///
    /// - Returns: those that exist.
    func touch(
        _ names: [AgentName],
        in change: ChangeTransaction
    ) async throws -> [AgentName] {
        let rows = try await AgentRepository.find(
            names,
            guardedBy: control.rowGuard,
            in: change.database
        )
        for row in rows {
            try await put(Self.row(row.value, row, change, control.server), in: change)
            change.record(.agent, key: row.value.name.text, .update)
        }
        return rows.map(\.value.name)
    }

    private func find(
        _ name: AgentName,
        in change: ChangeTransaction
    ) async throws -> Stored<AgentRow>? {
        try await AgentRepository.find(name, guardedBy: control.rowGuard, in: change.database)
    }

    private func put(_ row: Stored<AgentRow>, in change: ChangeTransaction) async throws {
        try await AgentRepository.put(row, guardedBy: control.rowGuard, in: change.database)
    }

    static func notFound(_ name: AgentName) -> ControlError {
        .notFound(
            Complaint(
                "agent.not_found",
                "there is no agent \(name); `turnpike agent invite \(name)` makes one"
            )
        )
    }

    static func row(
        _ agent: AgentRow,
        _ existing: Stored<AgentRow>?,
        _ change: ChangeTransaction,
        _ caller: Caller
    ) -> Stored<AgentRow> {
        Stored(
            agent,
            revision: change.revision,
            createdAt: existing?.createdAt ?? change.at,
            updatedAt: change.at,
            createdBy: existing?.createdBy ?? caller.principal
        )
    }
}
