package import Mesh
package import Postgres
package import Wire

/// Which cluster a database belongs to.
package struct ClusterRow: Equatable, Sendable {
    package let id: UUIDv7
    package let trustDomain: TrustDomain
    package let epoch: Int64
    package let createdAt: Timestamp

    package init(id: UUIDv7, trustDomain: TrustDomain, epoch: Int64 = 1, createdAt: Timestamp) {
        self.id = id
        self.trustDomain = trustDomain
        self.epoch = epoch
        self.createdAt = createdAt
    }
}

/// The one row about the cluster itself, and the lock of tokens, policies and key-encryption keys.
package enum ClusterRepository {
    /// Waits until no other transaction changes tokens or policies, or with which key-encryption keys
    /// replicas work; held until this one ends.
    ///
    /// What must hold for all of them together, such as "an administrator is left", can be read
    /// only while none of them changes. A row is locked, and no advisory lock taken: everybody who
    /// may log in could hold that one.
    package static func lockIdentity(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("SELECT FROM turnpike.cluster FOR UPDATE")
    }

    /// Keeps those who hold `lockIdentity` waiting until this transaction ends, and not each other.
    package static func shareIdentity(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query("SELECT FROM turnpike.cluster FOR SHARE")
    }

    /// The cluster, or nil before the first start.
    package static func find(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> ClusterRow? {
        let rows = try await transaction.query(
            "SELECT cluster_id, trust_domain, epoch, created_at FROM turnpike.cluster"
        )
        guard let row = try rows.optional() else { return nil }
        let text: String = try row.decode("trust_domain")
        guard let trustDomain = try? TrustDomain(text) else {
            throw .undecodable(column: "trust_domain", type: .text, .unknownValue)
        }
        return ClusterRow(
            id: try row.decode("cluster_id"),
            trustDomain: trustDomain,
            epoch: try row.decode("epoch"),
            createdAt: try row.decode("created_at")
        )
    }

    /// Stores the cluster at its first start.
    package static func insert(
        _ cluster: ClusterRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.cluster (cluster_id, trust_domain, epoch, created_at)
            VALUES (\(cluster.id), \(cluster.trustDomain.text), \(cluster.epoch),
                \(cluster.createdAt))
            """
        )
    }
}
