import Crypto
import Mesh
import Snapshot
import Store
import Wire

extension Rotations {
    func prepareRoot(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Outcome {
        let certificate: [UInt8]
        if let row = state.preparedOwnRoot(of: control.trustDomain) {
            certificate = row.certificate
        } else {
            let made = try FoundedAuthority.meshRoot(
                of: control.trustDomain,
                now: change.at,
                randomBytes: control.surroundings.randomBytes
            )
            let root = try row(.root, .prepared, issuer: nil, made, change)
            try await AuthorityRepository.insert(root, in: change.database)
            let below = try intermediate(of: made.authority, change)
            try await AuthorityRepository.insert(
                try row(.intermediate, .prepared, issuer: root.id, below, change),
                in: change.database
            )
            certificate = root.certificate
        }
        let name = SHA256.digest(of: certificate)
        return try state.proposing(
            [.addRoot(certificate)],
            at: change.at,
            "root \(name) is prepared: sign and submit the proposal, then activate",
            otherwise: "root \(name) is announced already: activate it"
        )
    }

    func activateRoot(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Outcome {
        guard let row = state.announcedRoot,
            let since = state.firstVersion(naming: row.certificate)
        else {
            throw Self.notAnnounced("root")
        }
        let name = SHA256.digest(of: row.certificate)
        var outcome = try state.proposing(
            [.activateRoot(name)],
            at: change.at,
            "root \(name) signs once the signed proposal is submitted",
            otherwise: "root \(name) signs already"
        )
        outcome.notAcknowledged = try await AgentStateRepository.enrolled(
            behindTrust: Int64(clamping: since),
            in: change.database
        )
        return outcome
    }

    /// Takes the roots out that sign no more, or else those that were announced and never signed.
    ///
    /// Never both at once, for one may be on its way in while another one goes.
    func retireRoots(_ state: RotationState, _ change: ChangeTransaction) throws -> Outcome {
        func roots(_ wanted: TrustDocument.Authority.State) -> [SHA256Digest] {
            state.document.authorities.filter { $0.state == wanted }
                .map { SHA256.digest(of: $0.certificate) }
        }
        let retiring = roots(.retiring)
        let announced = roots(.next)
        let names = announced.map(\.hex).joined(separator: ", ")
        return try state.proposing(
            (retiring.isEmpty ? announced : retiring).map(TrustChange.removeRoot),
            at: change.at,
            retiring.isEmpty
                ? "root \(names), announced and never activated, is given up once the signed"
                    + " proposal is submitted"
                : "roots that sign no more are taken out once the signed proposal is submitted",
            otherwise: "there is nothing to retire: every root of the trust document signs"
        )
    }

    /// A new intermediate under the root that signs; nobody has to be told, for peers show it.
    func replaceIntermediate(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Outcome {
        guard let root = state.authorities.first(where: { $0.kind == .root && $0.state == .active })
        else { throw AuthorityFault("there is no active root") }
        guard !root.sealedKey.isEmpty else {
            throw ControlError.conflict(
                Complaint(
                    "rotation.root_outside",
                    "the key of the root is outside: make a request with `turnpike ca csr`, have it"
                        + " signed there, and bring the certificate with `turnpike ca import`; or go"
                        + " back to a root of the server's own with `turnpike rotate root prepare`"
                )
            )
        }
        let key = try AuthoritySealing.open(
            root.sealedKey,
            for: AuthoritySealing.purpose(.root),
            at: AuthoritySealing.place(root.id),
            control
        )
        let signer = try CertificateAuthority(
            certificate: try Certificate(der: root.certificate),
            key: key
        )
        let made = try intermediate(of: signer, change)
        for other in state.authorities where other.kind == .intermediate && other.state == .active {
            try await AuthorityRepository.set(other.id, to: .retired, in: change.database)
        }
        let row = try row(.intermediate, .active, issuer: root.id, made, change)
        try await AuthorityRepository.insert(row, in: change.database)
        change.record(.trust, key: "intermediate", .update)
        return Outcome(
            summary: "intermediate \(SHA256.digest(of: row.certificate)) signs from now on, until"
                + " \(row.notAfter.rfc3339)",
            revision: change.revision
        )
    }

    /// An intermediate of our own under a root whose key is here.
    func intermediate(
        of root: CertificateAuthority,
        _ change: ChangeTransaction
    ) throws -> FoundedAuthority.Issuer {
        let key = try SigningKey.generate(.ecdsaP256)
        let made = try root.intermediate(
            CertificateTemplate(
                serialBytes: control.surroundings.randomBytes(
                    CertificateTemplate.serialByteCount
                ),
                notBefore: change.at - AuthorityLifetimes.backdating,
                notAfter: min(
                    change.at + AuthorityLifetimes.intermediate,
                    root.certificate.notAfter
                ),
                subject: DistinguishedName(commonName: "Turnpike mesh intermediate"),
                purpose: .intermediate(trustDomain: control.trustDomain.text)
            ),
            key: key
        )
        return FoundedAuthority.Issuer(authority: made, key: key)
    }

    /// A row of what was made, with its key sealed for it.
    func row(
        _ kind: AuthorityRow.Kind,
        _ state: AuthorityRow.State,
        issuer: UUIDv7?,
        _ made: FoundedAuthority.Issuer,
        chain: [[UInt8]] = [],
        _ change: ChangeTransaction
    ) throws -> AuthorityRow {
        let id = control.surroundings.makeID(change.at)
        return AuthorityRow(
            id: id,
            kind: kind,
            state: state,
            issuer: issuer,
            certificate: made.authority.certificate.encoded,
            chain: chain,
            sealedKey: try AuthoritySealing.seal(made.key, kind: kind, id: id, control),
            notBefore: made.authority.certificate.notBefore,
            notAfter: made.authority.certificate.notAfter
        )
    }
}
