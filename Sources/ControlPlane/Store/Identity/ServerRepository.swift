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

    /// Says that a replica has started, and with which key-encryption key it works.
    package static func announce(
        _ name: String,
        apiAddress: String,
        agentAddress: String,
        version: String,
        keyEncryptionKeyID: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.servers (
                name, started_at, last_seen, api_address, agent_address, version, kek_id, kek_at
            ) VALUES (
                \(name), now(), now(), \(apiAddress), \(agentAddress), \(version),
                \(keyEncryptionKeyID), now()
            )
            ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at,
                last_seen = excluded.last_seen, api_address = excluded.api_address,
                agent_address = excluded.agent_address, version = excluded.version,
                kek_id = excluded.kek_id, kek_at = excluded.kek_at
            """
        )
    }

    /// Says that a replica is alive.
    package static func touch(
        _ name: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "UPDATE turnpike.servers SET last_seen = now(), kek_at = now() WHERE name = \(name)"
        )
    }

    /// Replicas that were seen in the last minute and work with another key-encryption key than this
    /// one, or did not say with which.
    package static func live(
        withoutKey keyEncryptionKeyID: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [String] {
        try await transaction.query(
            """
            SELECT name FROM turnpike.servers
            WHERE last_seen > clock_timestamp() - interval '60 seconds'
                AND (kek_id <> \(keyEncryptionKeyID) OR kek_at IS DISTINCT FROM last_seen)
            ORDER BY name LIMIT 1000
            """
        ).items { row throws(PostgresError) in try row.decode("name") }
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
