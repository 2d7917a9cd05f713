package import Mesh
package import Postgres
package import Wire

/// What an agent enforces and how it is, by its own account, beside what was published to it.
package struct AgentReport: Equatable, Sendable {
    package let agent: AgentName
    /// The replica that it is connected to; nil while it is connected to none.
    package let connectedServer: String?
    package let lastSeen: Timestamp
    /// The version of its program.
    package let version: String
    package let epoch: Int64
    /// The revision that it acknowledged last.
    package let enforcedRevision: Int64
    package let acknowledgedAt: Timestamp?
    /// Why it refused what it was shown last; empty if it enforces it.
    package let errors: [String]
    /// How long its leaves still hold, if it said so.
    package let budgetSeconds: Int64?
    /// The revision of the last snapshot that was signed for it.
    package let publishedRevision: Int64?
}

extension AgentStateRepository {
    /// What these agents say of themselves; an agent that never connected has nothing to say.
    package static func reports(
        of agents: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AgentReport] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            """
            SELECT agent_state.agent, connected_server, last_seen, version, agent_state.epoch,
                agent_state.revision, acknowledged_at, budget_seconds, errors,
                manifests.revision AS published_revision
            FROM turnpike.agent_state LEFT JOIN turnpike.manifests USING (agent)
            WHERE agent_state.agent = ANY(\(agents.map(\.text)))
            """
        ).items { row throws(PostgresError) in try report(row) }
    }

    private static func report(_ row: Row) throws(PostgresError) -> AgentReport {
        let errors: JSONText = try row.decode("errors")
        guard let document = try? JSON.parse(errors.text, source: "errors"),
            let texts = try? FieldValue(document).strings()
        else { throw .undecodable(column: "errors", type: .jsonb, .unknownValue) }
        return AgentReport(
            agent: try row.label("agent"),
            connectedServer: try row.decodeIfPresent("connected_server"),
            lastSeen: try row.decode("last_seen"),
            version: try row.decode("version"),
            epoch: try row.decode("epoch"),
            enforcedRevision: try row.decode("revision"),
            acknowledgedAt: try row.decodeIfPresent("acknowledged_at"),
            errors: texts,
            budgetSeconds: try row.decodeIfPresent("budget_seconds"),
            publishedRevision: try row.decodeIfPresent("published_revision")
        )
    }
}
