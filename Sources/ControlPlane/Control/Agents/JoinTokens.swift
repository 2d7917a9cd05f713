import Crypto
package import Mesh
import Postgres
import Snapshot
package import Store
package import Wire

/// The right to enrol a host: one agent, at most an hour, one key.
package struct JoinTokens: Sendable {
    /// Keeps its keyed hashes apart from those of other secrets.
    static let label = "join-token"
    private static let secretByteCount = 32
    /// The most tokens of one agent that count at one time.
    private static let liveMax = 100

    let control: ControlPlane
    let authority: Authority
    let addresses: ServerAddresses

    package init(_ control: ControlPlane, _ authority: Authority, _ addresses: ServerAddresses) {
        self.control = control
        self.authority = authority
        self.addresses = addresses
    }

    /// Makes a join token for an agent, the agent if there is none, and the placements that the
    /// request names; the caller's right on each of those is checked before.
    ///
    /// - Returns: the row, and the only copy of the token's text.
    package func create(
        for agent: AgentName,
        _ request: JoinTokenRequest = JoinTokenRequest(),
        by caller: Caller
    ) async throws(ControlError) -> (row: JoinTokenRow, text: String) {
        guard JoinTokenRequest.lifetimes.contains(request.lifetime) else {
            throw .invalid("join_token.invalid", field: "ttl", "must lie between 1m and 1h")
        }
        guard let trust = authority.trust else { throw AuthorityView.noTrust }
        let servers = try await addresses.resolved(control).api
        guard !servers.isEmpty else {
            throw .unavailable(
                Complaint(
                    "join_token.no_servers",
                    "no address of the API is known to put into the token: configure one, or wait"
                        + " until a replica listens"
                )
            )
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
            try await requireRoom(for: agent, change)
            for service in Set(request.services).sorted(by: { $0.description < $1.description }) {
                try await place(service, on: agent, change, caller)
            }
            let row = JoinTokenRow(
                id: control.surroundings.makeID(change.at),
                tokenHMAC: hmac,
                agent: agent,
                createdAt: change.at,
                expiresAt: change.at + request.lifetime,
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
                    "placements": .list(request.services.map(\.description)),
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
    ) async throws(ControlError) -> JoinTokenRow {
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
            act.describe(Document.fields(["id": .string(id.description)]))
            return row
        }
    }

    private func requireRoom(
        for agent: AgentName,
        _ change: ChangeTransaction
    ) async throws {
        let live = try await JoinTokenRepository.live(
            agent: agent,
            at: change.at,
            guardedBy: control.rowGuard,
            in: change.database
        )
        guard live.count < Self.liveMax else {
            throw ControlError.conflict(
                Complaint(
                    "join_token.too_many",
                    "\(agent) has \(live.count) join tokens that still count; revoke some first"
                )
            )
        }
    }

    private func insertAgentIfNew(
        _ agent: AgentName,
        _ change: ChangeTransaction,
        _ caller: Caller
    ) async throws {
        let existing = try await AgentRepository.find(
            agent,
            guardedBy: control.rowGuard,
            in: change.database
        )
        if existing != nil { return }
        try await AgentRepository.put(
            Agents.row(AgentRow(name: agent), nil, change, caller),
            guardedBy: control.rowGuard,
            in: change.database
        )
        change.record(.agent, key: agent.text, .create)
    }

    private func place(
        _ service: ServiceName,
        on agent: AgentName,
        _ change: ChangeTransaction,
        _ caller: Caller
    ) async throws {
        let known = try await ServiceRepository.find(
            [service],
            guardedBy: control.rowGuard,
            in: change.database
        )
        guard !known.isEmpty else {
            throw ControlError.invalid(
                "service.unknown",
                field: "placements",
                "there is no service \(service): create it first"
            )
        }
        let placement = Placement(service: service, agent: agent)
        let existing = try await PlacementRepository.find(
            [placement],
            guardedBy: control.rowGuard,
            in: change.database
        )
        guard existing.isEmpty else { return }
        try await change.database.query(
            PlacementRepository.put(
                Stored(
                    placement,
                    revision: change.revision,
                    createdAt: change.at,
                    updatedAt: change.at,
                    createdBy: caller.principal
                ),
                guardedBy: control.rowGuard
            )
        )
        change.record(.placement, key: "\(service)/\(agent)", .create)
    }
}
