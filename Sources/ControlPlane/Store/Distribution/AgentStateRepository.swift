package import Crypto
package import Mesh
package import Postgres
package import Wire

/// What an agent says it enforces.
package struct AgentAcknowledgement: Equatable, Sendable {
    package let agent: AgentName
    package let epoch: Int64
    package let revision: Int64
    /// Nil before its first snapshot.
    package let manifestHash: SHA256Digest?
    /// Why it refused what it was shown last; empty if it enforces it.
    package let errors: [String]

    package init(
        agent: AgentName,
        epoch: Int64,
        revision: Int64,
        manifestHash: SHA256Digest?,
        errors: [String]
    ) {
        self.agent = agent
        self.epoch = epoch
        self.revision = revision
        self.manifestHash = manifestHash
        self.errors = errors
    }
}

/// Which agents a revision concerns and what they made of it.
package struct EnforcementProgress: Equatable, Sendable {
    /// Whether every live replica has published the revision to its agents.
    package var isPublished: Bool
    /// Live agents that enforce the revision or a later one.
    package var acknowledged: [AgentName]
    /// Live agents that were given the revision and do not enforce it yet.
    package var pending: [AgentName]

    package init(isPublished: Bool, acknowledged: [AgentName], pending: [AgentName]) {
        self.isPublished = isPublished
        self.acknowledged = acknowledged
        self.pending = pending
    }
}

/// What agents say of themselves, and how far each replica has published.
package enum AgentStateRepository {
    /// An agent has connected to a replica.
    package static func connected(
        _ agent: AgentName,
        to server: String,
        version: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.agent_state (agent, connected_server, last_seen, version)
            SELECT name, \(server), now(), \(version) FROM turnpike.agents
            WHERE name = \(agent.text)
            ON CONFLICT (agent) DO UPDATE SET connected_server = excluded.connected_server,
                last_seen = excluded.last_seen, version = excluded.version
            """
        )
    }

    /// An agent is no longer connected to a replica; one that is connected elsewhere stays so.
    package static func disconnected(
        _ agents: [AgentName],
        from server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !agents.isEmpty else { return }
        try await transaction.query(
            """
            UPDATE turnpike.agent_state SET connected_server = NULL, last_seen = now()
            WHERE agent = ANY(\(agents.map(\.text))) AND connected_server = \(server)
            """
        )
    }

    /// A replica starts with no agent connected.
    package static func disconnectAll(
        from server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.agent_state SET connected_server = NULL
            WHERE connected_server = \(server)
            """
        )
    }

    /// These agents are connected to a replica still.
    package static func seen(
        _ agents: [AgentName],
        by server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !agents.isEmpty else { return }
        try await transaction.query(
            """
            UPDATE turnpike.agent_state SET last_seen = now()
            WHERE agent = ANY(\(agents.map(\.text))) AND connected_server = \(server)
            """
        )
    }

    /// Stores what agents have acknowledged, each agent at most once.
    package static func acknowledge(
        _ answers: [AgentAcknowledgement],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !answers.isEmpty else { return }
        let errors = answers.map { answer in
            String(
                decoding: JSON.canonical(.list(answer.errors.map(Document.string))),
                as: UTF8.self
            )
        }
        try await transaction.query(
            """
            UPDATE turnpike.agent_state SET epoch = answer.epoch, revision = answer.revision,
                manifest_hash = nullif(answer.hash, ''), errors = answer.errors::jsonb,
                acknowledged_at = now(), last_seen = now()
            FROM unnest(
                \(answers.map(\.agent.text)), \(answers.map(\.epoch)), \(answers.map(\.revision)),
                \(answers.map { $0.manifestHash?.bytes ?? [] }), \(errors)
            ) AS answer (agent, epoch, revision, hash, errors)
            WHERE agent_state.agent = answer.agent
            """
        )
    }

    /// Stores what an agent's status says.
    package static func report(
        _ status: Document,
        budget: Duration?,
        of agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.agent_state SET status = \(status.jsonText),
                budget_seconds = \(budget?.components.seconds), last_seen = now()
            WHERE agent = \(agent.text)
            """
        )
    }

    /// A replica has published a revision to the agents that are connected to it.
    package static func published(
        _ revision: Int64,
        by server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.publishers (server, revision, seen_at)
            VALUES (\(server), \(revision), now())
            ON CONFLICT (server) DO UPDATE SET revision = excluded.revision,
                seen_at = excluded.seen_at
            """
        )
    }

    /// A replica ends, so nobody waits for it.
    package static func retire(
        _ server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("DELETE FROM turnpike.publishers WHERE server = \(server)")
    }

    /// How far a revision has come; replicas and agents that were not seen for long do not count.
    package static func progress(
        of revision: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> EnforcementProgress {
        let isPublished: Bool = try await transaction.query(
            """
            SELECT coalesce(bool_and(revision >= \(revision)), false) FROM turnpike.publishers
            WHERE seen_at > now() - interval '20 seconds'
            """
        ).single().decode(at: 0)
        let rows = try await transaction.query(
            """
            SELECT manifests.agent,
                (agent_state.epoch = manifests.epoch AND agent_state.revision >= \(revision))
                    OR agent_state.epoch > manifests.epoch AS enforces
            FROM turnpike.manifests JOIN turnpike.agent_state USING (agent)
            WHERE manifests.revision >= \(revision) AND connected_server IS NOT NULL
                AND last_seen > now() - interval '60 seconds'
            ORDER BY manifests.agent
            """
        )
        var progress = EnforcementProgress(
            isPublished: isPublished,
            acknowledged: [],
            pending: []
        )
        for row in rows {
            let agent: AgentName = try row.label("agent")
            if try row.decode("enforces") {
                progress.acknowledged.append(agent)
            } else {
                progress.pending.append(agent)
            }
        }
        return progress
    }
}
