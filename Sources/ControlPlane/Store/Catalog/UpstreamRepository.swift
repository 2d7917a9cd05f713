package import Mesh
package import Postgres

/// Loopback ports of agents.
package enum UpstreamRepository {
    private static let select: SQL = """
        SELECT agent, port, source_namespace, source_name, destination_namespace,
            destination_name, uids, any_uid, balance, connections_max, pending_max,
            postgres_profile, postgres_strict, postgres_listen, revision, created_at,
            updated_at, created_by, mac,
            EXISTS (
                SELECT FROM turnpike.changes WHERE changes.kind = 'upstream'
                AND changes.key = upstreams.agent || '/' || upstreams.port
                AND (changes.revision > upstreams.revision
                    OR changes.revision = upstreams.revision AND changes.action = 'delete')
            ) AS superseded
        FROM turnpike.upstreams
        """

    /// The statement that stores an upstream, new or changed; a forged row of its key is replaced.
    package static func put(_ row: Stored<Upstream>, guardedBy rowGuard: RowGuard) -> SQL {
        let upstream = row.value
        let uids = uids(of: upstream).map(Int64.init)
        return """
            INSERT INTO turnpike.upstreams (
                agent, port, source_namespace, source_name, destination_namespace,
                destination_name, uids, any_uid, balance, connections_max, pending_max,
                postgres_profile, postgres_strict, postgres_listen, revision, created_at,
                updated_at, created_by, mac
            ) VALUES (
                \(upstream.agent.text), \(Int(upstream.port)),
                \(upstream.source.namespace.text), \(upstream.source.name.text),
                \(upstream.destination.namespace.text), \(upstream.destination.name.text),
                \(uids), \(upstream.users == .any), \(upstream.traffic.balance.rawValue),
                \(upstream.traffic.connectionsMax), \(upstream.traffic.pendingMax),
                \(upstream.postgres?.profile.text), \(upstream.postgres?.isStrict ?? false),
                \(upstream.postgres?.mayListen ?? false), \(row.revision), \(row.createdAt), \(row.updatedAt),
                \(row.createdBy), \(rowGuard.tag(content(of: row)))
            )
            ON CONFLICT (agent, port) DO UPDATE SET
                source_namespace = excluded.source_namespace, source_name = excluded.source_name,
                destination_namespace = excluded.destination_namespace,
                destination_name = excluded.destination_name, uids = excluded.uids,
                any_uid = excluded.any_uid, balance = excluded.balance,
                connections_max = excluded.connections_max,
                pending_max = excluded.pending_max,
                postgres_profile = excluded.postgres_profile,
                postgres_strict = excluded.postgres_strict,
                postgres_listen = excluded.postgres_listen, revision = excluded.revision,
                created_at = excluded.created_at, updated_at = excluded.updated_at,
                created_by = excluded.created_by, mac = excluded.mac
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
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [Stored<Upstream>] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            "\(fragment: select) WHERE agent = ANY(\(agents.map(\.text)))"
        ).items { row throws(PostgresError) in try read(row, rowGuard) }
    }

    /// One page in order of agent and port, perhaps of one agent, source or destination.
    package static func list(
        agent: AgentName? = nil,
        source: ServiceName? = nil,
        destination: ServiceName? = nil,
        after: String?,
        limit: Int,
        guardedBy rowGuard: RowGuard,
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
            key: { row in row.text(of: keyColumns) },
            { row throws(PostgresError) in try read(row, rowGuard) }
        )
    }

    private static let keyColumns = ["agent", "port"]

    private static func uids(of upstream: Upstream) -> [UInt32] {
        if case .only(let users) = upstream.users { users } else { [] }
    }

    private static func content(of row: Stored<Upstream>) -> RowContent {
        let upstream = row.value
        var content = RowContent(
            table: "upstreams",
            key: "\(upstream.agent)/\(upstream.port)"
        )
        content.add("source", upstream.source.description)
        content.add("destination", upstream.destination.description)
        content.add("uids", uids(of: upstream).map { String($0) })
        content.add("any_uid", upstream.users == .any)
        if let postgres = upstream.postgres {
            content.add("postgres_profile", postgres.profile.text)
            content.add("postgres_strict", postgres.isStrict)
            content.add("postgres_listen", postgres.mayListen)
        }
        content.add("revision", row.revision)
        content.add("created_by", row.createdBy)
        return content
    }

    private static func postgres(of row: Row) throws(PostgresError) -> PostgresAccess? {
        let name: String? = try row.decodeIfPresent("postgres_profile")
        guard name != nil else { return nil }
        return PostgresAccess(
            profile: try row.parsed("postgres_profile") { text throws(NameError) in
                try ProfileName(text)
            },
            isStrict: try row.decode("postgres_strict"),
            mayListen: try row.decode("postgres_listen")
        )
    }

    private static func read(
        _ row: Row,
        _ rowGuard: RowGuard
    ) throws(PostgresError) -> Stored<Upstream>? {
        try rowGuard.admit(row, of: "upstreams", keyColumns: keyColumns, content: content) {
            () throws(PostgresError) in
            let uids: [Int64] = try row.decode("uids")
            return Upstream(
                agent: try row.label("agent"),
                source: try row.serviceName("source_namespace", "source_name"),
                destination: try row.serviceName("destination_namespace", "destination_name"),
                port: try row.port(),
                users: try row.decode("any_uid")
                    // A uid out of range names nobody, so it is left out.
                    ? .any : .only(uids.compactMap { UInt32(exactly: $0) }),
                traffic: try row.upstreamTraffic(),
                postgres: try postgres(of: row)
            )
        }
    }
}
