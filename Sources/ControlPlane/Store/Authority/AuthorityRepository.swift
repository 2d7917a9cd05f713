package import Postgres
package import Wire

/// A CA of this cluster; its private key is sealed.
package struct AuthorityRow: Equatable, Sendable {
    /// Which tree of certificates it belongs to.
    package enum Kind: String, Equatable, Sendable, CaseIterable, PostgresCodable {
        /// The root of the mesh, in the trust document.
        case root
        /// Signs the mesh's leaves.
        case intermediate
        /// The root of the admin API's own certificates, in no trust document.
        case api
    }

    /// Where a CA stands in its life.
    package enum State: String, Equatable, Sendable, PostgresCodable {
        case prepared, active, retired
    }

    package let id: UUIDv7
    package let kind: Kind
    package let state: State
    /// Nil for a root.
    package let issuer: UUIDv7?
    /// DER.
    package let certificate: [UInt8]
    /// The CAs of an operator between this one and its root, DER, the one that signed it first.
    package let chain: [[UInt8]]
    /// Empty where the key is outside.
    package let sealedKey: [UInt8]
    package let notBefore: Timestamp
    package let notAfter: Timestamp

    package init(
        id: UUIDv7,
        kind: Kind,
        state: State,
        issuer: UUIDv7?,
        certificate: [UInt8],
        chain: [[UInt8]] = [],
        sealedKey: [UInt8],
        notBefore: Timestamp,
        notAfter: Timestamp
    ) {
        self.id = id
        self.kind = kind
        self.state = state
        self.issuer = issuer
        self.certificate = certificate
        self.chain = chain
        self.sealedKey = sealedKey
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// The CAs of the cluster.
package enum AuthorityRepository {
    /// Stores a new CA.
    package static func insert(
        _ row: AuthorityRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.authorities (
                id, kind, state, issuer, certificate, chain, sealed_key, not_before, not_after
            ) VALUES (
                \(row.id), \(row.kind), \(row.state), \(row.issuer), \(row.certificate),
                \(row.chain), \(row.sealedKey), \(row.notBefore), \(row.notAfter)
            )
            """
        )
    }

    /// Moves a CA on in its life; whoever is active goes before another one comes.
    package static func set(
        _ id: UUIDv7,
        to state: AuthorityRow.State,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "UPDATE turnpike.authorities SET state = \(state) WHERE id = \(id)"
        )
    }

    /// How many certificates that have not ended each of these CAs signed, and when the last ends.
    package static func live(
        signedBy ids: [UUIDv7],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> (count: Int64, lastEnd: Timestamp?) {
        let row = try await transaction.query(
            """
            SELECT count(*) AS count, max(not_after) AS last_end FROM turnpike.certificates
            WHERE issuer = ANY(\(ids.map(\.description))::uuid[]) AND not_after > now()
            """
        ).single()
        return (try row.decode("count"), try row.decodeIfPresent("last_end"))
    }

    /// All CAs that can be read, the oldest first.
    package static func list(
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [AuthorityRow] {
        try await transaction.query(
            """
            SELECT id, id::text AS id_text, kind, state, issuer, certificate, chain, sealed_key, not_before,
                not_after
            FROM turnpike.authorities ORDER BY created_at, id LIMIT 1000
            """
        ).items { row throws(PostgresError) in
            try rowGuard.legible(row, of: "authorities", keyColumns: ["id_text"]) {
                () throws(PostgresError) in
                AuthorityRow(
                    id: try row.decode("id"),
                    kind: try row.decode("kind"),
                    state: try row.decode("state"),
                    issuer: try row.decodeIfPresent("issuer"),
                    certificate: try row.decode("certificate"),
                    chain: try row.decode("chain"),
                    sealedKey: try row.decode("sealed_key"),
                    notBefore: try row.decode("not_before"),
                    notAfter: try row.decode("not_after")
                )
            }
        }
    }
}
