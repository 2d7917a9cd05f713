package import Mesh
package import Postgres

/// Loopback ports of agents.
package enum UpstreamRepository {
    private static let select: SQL = """
        SELECT agent, port, source_namespace, source_name, destination_namespace,
            destination_name, uids, any_uid, revision, created_at, updated_at, created_by
        FROM turnpike.upstreams
        """

    /// The statement that stores an upstream, new or changed.
    package static func put(_ row: Stored<Upstream>) -> SQL {
        let upstream = row.value
        var uids: [Int64] = []
        if case .only(let users) = upstream.users { uids = users.map(Int64.init) }
        return """
            INSERT INTO turnpike.upstreams (
                agent, port, source_namespace, source_name, destination_namespace,
                destination_name, uids, any_uid, revision, created_at, updated_at, created_by
            ) VALUES (
                \(upstream.agent.text), \(Int(upstream.port)),
                \(upstream.source.namespace.text), \(upstream.source.name.text),
                \(upstream.destination.namespace.text), \(upstream.destination.name.text),
                \(uids), \(upstream.users == .any), \(row.revision), \(row.createdAt),
                \(row.updatedAt), \(row.createdBy)
            )
            ON CONFLICT (agent, port) DO UPDATE SET
                source_namespace = excluded.source_namespace, source_name = excluded.source_name,
                destination_namespace = excluded.destination_namespace,
                destination_name = excluded.destination_name, uids = excluded.uids,
                any_uid = excluded.any_uid, revision = excluded.revision,
                updated_at = excluded.updated_at
            """
    }

    /// The statement that removes an upstream.
    package static func delete(_ agent: AgentName, port: UInt16) -> SQL {
        """
        DELETE FROM turnpike.upstreams WHERE agent = \(agent.text) AND port = \(Int(port))
        """
    }

    /// Every upstream of these agents.
    package static func find(
        onAgents agents: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Stored<Upstream>] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE agent = ANY(\(agents.map(\.text)))"
        ).items(read)
    }

    /// One page in order of agent and port, perhaps of one agent, source or destination.
    package static func list(
        agent: AgentName? = nil,
        source: ServiceName? = nil,
        destination: ServiceName? = nil,
        after: String?,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Upstream>> {
        let bounds = PageBounds(after: after, limit: limit)
        let ofAgent: SQL = agent.map { "AND agent = \($0.text)" } ?? ""
        let ofSource: SQL =
            source.map {
                "AND source_namespace = \($0.namespace.text) AND source_name = \($0.name.text)"
            } ?? ""
        let ofDestination: SQL =
            destination.map {
                """
                AND destination_namespace = \($0.namespace.text)
                AND destination_name = \($0.name.text)
                """
            } ?? ""
        let rows = try await transaction.query(
            """
            \(fragment: select)
            WHERE (\(bounds.isFirst) OR (agent, port) > (\(bounds[0]), \(bounds.number(1))))
            \(fragment: ofAgent) \(fragment: ofSource) \(fragment: ofDestination)
            ORDER BY agent, port LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row throws(PostgresError) in
                let agent: String = try row.decode("agent")
                return "\(agent)/\(try row.port())"
            },
            read
        )
    }

    private static func read(_ row: Row) throws(PostgresError) -> Stored<Upstream>? {
        let uids: [Int64] = try row.decode("uids")
        return try row.stored(
            Upstream(
                agent: try row.label("agent"),
                source: try row.serviceName("source_namespace", "source_name"),
                destination: try row.serviceName("destination_namespace", "destination_name"),
                port: try row.port(),
                users: try row.decode("any_uid")
                    // A uid out of range names nobody, so it is left out.
                    ? .any : .only(uids.compactMap { UInt32(exactly: $0) })
            )
        )
    }
}
