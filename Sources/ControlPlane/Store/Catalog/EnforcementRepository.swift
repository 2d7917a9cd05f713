package import Mesh
package import Postgres
package import Wire

/// What an agent last said about its snapshot.
package struct AgentEnforcement: Equatable, Sendable {
    package let agent: AgentName
    /// The revision that it enforces; 0 before its first acknowledgement.
    package let revision: Int64
    package let acknowledgedAt: Timestamp?
    package let lastSeen: Timestamp?
}

/// One decision of an agent, as its evidence says.
package struct DecisionRow: Equatable, Sendable {
    package let id: UUIDv7
    package let agent: String
    package let at: Timestamp
    package let verdict: String
    package let reason: String
    package let source: String
    package let destination: String
    /// Empty where no rule decided.
    package let ruleID: String
    package let precedence: Int
    package let revision: Int64
    package let peerAddress: String
}

/// What `explain` needs beside the rules: who enforces them, and what was refused.
package enum EnforcementRepository {
    private static let selectDecision: SQL = """
        SELECT id, agent, at, verdict, reason, source, destination, rule_id, precedence, revision,
            peer_address
        FROM turnpike.decisions
        """

    /// What these agents enforce; those that never said anything are left out.
    package static func states(
        of agents: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AgentEnforcement] {
        let rows = try await transaction.query(
            """
            SELECT agent, revision, acknowledged_at, last_seen FROM turnpike.agent_state
            WHERE agent = ANY(\(agents.map(\.text)))
            """
        )
        return try rows.items { row throws(PostgresError) in
            AgentEnforcement(
                agent: try row.label("agent"),
                revision: try row.decode("revision"),
                acknowledgedAt: try row.decodeIfPresent("acknowledged_at"),
                lastSeen: try row.decodeIfPresent("last_seen")
            )
        }
    }

    /// The last revision that changed what is known or decided about a service as destination; 0
    /// if none ever did.
    package static func lastChange(
        of service: ServiceName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int64 {
        let namespace = service.namespace.text
        let prefixes = ["\(service)/", "\(namespace)/*/", "*/*/"]
        let rows = try await transaction.query(
            """
            SELECT coalesce(max(revision), 0) FROM turnpike.changes
            WHERE (kind = 'intention' AND (starts_with(key, \(prefixes[0]))
                OR starts_with(key, \(prefixes[1])) OR starts_with(key, \(prefixes[2]))))
            OR (kind = 'service' AND key = \(service.description))
            OR (kind = 'placement' AND starts_with(key, \(prefixes[0])))
            """
        )
        return try rows.single().decode(at: 0)
    }

    /// The newest refusal of a destination, of a source that is written in one of several ways.
    package static func latestRefusal(
        sources: [String],
        destination: ServiceName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> DecisionRow? {
        try await transaction.query(
            """
            \(fragment: selectDecision) WHERE destination = \(destination.description)
            AND source = ANY(\(sources)) AND verdict = 'deny'
            ORDER BY at DESC LIMIT 1
            """
        ).items(read).first
    }

    /// One decision by the id that its caller was told.
    package static func decision(
        _ id: UUIDv7,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> DecisionRow? {
        try await transaction.query("\(fragment: selectDecision) WHERE id = \(id)")
            .items(read).first
    }

    private static func read(_ row: Row) throws(PostgresError) -> DecisionRow? {
        DecisionRow(
            id: try row.decode("id"),
            agent: try row.decode("agent"),
            at: try row.decode("at"),
            verdict: try row.decode("verdict"),
            reason: try row.decode("reason"),
            source: try row.decode("source"),
            destination: try row.decode("destination"),
            ruleID: try row.decode("rule_id"),
            precedence: try row.decode("precedence"),
            revision: try row.decode("revision"),
            peerAddress: try row.decode("peer_address")
        )
    }
}
