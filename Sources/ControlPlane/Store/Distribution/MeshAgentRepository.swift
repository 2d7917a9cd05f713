package import Mesh
package import Postgres
package import Wire

/// An agent as others of the mesh see it.
package struct MeshAgent: Equatable, Sendable {
    package let name: AgentName
    package let isEnrolled: Bool
    /// As the agent wrote it; empty as long as it has not said where it is reached.
    package let meshAddress: String
}

/// The agents as far as snapshots speak of them.
package enum MeshAgentRepository {
    /// All agents.
    package static func all(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [MeshAgent] {
        try await transaction.query("SELECT name, state, mesh_address FROM turnpike.agents")
            .items(read)
    }

    /// Those of these agents that exist.
    package static func find(
        _ names: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [MeshAgent] {
        guard !names.isEmpty else { return [] }
        return try await transaction.query(
            """
            SELECT name, state, mesh_address FROM turnpike.agents
            WHERE name = ANY(\(names.map(\.text)))
            """
        ).items(read)
    }

    /// Says where an enrolled agent is reached.
    ///
    /// - Returns: whether that was news.
    package static func setMeshAddress(
        _ address: String,
        of agent: AgentName,
        revision: Int64,
        at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.execute(
            """
            UPDATE turnpike.agents SET mesh_address = \(address), revision = \(revision),
                updated_at = \(time)
            WHERE name = \(agent.text) AND state = 'enrolled' AND mesh_address <> \(address)
            """
        ) == 1
    }

    private static func read(_ row: Row) throws(PostgresError) -> MeshAgent? {
        let state: String = try row.decode("state")
        return MeshAgent(
            name: try row.label("name"),
            isEnrolled: state == "enrolled",
            meshAddress: try row.decode("mesh_address")
        )
    }
}
