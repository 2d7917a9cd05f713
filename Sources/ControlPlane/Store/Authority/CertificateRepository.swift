package import Mesh
package import Postgres
package import Wire

/// A certificate that was issued.
package struct CertificateRow: Equatable, Sendable {
    /// Whose certificate it is.
    package enum Kind: String, Equatable, Sendable, PostgresCodable {
        case service, agent, server
    }

    package let serial: [UInt8]
    package let kind: Kind
    package let spiffeID: String
    /// The agent that asked for it; nil for a server's.
    package let agent: AgentName?
    package let service: ServiceName?
    package let issuer: UUIDv7
    package let spkiHash: [UInt8]
    package let notBefore: Timestamp
    package let notAfter: Timestamp
    package var revokedAt: Timestamp?
    /// Why it was revoked, for people.
    package var revocationReason: String?

    package init(
        serial: [UInt8],
        kind: Kind,
        spiffeID: String,
        agent: AgentName?,
        service: ServiceName?,
        issuer: UUIDv7,
        spkiHash: [UInt8],
        notBefore: Timestamp,
        notAfter: Timestamp
    ) {
        self.serial = serial
        self.kind = kind
        self.spiffeID = spiffeID
        self.agent = agent
        self.service = service
        self.issuer = issuer
        self.spkiHash = spkiHash
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// Every certificate that was issued.
package enum CertificateRepository {
    private static let select: SQL = """
        SELECT serial, kind, spiffe_id, agent, namespace, service, issuer, spki_sha256,
            not_before, not_after, revoked_at, revocation_reason
        FROM turnpike.certificates
        """

    /// Records an issuance; called in the transaction before the certificate is handed out.
    package static func insert(
        _ row: CertificateRow,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.certificates (
                serial, kind, spiffe_id, agent, namespace, service, issuer, spki_sha256,
                not_before, not_after
            ) VALUES (
                \(row.serial), \(row.kind), \(row.spiffeID), \(row.agent?.text ?? ""),
                \(row.service?.namespace.text ?? ""), \(row.service?.name.text ?? ""),
                \(row.issuer), \(row.spkiHash), \(row.notBefore), \(row.notAfter)
            )
            """
        )
    }

    /// Marks the agent certificates of an agent as revoked, but for those of one key.
    package static func revokeAgent(
        _ agent: AgentName,
        keeping spkiHash: [UInt8]?,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            UPDATE turnpike.certificates SET revoked_at = now()
            WHERE agent = \(agent.text) AND kind = 'agent' AND revoked_at IS NULL
            AND not_after > now() AND spki_sha256 <> \(spkiHash ?? [])
            """
        )
    }

    /// The certificate of a serial number.
    package static func find(
        _ serial: [UInt8],
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> CertificateRow? {
        try await transaction.query("\(fragment: select) WHERE serial = \(serial)")
            .items { row throws(PostgresError) in try read(row) }.first
    }

    /// One page, the latest first.
    package static func list(
        spiffeID: String?,
        agent: AgentName?,
        after: String?,
        limit: Int,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> Page<CertificateRow> {
        let ofID: SQL = spiffeID.map { "AND spiffe_id = \($0)" } ?? ""
        let ofAgent: SQL = agent.map { "AND agent = \($0.text)" } ?? ""
        let bounds = PageBounds(after: nil, limit: limit)
        let place = after.flatMap { try? Hex.decode($0) }
        let behind: SQL =
            place.map {
                """
                AND (issued_at, serial) <
                    (SELECT issued_at, serial FROM turnpike.certificates WHERE serial = \($0))
                """
            } ?? ""
        let rows = try await transaction.query(
            """
            \(fragment: select)
            WHERE true \(fragment: ofID) \(fragment: ofAgent) \(fragment: behind)
            ORDER BY issued_at DESC, serial DESC LIMIT \(bounds.rowLimit)
            """
        )
        return try bounds.page(
            rows,
            key: { row throws(PostgresError) in
                Hex.encode(try row.decode("serial", as: [UInt8].self))
            },
            { row throws(PostgresError) in try read(row) }
        )
    }

    private static func read(_ row: Row) throws(PostgresError) -> CertificateRow {
        let agent: String = try row.decode("agent")
        let service: String = try row.decode("service")
        var certificate = CertificateRow(
            serial: try row.decode("serial"),
            kind: try row.decode("kind"),
            spiffeID: try row.decode("spiffe_id"),
            agent: agent.isEmpty ? nil : try row.label("agent"),
            service: service.isEmpty ? nil : try row.serviceName("namespace", "service"),
            issuer: try row.decode("issuer"),
            spkiHash: try row.decode("spki_sha256"),
            notBefore: try row.decode("not_before"),
            notAfter: try row.decode("not_after")
        )
        certificate.revokedAt = try row.decodeIfPresent("revoked_at")
        certificate.revocationReason = try row.decodeIfPresent("revocation_reason")
        return certificate
    }
}
