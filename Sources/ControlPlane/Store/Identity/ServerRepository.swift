package import Postgres
package import Wire

/// A replica of the control plane.
package struct ServerRow: Equatable, Sendable {
    package let name: String
    package let startedAt: Timestamp
    package let lastSeen: Timestamp
    package let apiAddress: String
    package let agentAddress: String
    package let version: String
}

/// Which replicas there are and when each was last seen, by the database's clock.
package enum ServerRepository {
    /// The database's clock, the one that all replicas share.
    package static func time(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Timestamp {
        try await transaction.query("SELECT clock_timestamp()").single().decode(at: 0)
    }

    /// Says that a replica has started.
    package static func announce(
        _ name: String,
        apiAddress: String,
        agentAddress: String,
        version: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.servers (
                name, started_at, last_seen, api_address, agent_address, version
            ) VALUES (
                \(name), clock_timestamp(), clock_timestamp(), \(apiAddress), \(agentAddress),
                \(version)
            )
            ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at,
                last_seen = excluded.last_seen, api_address = excluded.api_address,
                agent_address = excluded.agent_address, version = excluded.version
            """
        )
    }

    /// Says that a replica is alive.
    package static func touch(
        _ name: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "UPDATE turnpike.servers SET last_seen = clock_timestamp() WHERE name = \(name)"
        )
    }

    /// All replicas by name.
    package static func list(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [ServerRow] {
        let rows = try await transaction.query(
            """
            SELECT name, started_at, last_seen, api_address, agent_address, version
            FROM turnpike.servers ORDER BY name LIMIT 1000
            """
        )
        var servers: [ServerRow] = []
        for row in rows {
            servers.append(
                ServerRow(
                    name: try row.decode("name"),
                    startedAt: try row.decode("started_at"),
                    lastSeen: try row.decode("last_seen"),
                    apiAddress: try row.decode("api_address"),
                    agentAddress: try row.decode("agent_address"),
                    version: try row.decode("version")
                )
            )
        }
        return servers
    }
}
