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

/// The agents; forged rows are absent from every answer.
package enum AgentRepository {
    private static let select: SQL = """
        SELECT name, description, state, mesh_address, spki_sha256, enrolled_at, revision,
            created_at, updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes
                WHERE changes.kind = 'agent' AND changes.key = agents.name
                AND (changes.revision > agents.revision
                    OR changes.revision = agents.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.agents
        """

    /// Stores an agent, new or changed.
    package static func put(
        _ row: Stored<AgentRow>,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        let agent = row.value
        try await transaction.query(
            """
            INSERT INTO turnpike.agents (
                name, description, state, mesh_address, spki_sha256, enrolled_at, revision,
                created_at, updated_at, created_by, mac
            ) VALUES (
                \(agent.name.text), \(agent.description), \(agent.state),
                \(agent.meshAddress), \(agent.spkiHash), \(agent.enrolledAt), \(row.revision),
                \(row.createdAt), \(row.updatedAt), \(row.createdBy),
                \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (name) DO UPDATE SET description = excluded.description,
                state = excluded.state, mesh_address = excluded.mesh_address,
                spki_sha256 = excluded.spki_sha256, enrolled_at = excluded.enrolled_at,
                revision = excluded.revision, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
        )
    }

    /// The agent of a name.
    package static func find(
        _ name: AgentName,
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> Stored<AgentRow>? {
        try await find([name], guardedBy: rowGuard, in: transaction).first
    }

    /// Those of these agents that exist.
    package static func find(
        _ names: [AgentName],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<AgentRow>] {
        guard !names.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE name = ANY(\(names.map(\.text)))"
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of name.
    package static func list(
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
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
            key: { row in row.text(of: ["name"]) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    /// Removes an agent that nothing is placed on; its join tokens go with it.
    package static func delete(
        _ name: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("DELETE FROM turnpike.agents WHERE name = \(name.text)")
    }

    private static func content(of row: Stored<AgentRow>) -> RowContent {
        let agent = row.value
        var content = RowContent(table: "agents", key: agent.name.text)
        content.add("description", agent.description)
        content.add("state", agent.state.rawValue)
        content.add("mesh_address", agent.meshAddress)
        content.add("spki_sha256", agent.spkiHash)
        content.add("enrolled_at", agent.enrolledAt)
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<AgentRow>? {
        try rowGuard.admit(row, of: "agents", keyColumns: ["name"], content: content) {
            () throws(PostgresError) in
            var agent = AgentRow(
                name: try row.label("name"),
                description: try row.decode("description"),
                state: try row.decode("state")
            )
            agent.meshAddress = try row.decode("mesh_address")
            agent.spkiHash = try row.decodeIfPresent("spki_sha256")
            agent.enrolledAt = try row.decodeIfPresent("enrolled_at")
            return agent
        }
    }
}
