package import Crypto
package import Mesh
import Snapshot
import Store
package import Wire

/// A certificate with the chain that a TLS peer sends, leaf first, without the root.
package struct IssuedCertificate: Sendable, Equatable {
    /// DER.
    package let chain: [[UInt8]]
    package let notAfter: Timestamp
}

/// Signs: every name comes from the database, a request gives only the public key.
///
/// Each issuance is recorded in the same transaction as its audit record, before the certificate
/// is handed out.
package struct Issuance: Sendable {
    let control: ControlPlane
    let authority: Authority

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
    }

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
            let host = try await AgentRepository.find(agent, in: act.database)
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
            let stored =
                try await ServiceRepository.find([service], in: act.database).first
            guard let stored else {
                throw ControlError.notFound(
                    Complaint("service.not_found", "there is no service \(service)")
                )
            }
            return try await issue(
                .init(
                    kind: .service,
                    id: id,
                    dnsNames: [MeshName(service: service, trustDomain: control.trustDomain).text],
                    agent: agent,
                    service: service,
                    lifetime: stored.value.leafLifetime
                ),
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
            .init(
                kind: .agent,
                id: SPIFFEID(agent: agent, in: control.trustDomain),
                dnsNames: [],
                agent: agent,
                service: nil,
                lifetime: AuthorityLifetimes.agent
            ),
            key,
            act
        )
    }

    /// This replica's certificate on the agent port and under the enrolment name.
    package func issueServerLeaf(
        for key: SigningKey
    ) async throws(ControlError) -> IssuedCertificate {
        let id = SPIFFEID(server: control.serverName, in: control.trustDomain)
        let names = ["server", "enroll"].map { "\($0).\(control.trustDomain)" }
        return try await control.act(
            control.server,
            action: "certificate.issue",
            resource: "ca/certificates/\(id)"
        ) { act in
            try await issue(
                .init(
                    kind: .server,
                    id: id,
                    dnsNames: names,
                    agent: nil,
                    service: nil,
                    lifetime: AuthorityLifetimes.server
                ),
                key.publicKey,
                act
            )
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

    private struct Order {
        let kind: CertificateRow.Kind
        let id: SPIFFEID
        let dnsNames: [String]
        let agent: AgentName?
        let service: ServiceName?
        let lifetime: Duration
    }

    private func issue(
        _ order: Order,
        _ key: PublicKey,
        _ act: AuditedTransaction
    ) async throws -> IssuedCertificate {
        let issuer = authority.intermediate
        guard
            let end = AuthorityLifetimes.leafEnd(
                now: act.at,
                lifetime: order.lifetime,
                issuerEnd: issuer.certificate.notAfter
            )
        else {
            throw ControlError.unavailable(
                Complaint(
                    "certificate.issuer_ends",
                    "the intermediate ends at \(issuer.certificate.notAfter): rotate it"
                )
            )
        }
        let serial = serial()
        let start = act.at - AuthorityLifetimes.backdating
        let certificate = try issuer.issue(
            CertificateTemplate(
                serialBytes: serial,
                notBefore: start,
                notAfter: end,
                purpose: .leaf(spiffeID: order.id.description, dnsNames: order.dnsNames)
            ),
            for: key
        )
        let recorded = try Certificate(der: certificate).serialNumber
        try await CertificateRepository.insert(
            CertificateRow(
                serial: recorded,
                kind: order.kind,
                spiffeID: order.id.description,
                agent: order.agent,
                service: order.service,
                issuer: authority.intermediateID,
                spkiHash: key.keyID.bytes,
                notBefore: start,
                notAfter: end
            ),
            in: act.database
        )
        act.describe(
            Document.fields([
                "serial": .string(Hex.encode(recorded)),
                "not_after": .timestamp(end),
            ])
        )
        return IssuedCertificate(
            chain: [certificate, issuer.certificate.encoded],
            notAfter: end
        )
    }

    private func serial() -> [UInt8] {
        control.surroundings.randomBytes(CertificateTemplate.serialByteCount)
    }
}
