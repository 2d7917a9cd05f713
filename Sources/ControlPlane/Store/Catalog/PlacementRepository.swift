package import Mesh
package import Postgres

/// Which agent may host which service; forged rows are absent from every answer.
package enum PlacementRepository {
    private static let select: SQL = """
        SELECT namespace, service, agent, revision, created_at, updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes WHERE changes.kind = 'placement'
                AND changes.key = placements.namespace || '/' || placements.service
                    || '/' || placements.agent
                AND (changes.revision > placements.revision
                    OR changes.revision = placements.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.placements
        """

    /// The statement that stores a placement; a forged row of its key is replaced.
    package static func put(_ row: Stored<Placement>, guardedBy rowGuard: RowGuard) -> SQL {
        let placement = row.value
        return """
            INSERT INTO turnpike.placements (
                namespace, service, agent, revision, created_at, updated_at, created_by, mac
            ) VALUES (
                \(placement.service.namespace.text), \(placement.service.name.text),
                \(placement.agent.text), \(row.revision), \(row.createdAt), \(row.updatedAt),
                \(row.createdBy), \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (namespace, service, agent) DO UPDATE SET revision = excluded.revision,
                created_at = excluded.created_at, updated_at = excluded.updated_at,
                created_by = excluded.created_by, mac = excluded.mac
            """
    }

    /// The statement that removes a placement.
    package static func delete(_ service: ServiceName, _ agent: AgentName) -> SQL {
        """
        DELETE FROM turnpike.placements WHERE namespace = \(service.namespace.text)
        AND service = \(service.name.text) AND agent = \(agent.text)
        """
    }

    /// Those of these placements that exist.
    package static func find(
        _ placements: [Placement],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<Placement>] {
        guard !placements.isEmpty else { return [] }
        return try await transaction.query(
            """
            \(fragment: select) WHERE (namespace, service, agent) IN (
                SELECT * FROM unnest(
                    \(placements.map(\.service.namespace.text)),
                    \(placements.map(\.service.name.text)), \(placements.map(\.agent.text))
                )
            )
            """
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of service and agent, perhaps of one service, of one agent, or both.
    package static func list(
        service: ServiceName? = nil,
        agent: AgentName? = nil,
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Placement>> {
        let bounds = PageBounds(after: after, limit: limit)
        let rows = try await transaction.query(
            bounds.statement(select, service: service, agent: agent)
        )
        return try bounds.page(
            rows,
            key: { row in row.text(of: keyColumns) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    /// Which of these agents exist, in whatever state.
    package static func existingAgents(
        _ names: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Set<AgentName> {
        guard !names.isEmpty else { return [] }
        let rows = try await transaction.query(
            "SELECT name FROM turnpike.agents WHERE name = ANY(\(names.map(\.text)))"
        )
        return Set(try rows.items { row throws(PostgresError) in try row.label("name") })
    }

    private static func content(of row: Stored<Placement>) -> RowContent {
        var content = RowContent(
            table: "placements",
            key: "\(row.value.service)/\(row.value.agent)"
        )
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static let keyColumns = ["namespace", "service", "agent"]

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<Placement>? {
        try rowGuard.admit(row, of: "placements", keyColumns: keyColumns, content: content) {
            () throws(PostgresError) in
            Placement(
                service: try row.serviceName("namespace", "service"),
                agent: try row.label("agent")
            )
        }
    }
}
