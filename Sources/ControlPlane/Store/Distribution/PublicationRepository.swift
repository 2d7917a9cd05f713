package import Crypto
package import Mesh
package import Postgres
package import Wire

/// The snapshot that was signed for an agent last.
package struct PublishedManifest: Equatable, Sendable {
    package let agent: AgentName
    package let epoch: Int64
    package let revision: Int64
    package let hash: SHA256Digest
    /// What must be the same at the same revision.
    package let sectionsHash: SHA256Digest
    package let sectionHashes: [SHA256Digest]
    /// The signed envelope.
    package let envelope: [UInt8]
    package let issuedAt: Timestamp
    package let expiresAt: Timestamp

    package init(
        agent: AgentName,
        epoch: Int64,
        revision: Int64,
        hash: SHA256Digest,
        sectionsHash: SHA256Digest,
        sectionHashes: [SHA256Digest],
        envelope: [UInt8],
        issuedAt: Timestamp,
        expiresAt: Timestamp
    ) {
        self.agent = agent
        self.epoch = epoch
        self.revision = revision
        self.hash = hash
        self.sectionsHash = sectionsHash
        self.sectionHashes = sectionHashes
        self.envelope = envelope
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }
}

/// A section as it is stored.
package struct PublishedSection: Equatable, Sendable {
    package let hash: SHA256Digest
    package let kind: String
    package let name: String
    package let bytes: [UInt8]

    package init(hash: SHA256Digest, kind: String, name: String, bytes: [UInt8]) {
        self.hash = hash
        self.kind = kind
        self.name = name
        self.bytes = bytes
    }
}

/// Manifests and sections, stored before they are shown to anybody.
package enum PublicationRepository {
    /// The manifests of these agents, as far as there are any.
    package static func manifests(
        of agents: [AgentName],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [PublishedManifest] {
        guard !agents.isEmpty else { return [] }
        return try await transaction.query(
            """
            SELECT agent, epoch, revision, hash, sections_hash, section_hashes, envelope,
                issued_at, expires_at
            FROM turnpike.manifests WHERE agent = ANY(\(agents.map(\.text)))
            """
        ).items(read)
    }

    /// Stores sections that are not stored yet.
    package static func store(
        _ sections: [PublishedSection],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        guard !sections.isEmpty else { return }
        try await transaction.query(
            """
            INSERT INTO turnpike.sections (hash, kind, name, bytes)
            SELECT * FROM unnest(
                \(sections.map(\.hash.bytes)), \(sections.map(\.kind)), \(sections.map(\.name)),
                \(sections.map(\.bytes))
            )
            ON CONFLICT (hash) DO NOTHING
            """
        )
    }

    /// Stores manifests, each agent's at most once, unless a newer one is there.
    ///
    /// - Returns: the agents whose manifest is stored now.
    package static func put(
        _ manifests: [PublishedManifest],
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Set<AgentName> {
        guard !manifests.isEmpty else { return [] }
        // Arrays of one length only can be unnested side by side, so those of the sections travel
        // as texts. Rows are locked in the order of the agents, whoever else stores some.
        let rows = try await transaction.query(
            """
            INSERT INTO turnpike.manifests (
                agent, epoch, revision, hash, sections_hash, section_hashes, envelope, issued_at,
                expires_at
            )
            SELECT agents.name, row.epoch, row.revision, row.hash, row.sections_hash,
                row.section_hashes::bytea[], row.envelope, row.issued_at, row.expires_at
            FROM unnest(
                \(manifests.map(\.agent.text)), \(manifests.map(\.epoch)),
                \(manifests.map(\.revision)), \(manifests.map(\.hash.bytes)),
                \(manifests.map(\.sectionsHash.bytes)),
                \(manifests.map { Self.arrayText($0.sectionHashes) }),
                \(manifests.map(\.envelope)), \(manifests.map(\.issuedAt)),
                \(manifests.map(\.expiresAt))
            ) AS row (
                agent, epoch, revision, hash, sections_hash, section_hashes, envelope, issued_at,
                expires_at
            )
            JOIN turnpike.agents ON agents.name = row.agent
            ORDER BY agents.name
            ON CONFLICT (agent) DO UPDATE SET epoch = excluded.epoch,
                revision = excluded.revision, hash = excluded.hash,
                sections_hash = excluded.sections_hash,
                section_hashes = excluded.section_hashes, envelope = excluded.envelope,
                issued_at = excluded.issued_at, expires_at = excluded.expires_at
            WHERE (manifests.epoch, manifests.revision, manifests.issued_at)
                < (excluded.epoch, excluded.revision, excluded.issued_at)
            RETURNING agent
            """
        )
        return Set(try rows.items { row throws(PostgresError) in try row.label("agent") })
    }

    /// A literal of type bytea[], such as `{"\\x00ff"}`.
    private static func arrayText(_ hashes: [SHA256Digest]) -> String {
        "{" + hashes.map { #""\\x\#($0.hex)""# }.joined(separator: ",") + "}"
    }

    /// The statement that removes a manifest as it was read.
    package static func remove(_ manifest: PublishedManifest) -> SQL {
        """
        DELETE FROM turnpike.manifests
        WHERE agent = \(manifest.agent.text) AND hash = \(manifest.hash.bytes)
        """
    }

    /// Removes sections that no manifest names and that are older than a day.
    ///
    /// - Returns: how many there were.
    package static func collectSections(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Int {
        try await transaction.execute(
            """
            DELETE FROM turnpike.sections
            WHERE created_at < now() - interval '1 day' AND hash NOT IN (
                SELECT unnest(section_hashes) FROM turnpike.manifests
            )
            """
        )
    }

    private static func read(_ row: Row) throws(PostgresError) -> PublishedManifest? {
        let hashes: [[UInt8]] = try row.decode("section_hashes")
        return PublishedManifest(
            agent: try row.label("agent"),
            epoch: try row.decode("epoch"),
            revision: try row.decode("revision"),
            hash: try row.digest("hash"),
            sectionsHash: try row.digest("sections_hash"),
            sectionHashes: hashes.compactMap { SHA256Digest($0) },
            envelope: try row.decode("envelope"),
            issuedAt: try row.decode("issued_at"),
            expiresAt: try row.decode("expires_at")
        )
    }
}

extension Row {
    func digest(_ column: String) throws(PostgresError) -> SHA256Digest {
        let bytes: [UInt8] = try decode(column)
        guard let digest = SHA256Digest(bytes) else {
            throw .undecodable(column: column, type: .bytea, .wrongLength)
        }
        return digest
    }
}
