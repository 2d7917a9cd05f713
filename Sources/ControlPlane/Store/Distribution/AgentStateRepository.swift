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
    /// The trust document that it holds.
    package let trustVersion: Int64

    package init(
        agent: AgentName,
        epoch: Int64,
        revision: Int64,
        manifestHash: SHA256Digest?,
        errors: [String],
        trustVersion: Int64 = 0
    ) {
        self.trustVersion = trustVersion
        self.agent = agent
        self.epoch = epoch
        self.revision = revision
        self.manifestHash = manifestHash
        self.errors = errors
    }
}

/// Which agents a revision concerns and what they made of it.
package struct EnforcementProgress: Equatable, Sendable {
    /// Live agents that enforce the revision or a later one.
    package var acknowledged: [AgentName]
    /// Live agents that do not enforce it yet although it concerns them, or of which that is not
    /// known: their replica has not published it yet, or they are between two replicas.
    package var pending: [AgentName]
    /// From the change to the last acknowledgement that was stored; nil while there is none.
    package var elapsed: Duration?

    package init(acknowledged: [AgentName], pending: [AgentName]) {
        self.acknowledged = acknowledged
        self.pending = pending
    }
}

/// How many agents a live replica serves.
package struct ReplicaLoad: Equatable, Sendable {
    package let server: String
    package let agentCount: Int

    package init(server: String, agentCount: Int) {
        self.server = server
        self.agentCount = agentCount
    }
}

/// What an agent says when it connects.
package struct AgentGreeting: Equatable, Sendable {
    package let agent: AgentName
    /// The version of its program.
    package let version: String
    /// What it understands beyond the first encoding.
    package let features: [String]

    package init(agent: AgentName, version: String, features: [String]) {
        self.agent = agent
        self.version = version
        self.features = features
    }
}

/// What agents say of themselves, and how far each replica has published.
package enum AgentStateRepository {
    /// An agent has connected to a replica.
    package static func connected(
        _ agent: AgentName,
        to server: String,
        version: String,
        features: [String] = [],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let greeting = AgentGreeting(agent: agent, version: version, features: features)
        try await connected([greeting], to: server, in: transaction)
    }

    /// Agents have connected to a replica, each at most once.
    package static func connected(
        _ greetings: [AgentGreeting],
        to server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !greetings.isEmpty else { return }
        // Arrays of one length only can be unnested side by side.
        let features = greetings.map { greeting in
            String(decoding: JSON.canonical(.list(greeting.features)), as: UTF8.self)
        }
        try await transaction.query(
            """
            INSERT INTO turnpike.agent_state (
                agent, connected_server, last_seen, version, settled, features
            )
            SELECT agents.name, \(server), now(), greeting.version, false,
                ARRAY(SELECT jsonb_array_elements_text(greeting.features::jsonb))
            FROM unnest(
                \(greetings.map(\.agent.text)), \(greetings.map(\.version)), \(features)
            ) AS greeting (agent, version, features)
            JOIN turnpike.agents ON agents.name = greeting.agent
            ORDER BY agents.name
            ON CONFLICT (agent) DO UPDATE SET connected_server = excluded.connected_server,
                last_seen = excluded.last_seen, version = excluded.version, settled = false,
                features = excluded.features
            """
        )
    }

    /// A replica has compared what these agents enforce with what they should.
    package static func settled(
        _ agents: [AgentName],
        by server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !agents.isEmpty else { return }
        try await transaction.query(
            """
            UPDATE turnpike.agent_state SET settled = true
            WHERE agent = ANY(\(agents.map(\.text))) AND connected_server = \(server)
            """
        )
    }

    /// Agents are no longer connected to a replica; those that are connected elsewhere stay so.
    ///
    /// Who is `gone` has ended or is no agent any more, and nobody waits for it.
    package static func disconnected(
        _ agents: [AgentName],
        areGone: Bool,
        from server: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !agents.isEmpty else { return }
        try await transaction.query(
            """
            UPDATE turnpike.agent_state
            SET connected_server = NULL, last_seen = now(), settled = \(areGone)
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
            UPDATE turnpike.agent_state SET connected_server = NULL, settled = false
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
                acknowledged_at = now(), last_seen = now(),
                trust_version = answer.trust_version
            FROM unnest(
                \(answers.map(\.agent.text)), \(answers.map(\.epoch)), \(answers.map(\.revision)),
                \(answers.map { $0.manifestHash?.bytes ?? [] }), \(errors),
                \(answers.map(\.trustVersion))
            ) AS answer (agent, epoch, revision, hash, errors, trust_version)
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

    /// Enrolled agents, connected or not, that have not acknowledged a trust document.
    ///
    /// Whoever is away counts too: it could not believe its server any more when it comes back.
    package static func enrolled(
        behindTrust version: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AgentName] {
        try await transaction.query(
            """
            SELECT name FROM turnpike.agents LEFT JOIN turnpike.agent_state ON agent = name
            WHERE state = 'enrolled' AND coalesce(trust_version, 0) < \(version) ORDER BY name
            """
        ).items { row throws(PostgresError) -> AgentName? in try row.label("name") }
    }

    /// Connected agents that do not understand something.
    package static func connected(
        without feature: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [(agent: AgentName, version: String)] {
        try await transaction.query(
            """
            SELECT agent, version FROM turnpike.agent_state WHERE connected_server IS NOT NULL
                AND last_seen > now() - interval '60 seconds'
                AND NOT \(feature) = ANY (features)
            ORDER BY agent
            """
        ).items { row throws(PostgresError) -> (agent: AgentName, version: String)? in
            (try row.label("agent"), try row.decode("version"))
        }
    }

    /// Those of these agents that did not name a feature when they were last connected; one that
    /// never was is not among them.
    package static func without(
        _ feature: String,
        among agents: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Set<AgentName> {
        guard !agents.isEmpty else { return [] }
        let rows = try await transaction.query(
            """
            SELECT agent FROM turnpike.agent_state
            WHERE agent = ANY(\(agents.map(\.text))) AND NOT \(feature) = ANY (features)
            """
        )
        return Set(try rows.items { row throws(PostgresError) in try row.label("agent") })
    }

    /// How far a revision has come; agents that were not seen for a minute do not count.
    ///
    /// An agent whose replica has compared it and published the revision without a new manifest
    /// for it is not concerned.
    package static func progress(
        of revision: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> EnforcementProgress {
        let rows = try await transaction.query(
            """
            SELECT agent, is_given AND enforces AS is_done,
                floor(extract(epoch FROM acknowledged_at - (
                    SELECT min(at) FROM turnpike.changes WHERE changes.revision = \(revision)
                )) * 1000)::bigint AS milliseconds
            \(fragment: concerned(by: revision))
            ORDER BY agent
            """
        )
        var progress = EnforcementProgress(acknowledged: [], pending: [])
        for row in rows {
            let agent: AgentName = try row.label("agent")
            if try row.decode("is_done") {
                progress.acknowledged.append(agent)
                if let pause: Int64 = try row.decodeIfPresent("milliseconds") {
                    progress.elapsed = max(progress.elapsed ?? .zero, .milliseconds(pause))
                }
            } else {
                progress.pending.append(agent)
            }
        }
        return progress
    }

    /// Live agents that a revision concerns, or of which that is not known yet.
    private static func concerned(by revision: Int64) -> SQL {
        """
        FROM (
            SELECT state.agent, state.acknowledged_at,
                coalesce(manifests.revision >= \(revision), false) AS is_given,
                coalesce(
                    state.epoch = manifests.epoch AND state.revision >= \(revision)
                        OR state.epoch > manifests.epoch,
                    false
                ) AS enforces,
                state.settled AND (
                    state.connected_server IS NULL OR publishers.revision >= \(revision)
                ) AS is_compared
            FROM turnpike.agent_state AS state
            JOIN turnpike.agents AS host ON host.name = state.agent AND host.state <> 'revoked'
            LEFT JOIN turnpike.manifests ON manifests.agent = state.agent
            LEFT JOIN turnpike.publishers ON publishers.server = state.connected_server
            WHERE state.last_seen > now() - interval '60 seconds'
                AND (state.connected_server IS NOT NULL OR NOT state.settled)
        ) AS live
        WHERE (is_given OR is_compared IS NOT TRUE)
        """
    }

    /// Whether `progress` names nobody who is pending, without a row for each agent.
    package static func isEnforced(
        _ revision: Int64,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            SELECT NOT EXISTS (
                SELECT \(fragment: concerned(by: revision)) AND NOT (is_given AND enforces)
            )
            """
        ).single().decode(at: 0)
    }

    /// The live replicas, each with the agents that are connected to it.
    package static func loads(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [ReplicaLoad] {
        let rows = try await transaction.query(
            """
            SELECT publishers.server, count(agent_state.agent) AS agents
            FROM turnpike.publishers LEFT JOIN turnpike.agent_state
                ON agent_state.connected_server = publishers.server
                AND agent_state.last_seen > now() - interval '60 seconds'
            WHERE publishers.seen_at > now() - interval '20 seconds'
            GROUP BY publishers.server ORDER BY publishers.server LIMIT 1000
            """
        )
        return try rows.items { row throws(PostgresError) in
            let count: Int64 = try row.decode("agents")
            return ReplicaLoad(
                server: try row.decode("server"),
                agentCount: Int(clamping: count)
            )
        }
    }
}
