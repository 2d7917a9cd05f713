package import Crypto
package import Mesh
package import Store
package import Wire

/// A certificate with the chain that a TLS peer sends, leaf first, without the root.
package struct IssuedCertificate: Sendable, Equatable {
    /// DER.
    package let chain: [[UInt8]]
    package let notAfter: Timestamp
}

/// Whose certificate shall be issued: every name comes from what is known of the mesh, never from
/// a request.
package struct CertificateOrder: Sendable {
    /// Whose kind it is.
    package let kind: CertificateRow.Kind
    /// The one URI name.
    package let id: SPIFFEID
    /// The DNS names beside it.
    package let dnsNames: [String]
    /// Who asked, or will hold it.
    package let agent: AgentName?
    /// The service, if it is one's.
    package let service: ServiceName?
    package let lifetime: Duration

    /// The certificate of a service on an agent.
    package static func service(
        _ service: Service,
        on agent: AgentName,
        in trustDomain: TrustDomain
    ) -> CertificateOrder {
        CertificateOrder(
            kind: .service,
            id: SPIFFEID(service: service.name, in: trustDomain),
            dnsNames: [MeshName(service: service.name, trustDomain: trustDomain).text],
            agent: agent,
            service: service.name,
            lifetime: service.leafLifetime
        )
    }

    /// An agent's own certificate.
    package static func agent(
        _ agent: AgentName,
        in trustDomain: TrustDomain
    ) -> CertificateOrder {
        CertificateOrder(
            kind: .agent,
            id: SPIFFEID(agent: agent, in: trustDomain),
            dnsNames: [],
            agent: agent,
            service: nil,
            lifetime: AuthorityLifetimes.agent
        )
    }

    /// A replica's certificate on the agent port and under the enrolment name.
    package static func server(
        _ server: ServerName,
        in trustDomain: TrustDomain
    ) -> CertificateOrder {
        CertificateOrder(
            kind: .server,
            id: SPIFFEID(server: server, in: trustDomain),
            dnsNames: ["server", "enroll"].map { "\($0).\(trustDomain)" },
            agent: nil,
            service: nil,
            lifetime: AuthorityLifetimes.server
        )
    }

    /// The first second of a certificate that is issued now.
    package static func start(now: Timestamp) -> Timestamp {
        now - AuthorityLifetimes.backdating
    }

    /// Signs it for a key whose holder proved to have it; `above` are the CAs between the issuer
    /// and its root, which peers need as well.
    ///
    /// Throws `unavailable` where the issuer itself ends too soon.
    package func issued(
        by issuer: CertificateAuthority,
        above: [[UInt8]] = [],
        for key: PublicKey,
        now: Timestamp,
        serialBytes: [UInt8]
    ) throws -> IssuedCertificate {
        guard
            let end = AuthorityLifetimes.leafEnd(
                now: now,
                lifetime: lifetime,
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
        let certificate = try issuer.issue(
            CertificateTemplate(
                serialBytes: serialBytes,
                notBefore: Self.start(now: now),
                notAfter: end,
                purpose: .leaf(spiffeID: id.description, dnsNames: dnsNames)
            ),
            for: key
        )
        return IssuedCertificate(
            chain: [certificate, issuer.certificate.encoded] + above,
            notAfter: end
        )
    }
}
