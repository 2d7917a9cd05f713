import Crypto
package import Mesh
import Snapshot
import Store
package import Wire

/// Who signs for the mesh and what was signed, as the API shows it.
package struct AuthorityView: Sendable {
    let control: ControlPlane
    let authority: Authority

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
    }

    /// The trust domain, its roots and intermediates, and the trust document that holds now.
    package func document() throws(ControlError) -> Document {
        guard let trust = authority.trust else { throw Self.noTrust }
        var roots: [Document] = []
        for root in trust.document.authorities {
            guard let certificate = try? Certificate(der: root.certificate) else { continue }
            roots.append(document(certificate, state: root.state.rawValue))
        }
        return Document.fields([
            "trust_domain": .string(control.trustDomain.text),
            "roots": .list(roots),
            "root_key": .string(authority.isRootOutside ? "outside" : "here"),
            "intermediates": .list([
                document(authority.intermediate.certificate, state: "active")
            ]),
            "trust_document": Self.document(trust),
        ])
    }

    /// One page of issued certificates, the latest first.
    package func certificates(
        spiffeID: String?,
        agent: AgentName?,
        after: String?,
        limit: Int
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        if let after, (try? Hex.decode(after)) == nil {
            throw .invalid("request.query", field: "after", "must be `next` of the page before")
        }
        let page = try await control.read { database in
            try await CertificateRepository.list(
                spiffeID: spiffeID,
                agent: agent,
                after: after,
                limit: limit,
                in: database
            )
        }
        return (page.items.map(\.document), page.next)
    }

    static var noTrust: ControlError {
        .faulted(Complaint("authority.inconsistent", "there is no trust document"))
    }

    private func document(_ certificate: Certificate, state: String) -> Document {
        let share = AuthorityLifetimes.share(of: certificate, at: control.now())
        return .fields([
            "state": .string(state),
            "zone": .string(LifeZone(share: share).rawValue),
            "certificate": .string(certificate.pem),
            "sha256": .string(certificate.fingerprint.hex),
            "not_before": .timestamp(certificate.notBefore),
            "not_after": .timestamp(certificate.notAfter),
        ])
    }

    private static func document(_ trust: TrustAnchor) -> Document {
        let keys: [Document] = trust.document.snapshotKeys.map { key in
            .fields([
                "key_id": .string(key.key.keyID.hex),
                "not_before": .timestamp(key.notBefore),
                "not_after": .timestamp(key.notAfter),
            ])
        }
        return .fields([
            "version": .number(trust.document.version),
            "epoch": .number(trust.document.epoch),
            "hash": .string(trust.hash.hex),
            "issued": .timestamp(trust.document.issued),
            "snapshot_keys": .list(keys),
            "trust_keys": .list(trust.document.trustKeys.map(\.keyID.hex)),
            "threshold": .number(trust.document.threshold),
        ])
    }
}

extension CertificateRow {
    var document: Document {
        .fields([
            "serial": .string(Hex.encode(serial)),
            "kind": .string(kind.rawValue),
            "spiffe_id": .string(spiffeID),
            "agent": agent.map { .string($0.text) } ?? .null,
            "service": service.map { .string($0.description) } ?? .null,
            "issuer": .string(issuer.description),
            "key_sha256": .string(Hex.encode(spkiHash)),
            "not_before": .timestamp(notBefore),
            "not_after": .timestamp(notAfter),
            "revoked_at": revokedAt.map(Document.timestamp) ?? .null,
            "revocation_reason": revocationReason.map(Document.string) ?? .null,
        ])
    }
}
