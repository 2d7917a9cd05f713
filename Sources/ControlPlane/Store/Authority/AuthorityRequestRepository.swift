package import Postgres
package import Wire

/// A key that waits for a certificate from outside; it signs nothing yet.
package struct AuthorityRequestRow: Equatable, Sendable {
    package let id: UUIDv7
    /// The PKCS#10 request, DER.
    package let request: [UInt8]
    package let sealedKey: [UInt8]
    package let createdAt: Timestamp

    package init(id: UUIDv7, request: [UInt8], sealedKey: [UInt8], createdAt: Timestamp) {
        self.id = id
        self.request = request
        self.sealedKey = sealedKey
        self.createdAt = createdAt
    }
}

/// The one request for an intermediate that an operator's CA may be about to sign.
package enum AuthorityRequestRepository {
    /// The request that waits; nil if there is none that can be read.
    package static func find(
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> AuthorityRequestRow? {
        try await transaction.query(
            """
            SELECT id, id::text AS id_text, request, sealed_key, created_at
            FROM turnpike.authority_requests LIMIT 1
            """
        ).items { row throws(PostgresError) in
            try rowGuard.legible(row, of: "authority_requests", keyColumns: ["id_text"]) {
                () throws(PostgresError) in
                AuthorityRequestRow(
                    id: try row.decode("id"),
                    request: try row.decode("request"),
                    sealedKey: try row.decode("sealed_key"),
                    createdAt: try row.decode("created_at")
                )
            }
        }.first
    }

    /// Stores a request; the one before must be gone.
    package static func insert(
        _ row: AuthorityRequestRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.authority_requests (id, request, sealed_key, created_at)
            VALUES (\(row.id), \(row.request), \(row.sealedKey), \(row.createdAt))
            """
        )
    }

    /// Forgets the request that waits, with its key.
    package static func clear(in transaction: PostgresTransaction) async throws(PostgresError) {
        try await transaction.query("DELETE FROM turnpike.authority_requests")
    }
}
