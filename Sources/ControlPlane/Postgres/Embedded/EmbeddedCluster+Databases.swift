import Reactor

extension EmbeddedCluster {
    /// Makes a database if it does not exist; the cluster's other databases are the superuser's
    /// alone, or every role could log in to them and make what it likes there.
    package func ensureDatabase(_ name: PostgresName) async throws(EmbeddedClusterError) {
        try await administer { connection throws(PostgresError) in
            for other in ["postgres", "template1"] where other != name.text {
                try await connection.query(
                    SQL(command: "REVOKE ALL ON DATABASE \(other) FROM PUBLIC")
                )
            }
            let found = try await connection.query(
                "SELECT 1 FROM pg_database WHERE datname = \(name.text)"
            )
            if found.count > 0 { return }
            do throws(PostgresError) {
                try await connection.query(SQL(command: "CREATE DATABASE \(name.text)"))
            } catch {
                if error.state != .duplicateDatabase { throw error }
            }
        }
    }
}
