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
        guard description.utf8.count <= Self.descriptionMaxBytes else {
            throw .invalid(
                "agent.invalid",
                field: "description",
                "must have at most \(Self.descriptionMaxBytes) bytes"
            )
        }
        return try await control.change(caller, action: "agent.put", resource: "agents/\(name)") {
            change in
            let existing = try await AgentRepository.find(name, in: change.database)
            try condition.check(existing?.revision, of: "agent \(name)")
            var agent = existing?.value ?? AgentRow(name: name)
            if let existing, existing.value.description == description {
                return (existing, false)
            }
            agent.description = description
            let row = Self.row(agent, existing, change, caller)
            try await AgentRepository.put(row, in: change.database)
            change.record(.agent, key: name.text, existing == nil ? .create : .update)
            return (row, existing == nil)
        }
    }

    /// The agent of a name.
    package func find(_ name: AgentName) async throws(ControlError) -> Stored<AgentRow> {
        let row = try await control.read { transaction in
            try await AgentRepository.find(name, in: transaction)
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
            try await AgentRepository.list(after: after, limit: limit, in: transaction)
        }
    }

    /// Puts an agent out: its certificates count no longer, its next connection is refused.
    ///
    /// - Returns: the revision from which it is out.
    package func revoke(
        _ name: AgentName,
        if condition: RevisionCondition = .none,
        by caller: Caller
    ) async throws(ControlError) -> Int64 {
        try await control.change(caller, action: "agent.revoke", resource: "agents/\(name)") {
            change in
            guard let existing = try await AgentRepository.find(name, in: change.database) else {
                throw Self.notFound(name)
            }
            try condition.check(existing.revision, of: "agent \(name)")
            if existing.value.state == .revoked { return existing.revision }
            var agent = existing.value
            agent.state = .revoked
            agent.spkiHash = nil
            try await AgentRepository.put(
                Self.row(agent, existing, change, caller),
                in: change.database
            )
            try await CertificateRepository.revokeAgent(name, keeping: nil, in: change.database)
            try await revokeJoinTokens(of: name, change)
            change.record(.agent, key: name.text, .update)
            return change.revision
        }
    }

    /// A token that was given out before must not bring the agent back.
    private func revokeJoinTokens(of name: AgentName, _ change: ChangeTransaction) async throws {
        let tokens = try await JoinTokenRepository.list(
            agent: name,
            guardedBy: control.rowGuard,
            in: change.database
        )
        for var token in tokens where token.revokedAt == nil && token.expiresAt > change.at {
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
        of name: AgentName
    ) async throws(ControlError) {
        let caller = Caller(principal: "agent/\(name)", displayName: name.text)
        try await control.change(caller, action: "agent.address", resource: "agents/\(name)") {
            change in
            guard let existing = try await AgentRepository.find(name, in: change.database),
                existing.value.state == .enrolled
            else { throw Self.notFound(name) }
            if existing.value.meshAddress == address { return }
            var agent = existing.value
            agent.meshAddress = address
            try await AgentRepository.put(
                Self.row(agent, existing, change, caller),
                in: change.database
            )
            change.describe(Document.fields(["mesh_address": .string(address)]))
            change.record(.agent, key: name.text, .update)
        }
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
