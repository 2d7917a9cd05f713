package import Mesh
package import Postgres
package import Wire

/// An agent: the daemon of one host.
package struct AgentRow: Equatable, Sendable {
    /// Where an agent stands in its life.
    package enum State: String, Equatable, Sendable, PostgresCodable {
        case invited, enrolled, revoked
    }

    package let name: AgentName
    package var description: String
    package var state: State
    /// Where others reach its mesh port, as it says itself; empty until it said so.
    package var meshAddress: String
    /// SHA-256 of the public key that it was enrolled with.
    package var spkiHash: [UInt8]?
    package var enrolledAt: Timestamp?

    /// An agent that has not been on the mesh yet: no address, no key.
    package init(name: AgentName, description: String = "", state: State = .invited) {
        self.name = name
        self.description = description
        self.state = state
        meshAddress = ""
    }
}

/// The agents.
package enum AgentRepository {
    private static let select: SQL = """
        SELECT name, description, state, mesh_address, spki_sha256, enrolled_at, revision,
            created_at, updated_at, created_by
        FROM turnpike.agents
        """

    /// Stores an agent, new or changed.
    package static func put(
        _ row: Stored<AgentRow>,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let agent = row.value
        try await transaction.query(
            """
            INSERT INTO turnpike.agents (
                name, description, state, mesh_address, spki_sha256, enrolled_at, revision,
                created_at, updated_at, created_by
            ) VALUES (
                \(agent.name.text), \(agent.description), \(agent.state),
                \(agent.meshAddress), \(agent.spkiHash), \(agent.enrolledAt), \(row.revision),
                \(row.createdAt), \(row.updatedAt), \(row.createdBy)
            )
            ON CONFLICT (name) DO UPDATE SET description = excluded.description,
                state = excluded.state, mesh_address = excluded.mesh_address,
                spki_sha256 = excluded.spki_sha256, enrolled_at = excluded.enrolled_at,
                revision = excluded.revision, updated_at = excluded.updated_at
            """
        )
    }

    /// The agent of a name.
    package static func find(
        _ name: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Stored<AgentRow>? {
        try await transaction.query("\(fragment: select) WHERE name = \(name.text)")
            .items { row throws(PostgresError) in try read(row) }.first
    }

    /// One page in order of name.
    package static func list(
        after: String?,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<AgentRow>> {
        let bounds = PageBounds(after: after, limit: limit)
        let rows = try await transaction.query(
            """
            \(fragment: select) WHERE \(bounds.isFirst) OR name > \(bounds[0])
            ORDER BY name LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row throws(PostgresError) in try row.decode("name") },
            { row throws(PostgresError) in try read(row) }
        )
    }

    /// Removes an agent that nothing is placed on; its join tokens go with it.
    package static func delete(
        _ name: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("DELETE FROM turnpike.agents WHERE name = \(name.text)")
    }

    private static func read(_ row: Row) throws(PostgresError) -> Stored<AgentRow> {
        var agent = AgentRow(
            name: try row.label("name"),
            description: try row.decode("description"),
            state: try row.decode("state")
        )
        agent.meshAddress = try row.decode("mesh_address")
        agent.spkiHash = try row.decodeIfPresent("spki_sha256")
        agent.enrolledAt = try row.decodeIfPresent("enrolled_at")
        return try row.stored(agent)
    }
}
