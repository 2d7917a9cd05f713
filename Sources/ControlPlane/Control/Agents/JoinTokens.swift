import Crypto
package import Mesh
import Snapshot
package import Store
package import Wire

/// The right to enrol a host: one agent, at most an hour, one key.
package struct JoinTokens: Sendable {
    /// Keeps its keyed hashes apart from those of other secrets.
    static let label = "join-token"
    private static let secretByteCount = 32
    private static let lifetimeMin: Duration = .seconds(60)

    let control: ControlPlane
    let authority: Authority
    /// `host:port` of the API of each replica, as hosts reach it.
    let servers: [String]

    package init(_ control: ControlPlane, _ authority: Authority, servers: [String]) {
        self.control = control
        self.authority = authority
        self.servers = servers
    }

    /// Makes a join token for an agent, and the agent if there is none.
    ///
    /// - Returns: the row, and the only copy of the token's text.
    package func create(
        for agent: AgentName,
        lifetime: Duration,
        by caller: Caller
    ) async throws(ControlError) -> (row: JoinTokenRow, text: String) {
        guard (Self.lifetimeMin...AuthorityLifetimes.joinTokenMax).contains(lifetime) else {
            throw .invalid("join_token.invalid", field: "ttl", "must lie between 1m and 1h")
        }
        guard let trust = authority.trust else {
            throw .faulted(Complaint("authority.inconsistent", "there is no trust document"))
        }
        var secret = control.surroundings.randomBytes(Self.secretByteCount)
        let hmacs = control.keyring.hmacs(of: secret, label: Self.label)
        guard let hmac = hmacs.first else {
            throw .faulted(Complaint("internal", "there is no key for join tokens"))
        }
        let token = JoinToken(
            agent: agent,
            servers: servers,
            trustDomain: control.trustDomain,
            trustHash: trust.hash,
            secret: SecretBytes(taking: &secret)
        )
        let row = try await control.change(
            caller,
            action: "join_token.create",
            resource: "agents/\(agent)/join-tokens"
        ) { change in
            try await insertAgentIfNew(agent, change, caller)
            let row = JoinTokenRow(
                id: control.surroundings.makeID(change.at),
                tokenHMAC: hmac,
                agent: agent,
                createdAt: change.at,
                expiresAt: change.at + lifetime,
                createdBy: caller.principal
            )
            try await JoinTokenRepository.put(
                row,
                guardedBy: control.rowGuard,
                in: change.database
            )
            change.describe(
                Document.fields([
                    "id": .string(row.id.description),
                    "expires_at": .timestamp(row.expiresAt),
                ])
            )
            return row
        }
        return (row, token.text)
    }

    /// The join tokens of an agent, the latest first.
    package func list(for agent: AgentName) async throws(ControlError) -> [JoinTokenRow] {
        try await control.read { transaction in
            try await JoinTokenRepository.list(
                agent: agent,
                guardedBy: control.rowGuard,
                in: transaction
            )
        }
    }

    /// Ends a join token before its time.
    package func revoke(
        _ id: UUIDv7,
        of agent: AgentName,
        by caller: Caller
    ) async throws(ControlError) {
        try await control.act(
            caller,
            action: "join_token.revoke",
            resource: "agents/\(agent)/join-tokens"
        ) { act in
            let found = try await JoinTokenRepository.find(
                id,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard var row = found, row.agent == agent else {
                throw ControlError.notFound(
                    Complaint("join_token.not_found", "there is no such join token")
                )
            }
            row.revokedAt = row.revokedAt ?? act.at
            try await JoinTokenRepository.put(row, guardedBy: control.rowGuard, in: act.database)
        }
    }

    private func insertAgentIfNew(
        _ agent: AgentName,
        _ change: ChangeTransaction,
        _ caller: Caller
    ) async throws {
        let existing = try await AgentRepository.find(agent, in: change.database)
        if existing != nil { return }
        try await AgentRepository.put(
            Agents.row(AgentRow(name: agent), nil, change, caller),
            in: change.database
        )
        change.record(.agent, key: agent.text, .create)
    }
}
