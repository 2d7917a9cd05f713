package import Mesh
package import Postgres
package import Wire

/// What an agent says of one of its instances.
package struct InstanceFinding: Equatable, Sendable {
    package let service: ServiceName
    package let name: InstanceName
    package let isUp: Bool
    package let since: Timestamp
    /// Why the latest probe failed; empty if it did not.
    package let problem: String

    package init(
        service: ServiceName,
        name: InstanceName,
        isUp: Bool,
        since: Timestamp,
        problem: String
    ) {
        self.service = service
        self.name = name
        self.isUp = isUp
        self.since = since
        self.problem = problem
    }
}

/// Which instances take connections, as the agents of their hosts say.
///
/// No configuration, so it makes no revision; and it grants nothing, so no MAC covers it.
package enum HealthRepository {
    /// The channel that wakes the other replicas; there is nothing to read in the payload.
    package static let channel = PostgresChannel("turnpike_health")

    /// Replaces what an agent said before; instances that it does not have are left out.
    ///
    /// - Returns: whether anything changed.
    package static func report(
        _ findings: [InstanceFinding],
        of agent: AgentName,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        let namespaces = findings.map(\.service.namespace.text)
        let services = findings.map(\.service.name.text)
        let names = findings.map(\.name.text)
        let removed = try await transaction.query(
            """
            DELETE FROM turnpike.instance_health WHERE agent = \(agent.text)
            AND (namespace, service, name) NOT IN (
                SELECT * FROM unnest(\(namespaces), \(services), \(names))
            )
            """
        )
        let stored = try await transaction.query(
            """
            INSERT INTO turnpike.instance_health AS known (
                namespace, service, agent, name, is_up, since, problem
            )
            SELECT i.namespace, i.service, i.agent, i.name, said.is_up,
                to_timestamp(said.since / 1000000.0), said.problem
            FROM unnest(
                \(namespaces), \(services), \(names), \(findings.map(\.isUp)),
                \(findings.map(\.since.microsecondsSinceEpoch)), \(findings.map(\.problem))
            ) AS said (namespace, service, name, is_up, since, problem)
            JOIN turnpike.instances i USING (namespace, service, name)
            WHERE i.agent = \(agent.text)
            ON CONFLICT (namespace, service, agent, name) DO UPDATE SET
                is_up = excluded.is_up, since = excluded.since, problem = excluded.problem
            WHERE (known.is_up, known.since, known.problem)
                <> (excluded.is_up, excluded.since, excluded.problem)
            """
        )
        guard removed.affectedCount + stored.affectedCount > 0 else { return false }
        try await transaction.query("SELECT pg_notify(\(channel.name), '')")
        return true
    }

    /// All instances that are down, by the word of agents that were seen lately.
    package static func down(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [Placement: Set<InstanceName>] {
        let rows = try await transaction.query(
            """
            SELECT namespace, service, agent, name FROM turnpike.instance_health
            JOIN turnpike.agent_state USING (agent)
            WHERE NOT is_up AND last_seen > now() - interval '60 seconds'
            """
        )
        var down: [Placement: Set<InstanceName>] = [:]
        for row in rows {
            let placement = Placement(
                service: try row.serviceName("namespace", "service"),
                agent: try row.label("agent")
            )
            down[placement, default: []].insert(try row.label("name"))
        }
        return down
    }

    /// What is known of the instances on these agents that were seen lately.
    package static func findings(
        onAgents agents: Set<AgentName>,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [ResourceKey: InstanceFinding] {
        guard !agents.isEmpty else { return [:] }
        let rows = try await transaction.query(
            """
            SELECT namespace, service, agent, name, is_up, since, problem
            FROM turnpike.instance_health JOIN turnpike.agent_state USING (agent)
            WHERE agent = ANY(\(agents.map(\.text)))
                AND last_seen > now() - interval '60 seconds'
            """
        )
        var findings: [ResourceKey: InstanceFinding] = [:]
        for row in rows {
            let finding = InstanceFinding(
                service: try row.serviceName("namespace", "service"),
                name: try row.label("name"),
                isUp: try row.decode("is_up"),
                since: try row.decode("since"),
                problem: try row.decode("problem")
            )
            findings[.instance(finding.service, try row.label("agent"), finding.name)] = finding
        }
        return findings
    }
}
