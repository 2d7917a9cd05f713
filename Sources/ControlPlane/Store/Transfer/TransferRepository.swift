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
    /// What opens the root key, as `provider:id`: one of them is enough.
    package let keyIDs: [String]
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
            keyIDs: roots.map { "\($0.provider):\($0.keyEncryptionKeyID)" },
            auditCount: try row.decode("audit")
        )
    }
}
