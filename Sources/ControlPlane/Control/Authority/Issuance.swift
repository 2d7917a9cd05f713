package import Crypto
package import Mesh
import Snapshot
import Store
import Wire

/// Signs: every name comes from the database, a request gives only the public key.
///
/// Each issuance is recorded in the same transaction as its audit record, before the certificate
/// is handed out.
package struct Issuance: Sendable {
    /// The most certificates of one service that an agent may hold before they have ended.
    package static let liveLeavesMax = 256
    /// When an agent with too many may ask again.
    static let liveLeavesPause = Duration.seconds(60)

    let control: ControlPlane
    let authority: Authority

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
    }

    /// The certificate of the CA that signs now.
    package var issuer: Certificate { authority.intermediate.certificate }

    /// A certificate for a service that is placed on the agent that asks.
    ///
    /// `serialNumber` is that of the certificate which the agent's connection showed: a connection
    /// that outlived a change of the agent's key gets nothing more. Nil where there is none.
    package func issueServiceLeaf(
        _ service: ServiceName,
        for agent: AgentName,
        connectedWith serialNumber: [UInt8]? = nil,
        request: [UInt8],
        by caller: Caller
    ) async throws(ControlError) -> IssuedCertificate {
        try authority.allowances.take(for: agent, now: control.surroundings.instant())
        let key = try publicKey(of: request)
        let id = SPIFFEID(service: service, in: control.trustDomain)
        return try await control.act(
            caller,
            action: "certificate.issue",
            resource: "ca/certificates/\(id)"
        ) { act in
            try await RevocationRepository.lockForIssuance(
                of: service,
                to: agent,
                in: act.database
            )
            if let revoked = try await RevocationRepository.find(service, in: act.database) {
                throw ControlError.forbidden(Revocations.complaint(about: revoked))
            }
            let host = try await AgentRepository.find(
                agent,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard let host, host.value.state == .enrolled,
                try await isCurrent(serialNumber, of: host.value, act)
            else {
                throw ControlError.forbidden(
                    Complaint(
                        "agent.not_enrolled",
                        "\(agent) is not enrolled with this key; join again"
                    )
                )
            }
            // Whoever breaks into a host must not be able to make its revocation too long to be told.
            let held = try await RevocationRepository.liveCount(
                of: service,
                on: agent,
                limit: Self.liveLeavesMax,
                in: act.database
            )
            guard held < Self.liveLeavesMax else {
                throw ControlError.tooMany(
                    Complaint(
                        "certificate.too_many",
                        "\(agent) holds \(held) certificates of \(service) that have not ended; keep"
                            + " the one that was issued until its renewal"
                    ),
                    retryAfter: Self.liveLeavesPause
                )
            }
            let placements = try await PlacementRepository.find(
                [Placement(service: service, agent: agent)],
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard !placements.isEmpty else {
                throw ControlError.forbidden(
                    Complaint(
                        "certificate.not_placed",
                        "\(service) is not placed on \(agent); create the placement first"
                    )
                )
            }
            let stored = try await ServiceRepository.find(
                [service],
                guardedBy: control.rowGuard,
                in: act.database
            ).first
            guard let stored else {
                throw ControlError.notFound(
                    Complaint("service.not_found", "there is no service \(service)")
                )
            }
            return try await issue(
                .service(stored.value, on: agent, in: control.trustDomain),
                key,
                act
            )
        }
    }

    /// Whether a connection still shows the key that the agent is enrolled with.
    private func isCurrent(
        _ serialNumber: [UInt8]?,
        of agent: AgentRow,
        _ act: AuditedTransaction
    ) async throws -> Bool {
        guard let serialNumber else { return true }
        let shown = try await CertificateRepository.find(serialNumber, in: act.database)
        guard let shown else { return false }
        return shown.kind == .agent && shown.agent == agent.name && shown.revokedAt == nil
            && shown.spkiHash == agent.spkiHash
    }

    /// An agent's own certificate for the key that it proved to hold, in a transaction that
    /// already checked its right to it.
    func issueAgentLeaf(
        _ agent: AgentName,
        for key: PublicKey,
        in act: AuditedTransaction
    ) async throws -> IssuedCertificate {
        try await issue(
            .agent(agent, in: control.trustDomain),
            key,
            act
        )
    }

    /// This replica's certificate on the agent port and under the enrolment name.
    package func issueServerLeaf(
        for key: SigningKey
    ) async throws(ControlError) -> IssuedCertificate {
        let order = CertificateOrder.server(control.serverName, in: control.trustDomain)
        return try await control.act(
            control.server,
            action: "certificate.issue",
            resource: "ca/certificates/\(order.id)"
        ) { act in
            try await issue(order, key.publicKey, act)
        }
    }

    /// A certificate of the API, under its own root; in no trust document and in no table.
    package func issueAPILeaf(
        for key: SigningKey,
        names: [GeneralName]
    ) throws(ControlError) -> IssuedCertificate {
        let now = control.now()
        let end = now + AuthorityLifetimes.server
        do {
            let certificate = try authority.apiRoot.issue(
                CertificateTemplate(
                    serialBytes: serial(),
                    notBefore: now - AuthorityLifetimes.backdating,
                    notAfter: end,
                    purpose: .peer(names: names, roles: [.server])
                ),
                for: key.publicKey
            )
            return IssuedCertificate(chain: [certificate], notAfter: end)
        } catch {
            throw .faulted(Complaint("certificate.failed", "the API's certificate: \(error)"))
        }
    }

    /// The key of a request whose sender proved that it holds the private half.
    func publicKey(of request: [UInt8]) throws(ControlError) -> PublicKey {
        do throws(CryptoError) {
            let key = try CertificateSigningRequest(verifying: request).publicKey
            guard key.kind == .ecdsaP256 else {
                throw CryptoError.unsupported(field: "CSR", problem: "the key must be P-256")
            }
            return key
        } catch {
            throw .invalid("certificate.request", field: "csr", "\(error)")
        }
    }

    private func issue(
        _ order: CertificateOrder,
        _ key: PublicKey,
        _ act: AuditedTransaction
    ) async throws -> IssuedCertificate {
        let (issuer, above, issuerID) = authority.issuer
        let issued = try order.issued(
            by: issuer,
            above: above,
            for: key,
            now: act.at,
            serialBytes: serial()
        )
        let recorded = try Certificate(der: issued.chain.first ?? []).serialNumber
        try await CertificateRepository.insert(
            CertificateRow(
                serial: recorded,
                kind: order.kind,
                spiffeID: order.id.description,
                agent: order.agent,
                service: order.service,
                issuer: issuerID,
                spkiHash: key.keyID.bytes,
                notBefore: CertificateOrder.start(now: act.at),
                notAfter: issued.notAfter
            ),
            in: act.database
        )
        act.describe(
            Document.fields([
                "serial": .string(Hex.encode(recorded)),
                "not_after": .timestamp(issued.notAfter),
            ])
        )
        return issued
    }

    private func serial() -> [UInt8] {
        control.surroundings.randomBytes(CertificateTemplate.serialByteCount)
    }
}
