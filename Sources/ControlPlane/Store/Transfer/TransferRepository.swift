package import Mesh
package import Postgres
package import Wire

/// What a database holds, as far as somebody who copies it must know.
package struct DatabaseSummary: Equatable, Sendable {
    package let clusterID: UUIDv7
    package let trustDomain: TrustDomain
    package let revision: Int64
    package let trustVersion: Int64
    package let epoch: Int64
    /// The last migration that ran.
    package let schemaVersion: Int
    /// The root key as each key-encryption key wraps it: one of them is enough.
    package let rootKeys: [WrappedRootKey]
    package let auditCount: Int64
}

/// What copying a whole database needs beside the programs of PostgreSQL.
package enum TransferRepository {
    /// Whether nothing of Turnpike is there.
    package static func isEmpty(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            """
            SELECT NOT EXISTS (
                SELECT FROM pg_namespace WHERE nspname IN ('turnpike', 'dashboard')
            )
            """
        ).single().decode(at: 0)
    }

    /// Removes the schemas that a migration has just made, so that copied ones take their place;
    /// the roles and the rights on the database itself stay.
    ///
    /// - Returns: false, and removes nothing, where a cluster was founded.
    package static func clear(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        guard try await ClusterRepository.find(in: transaction) == nil else { return false }
        try await transaction.batch([
            "SET LOCAL ROLE turnpike_owner",
            "DROP SCHEMA dashboard CASCADE",
            "DROP SCHEMA turnpike CASCADE",
        ])
        return true
    }

    /// The key of the advisory lock of whoever fills a database: "turnfill" in ASCII.
    private static let fillingKey: Int64 = 0x7475_726e_6669_6c6c

    /// Takes the right to fill this database, until the session ends; false where another has it.
    package static func claim(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query("SELECT pg_try_advisory_lock(\(fillingKey))").single()
            .decode(at: 0)
    }

    /// Whether somebody began to fill this database and did not come to the end.
    package static func isUnfinished(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        try await transaction.query(
            "SELECT to_regnamespace('turnpike_unfinished') IS NOT NULL"
        ).single().decode(at: 0)
    }

    /// Says that what this database holds is not whole; a schema of its own, because the others are
    /// made by the copy.
    package static func markUnfinished(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.batch([
            "CREATE SCHEMA turnpike_unfinished",
            """
            COMMENT ON SCHEMA turnpike_unfinished IS
                'Turnpike is being copied into this database: what is here is not whole'
            """,
        ])
    }

    /// Says that it is whole now.
    package static func markFinished(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("DROP SCHEMA turnpike_unfinished")
    }

    /// Removes what a copy that did not come to its end has left; only where that is marked.
    ///
    /// - Returns: whether there was anything to remove.
    @discardableResult
    package static func discardUnfinished(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        guard try await isUnfinished(in: transaction) else { return false }
        if try await !isEmpty(in: transaction) {
            try await transaction.batch([
                "SET LOCAL ROLE turnpike_owner", "DROP SCHEMA IF EXISTS dashboard CASCADE",
                "DROP SCHEMA IF EXISTS turnpike CASCADE", "RESET ROLE",
            ])
        }
        try await transaction.query("DROP SCHEMA turnpike_unfinished")
        return true
    }

    /// What the database holds; nil before its cluster was founded.
    package static func summary(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> DatabaseSummary? {
        guard let cluster = try await ClusterRepository.find(in: transaction) else { return nil }
        let roots = try await KeyRepository.rootKeys(in: transaction)
        let row = try await transaction.query(
            """
            SELECT (SELECT revision FROM turnpike.revision) AS revision,
                (SELECT coalesce(max(version), 0) FROM turnpike.trust_documents) AS trust,
                (SELECT coalesce(max(epoch), 0) FROM turnpike.trust_documents) AS epoch,
                (SELECT max(version) FROM turnpike.migrations) AS schema,
                (SELECT count(*) FROM turnpike.audit) AS audit
            """
        ).single()
        let schema: Int32 = try row.decode("schema")
        return DatabaseSummary(
            clusterID: cluster.id,
            trustDomain: cluster.trustDomain,
            revision: try row.decode("revision"),
            trustVersion: try row.decode("trust"),
            epoch: try row.decode("epoch"),
            schemaVersion: Int(schema),
            rootKeys: roots,
            auditCount: try row.decode("audit")
        )
    }
}
