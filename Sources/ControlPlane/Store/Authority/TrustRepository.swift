package import Postgres
package import Wire

/// A version of the trust document as it was signed.
package struct TrustRow: Equatable, Sendable {
    package let version: Int64
    package let epoch: Int64
    package let hash: [UInt8]
    package let envelope: [UInt8]

    package init(version: Int64, epoch: Int64, hash: [UInt8], envelope: [UInt8]) {
        self.version = version
        self.epoch = epoch
        self.hash = hash
        self.envelope = envelope
    }

    var content: RowContent {
        var content = RowContent(table: "trust_documents", key: String(version))
        content.add("epoch", epoch)
        content.add("hash", hash)
        content.add("envelope", envelope)
        return content
    }
}

/// A key that signs snapshots; its private half is sealed.
package struct SnapshotKeyRow: Equatable, Sendable {
    package let keyID: String
    /// SubjectPublicKeyInfo, DER.
    package let publicKey: [UInt8]
    package let sealedKey: [UInt8]
    package let state: AuthorityRow.State
    package let notBefore: Timestamp
    package let notAfter: Timestamp

    package init(
        keyID: String,
        publicKey: [UInt8],
        sealedKey: [UInt8],
        state: AuthorityRow.State,
        notBefore: Timestamp,
        notAfter: Timestamp
    ) {
        self.keyID = keyID
        self.publicKey = publicKey
        self.sealedKey = sealedKey
        self.state = state
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// Trust documents and the keys that they name.
package enum TrustRepository {
    /// Stores a new version.
    package static func insert(
        _ row: TrustRow,
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.trust_documents (version, epoch, hash, envelope, mac)
            VALUES (\(row.version), \(row.epoch), \(row.hash), \(row.envelope),
                \(rowGuard.tag(row.content)))
            """
        )
    }

    /// Every version, in order: an agent that missed some is shown each.
    ///
    /// A forged one is left out: nothing but the first says whom to trust, and new hosts would
    /// take it as it is.
    package static func chain(
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [TrustRow] {
        try await transaction.query(
            """
            SELECT version, epoch, hash, envelope, mac FROM turnpike.trust_documents
            ORDER BY version LIMIT 10000
            """
        ).items { row throws(PostgresError) in
            let trust = TrustRow(
                version: try row.decode("version"),
                epoch: try row.decode("epoch"),
                hash: try row.decode("hash"),
                envelope: try row.decode("envelope")
            )
            let tag: [UInt8] = try row.decode("mac")
            return rowGuard.isAuthentic(trust.content, tag: tag) ? trust : nil
        }
    }

    /// Stores a new snapshot key.
    package static func insert(
        _ row: SnapshotKeyRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.snapshot_keys (
                key_id, public_key, sealed_key, state, not_before, not_after
            ) VALUES (
                \(row.keyID), \(row.publicKey), \(row.sealedKey), \(row.state),
                \(row.notBefore), \(row.notAfter)
            )
            """
        )
    }

    /// Moves a snapshot key on in its life.
    package static func set(
        snapshotKey keyID: String,
        to state: AuthorityRow.State,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "UPDATE turnpike.snapshot_keys SET state = \(state) WHERE key_id = \(keyID)"
        )
    }

    /// All snapshot keys that can be read, the oldest first.
    package static func snapshotKeys(
        guardedBy rowGuard: RowGuard,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [SnapshotKeyRow] {
        try await transaction.query(
            """
            SELECT key_id, public_key, sealed_key, state, not_before, not_after
            FROM turnpike.snapshot_keys ORDER BY created_at, key_id LIMIT 1000
            """
        ).items { row throws(PostgresError) in
            try rowGuard.legible(row, of: "snapshot_keys", keyColumns: ["key_id"]) {
                () throws(PostgresError) in
                SnapshotKeyRow(
                    keyID: try row.decode("key_id"),
                    publicKey: try row.decode("public_key"),
                    sealedKey: try row.decode("sealed_key"),
                    state: try row.decode("state"),
                    notBefore: try row.decode("not_before"),
                    notAfter: try row.decode("not_after")
                )
            }
        }
    }
}
