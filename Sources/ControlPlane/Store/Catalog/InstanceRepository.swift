package import Mesh
package import Postgres

/// Running copies of services.
package enum InstanceRepository {
    private static let select: SQL = """
        SELECT namespace, service, agent, name, address, port, weight, revision, created_at,
            updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes WHERE changes.kind = 'instance'
                AND changes.key = instances.namespace || '/' || instances.service
                    || '/' || instances.agent || '/' || instances.name
                AND (changes.revision > instances.revision
                    OR changes.revision = instances.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.instances
        """

    /// The statement that stores an instance, new or changed; a forged row of its key is replaced.
    package static func put(_ row: Stored<Instance>, guardedBy rowGuard: RowGuard) -> SQL {
        let instance = row.value
        return """
            INSERT INTO turnpike.instances (
                namespace, service, agent, name, address, port, weight, revision, created_at,
                updated_at, created_by, mac
            ) VALUES (
                \(instance.service.namespace.text), \(instance.service.name.text),
                \(instance.agent.text), \(instance.name.text), \(instance.address.description),
                \(Int(instance.port)), \(instance.weight), \(row.revision), \(row.createdAt),
                \(row.updatedAt), \(row.createdBy), \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (namespace, service, agent, name) DO UPDATE SET
                address = excluded.address, port = excluded.port, weight = excluded.weight,
                revision = excluded.revision, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                mac = excluded.mac
            """
    }

    /// The statement that removes an instance.
    package static func delete(
        _ service: ServiceName,
        _ agent: AgentName,
        _ name: InstanceName
    ) -> SQL {
        """
        DELETE FROM turnpike.instances WHERE namespace = \(service.namespace.text)
        AND service = \(service.name.text) AND agent = \(agent.text) AND name = \(name.text)
        """
    }

    /// Every instance on these agents.
    package static func find(
        onAgents agents: [AgentName],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<Instance>] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE agent = ANY(\(agents.map(\.text)))"
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of service, agent and name, perhaps of one service, of one agent, or
    /// both.
    package static func list(
        service: ServiceName? = nil,
        agent: AgentName? = nil,
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Instance>> {
        let bounds = PageBounds(after: after, limit: limit)
        let rows = try await transaction.query(
            bounds.statement(select, isNamed: true, service: service, agent: agent)
        )
        return try bounds.page(
            rows,
            key: { row in row.text(of: keyColumns) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    private static let keyColumns = ["namespace", "service", "agent", "name"]

    private static func content(of row: Stored<Instance>) -> RowContent {
        let instance = row.value
        var content = RowContent(
            table: "instances",
            key: "\(instance.service)/\(instance.agent)/\(instance.name)"
        )
        content.add("address", instance.address.description)
        content.add("port", Int64(instance.port))
        content.add("weight", Int64(instance.weight))
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<Instance>? {
        try rowGuard.admit(row, of: "instances", keyColumns: keyColumns, content: content) {
            () throws(PostgresError) in
            Instance(
                service: try row.serviceName("namespace", "service"),
                agent: try row.label("agent"),
                name: try row.label("name"),
                address: try row.parsed("address") { text throws(NameError) in
                    try IPAddress(text)
                },
                port: try row.port(),
                weight: try row.decode("weight")
            )
        }
    }
}
