package import Mesh
package import Postgres

/// Running copies of services.
package enum InstanceRepository {
    private static let select: SQL = """
        SELECT namespace, service, agent, name, address, port, weight, revision, created_at,
            updated_at, created_by
        FROM turnpike.instances
        """

    /// The statement that stores an instance, new or changed.
    package static func put(_ row: Stored<Instance>) -> SQL {
        let instance = row.value
        return """
            INSERT INTO turnpike.instances (
                namespace, service, agent, name, address, port, weight, revision, created_at,
                updated_at, created_by
            ) VALUES (
                \(instance.service.namespace.text), \(instance.service.name.text),
                \(instance.agent.text), \(instance.name.text), \(instance.address.description),
                \(Int(instance.port)), \(instance.weight), \(row.revision), \(row.createdAt),
                \(row.updatedAt), \(row.createdBy)
            )
            ON CONFLICT (namespace, service, agent, name) DO UPDATE SET
                address = excluded.address, port = excluded.port, weight = excluded.weight,
                revision = excluded.revision, updated_at = excluded.updated_at
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
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Stored<Instance>] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE agent = ANY(\(agents.map(\.text)))"
        ).items(read)
    }

    /// One page in order of service, agent and name, perhaps of one service, of one agent, or
    /// both.
    package static func list(
        service: ServiceName? = nil,
        agent: AgentName? = nil,
        after: String?,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Instance>> {
        let bounds = PageBounds(after: after, limit: limit)
        let ofService: SQL =
            service.map {
                "AND namespace = \($0.namespace.text) AND service = \($0.name.text)"
            } ?? ""
        let ofAgent: SQL = agent.map { "AND agent = \($0.text)" } ?? ""
        let rows = try await transaction.query(
            """
            \(fragment: select)
            WHERE (\(bounds.isFirst) OR (namespace, service, agent, name)
                > (\(bounds[0]), \(bounds[1]), \(bounds[2]), \(bounds[3])))
            \(fragment: ofService) \(fragment: ofAgent)
            ORDER BY namespace, service, agent, name LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row throws(PostgresError) in
                let agent: String = try row.decode("agent")
                let name: String = try row.decode("name")
                return "\(try row.serviceName("namespace", "service"))/\(agent)/\(name)"
            },
            read
        )
    }

    private static func read(_ row: Row) throws(PostgresError) -> Stored<Instance>? {
        try row.stored(
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
        )
    }
}
