import Crypto
import Mesh
import Snapshot
import Store
import Wire

extension AuthorityImport {
    /// A root with its key: an intermediate of our own is made under it, as under one made here.
    func takeRoot(
        _ brought: ImportedMaterial,
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Rotations.Outcome {
        let certificate = brought.chain.root
        guard let key = brought.key else {
            throw ControlError.invalid(
                "ca.certificate",
                field: "certificate",
                "it is a root: give its private key as well, or what it signed for the request of"
                    + " `turnpike ca csr`"
            )
        }
        let warnings = try brought.check(in: control, at: change.at)
        if let row = state.root(certificate.encoded) {
            guard !row.sealedKey.isEmpty else {
                throw ControlError.conflict(
                    Complaint(
                        "ca.root_outside",
                        "root \(certificate.fingerprint) is here without its key already: go on with"
                            + " requests (`turnpike ca csr`)"
                    )
                )
            }
            return try announcement(of: row, state, change, warnings)
        }
        let made = FoundedAuthority.Issuer(
            authority: try CertificateAuthority(certificate: certificate, key: key),
            key: key
        )
        let root = try rotations.row(.root, .prepared, issuer: nil, made, change)
        let below = try rotations.intermediate(of: made.authority, change)
        try trial(below.authority, [], certificate, at: change.at)
        try await AuthorityRepository.insert(root, in: change.database)
        try await AuthorityRepository.insert(
            try rotations.row(.intermediate, .prepared, issuer: root.id, below, change),
            in: change.database
        )
        return try announcement(of: root, state, change, warnings)
    }

    /// An intermediate whose key was made here for a request, or is brought with it.
    func takeIntermediate(
        _ brought: ImportedMaterial,
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Rotations.Outcome {
        let chain = brought.chain
        if let row = state.authorities.last(where: {
            $0.kind == .intermediate && $0.certificate == chain.issuer.encoded
        }) {
            return try known(row, brought, state, change)
        }
        let key: SigningKey
        if let own = brought.key {
            key = own
        } else {
            key = try requestedKey(try await waiting(change)?.key, for: chain.issuer)
        }
        let warnings = try brought.check(in: control, at: change.at)
        let signer = try CertificateAuthority(certificate: chain.issuer, key: key)
        try trial(signer, chain.above, chain.root, at: change.at)
        var root = state.root(chain.root.encoded)
        if root == nil {
            let row = outside(chain.root, change)
            try await AuthorityRepository.insert(row, in: change.database)
            root = row
        }
        guard let root else { throw AuthorityFault("the root was not stored") }
        let isActive = root.state == .active
        // One that was never used gives way; the one that signs does where this signs at once.
        for other in state.authorities
        where other.kind == .intermediate
            && (other.issuer == root.id && other.state == .prepared
                || isActive && other.state == .active)
        {
            try await AuthorityRepository.set(other.id, to: .retired, in: change.database)
        }
        let row = try rotations.row(
            .intermediate,
            isActive ? .active : .prepared,
            issuer: root.id,
            FoundedAuthority.Issuer(authority: signer, key: key),
            chain: chain.above.map(\.encoded),
            change
        )
        try await AuthorityRepository.insert(row, in: change.database)
        if brought.key == nil { try await AuthorityRequestRepository.clear(in: change.database) }
        guard isActive else { return try announcement(of: root, state, change, warnings) }
        change.record(.trust, key: "intermediate", .update)
        return Rotations.Outcome(
            summary: "intermediate \(chain.issuer.fingerprint) signs from now on, until"
                + " \(row.notAfter.rfc3339): nobody has to be told, its root is trusted",
            revision: change.revision,
            warnings: warnings
        )
    }

    /// The private half of what was asked for, if this is its certificate.
    private func requestedKey(
        _ key: SigningKey?,
        for certificate: Certificate
    ) throws -> SigningKey {
        guard let key else {
            throw ControlError.conflict(
                Complaint(
                    "ca.no_request",
                    "no request waits for a certificate: make one with `turnpike ca csr`, or give the"
                        + " private key as well"
                )
            )
        }
        guard certificate.spki == key.publicKey.spki else {
            throw ControlError.invalid(
                "ca.certificate",
                field: "certificate",
                "its public key is not that of the request that waits (SHA-256"
                    + " \(key.publicKey.keyID)): have the request of `turnpike ca csr` signed"
            )
        }
        return key
    }

    /// What was imported before and is brought again.
    private func known(
        _ row: AuthorityRow,
        _ brought: ImportedMaterial,
        _ state: RotationState,
        _ change: ChangeTransaction
    ) throws -> Rotations.Outcome {
        guard let root = state.authorities.last(where: { $0.id == row.issuer }),
            row.state != .retired
        else {
            throw ControlError.conflict(
                Complaint(
                    "ca.retired",
                    "this intermediate signs no more: have a new request signed (`turnpike ca csr`)"
                )
            )
        }
        if row.state == .active {
            change.audited.conclude(outcome: "unchanged")
            return Rotations.Outcome(
                summary: "intermediate \(SHA256.digest(of: row.certificate)) signs already"
            )
        }
        // Announced is what the caller shows, for nothing but the caller vouches for an outside root.
        guard root.certificate == brought.chain.root.encoded else {
            throw ControlError.conflict(
                Complaint(
                    "ca.other_root",
                    "this intermediate is here already under root"
                        + " \(SHA256.digest(of: root.certificate)): bring the chain to that root, or"
                        + " have a new request signed (`turnpike ca csr --new`)"
                )
            )
        }
        return try announcement(of: root, state, change, [])
    }

    /// The row of a root whose key stays with its owner.
    private func outside(_ root: Certificate, _ change: ChangeTransaction) -> AuthorityRow {
        AuthorityRow(
            id: control.surroundings.makeID(change.at),
            kind: .root,
            state: .prepared,
            issuer: nil,
            certificate: root.encoded,
            sealedKey: [],
            notBefore: root.notBefore,
            notAfter: root.notAfter
        )
    }

    private func announcement(
        of root: AuthorityRow,
        _ state: RotationState,
        _ change: ChangeTransaction,
        _ warnings: [String]
    ) throws -> Rotations.Outcome {
        let name = SHA256.digest(of: root.certificate)
        var outcome = try state.proposing(
            [.addRoot(root.certificate)],
            at: change.at,
            "root \(name) is imported: sign and submit the proposal, then activate it"
                + " (`turnpike rotate root activate`)",
            otherwise: root.state == .active
                ? "root \(name) signs already"
                : "root \(name) is announced already: activate it (`turnpike rotate root activate`)"
        )
        outcome.warnings = warnings
        return outcome
    }

    /// Signs one certificate of each kind that this mesh has, and judges it as a peer does: so what
    /// name constraints forbid comes to light now, and not when agents ask.
    private func trial(
        _ signer: CertificateAuthority,
        _ above: [Certificate],
        _ root: Certificate,
        at time: Timestamp
    ) throws {
        let domain = control.trustDomain
        let service = Service(name: try ServiceName("default/trial"))
        let agent = try AgentName("trial")
        let key = try SigningKey.generate(.ecdsaP256).publicKey
        for order in [
            CertificateOrder.service(service, on: agent, in: domain), .agent(agent, in: domain),
            .server(control.serverName, in: domain),
        ] {
            let issued = try order.issued(
                by: signer,
                for: key,
                now: time,
                serialBytes: control.surroundings.randomBytes(CertificateTemplate.serialByteCount)
            )
            let leaf = try Certificate(der: issued.chain.first ?? [])
            let shown = ([leaf, signer.certificate] + above).reduce(0) { $0 + $1.encoded.count }
            guard shown <= Self.shownBytesMax else {
                throw ControlError.invalid(
                    "ca.certificate",
                    field: "certificate",
                    "peers would refuse a certificate that it signs for \(order.id): with what stands"
                        + " above it there are \(shown) bytes to show, but \(Self.shownBytesMax) may"
                        + " be"
                )
            }
            for role in PeerRole.allCases {
                var question = PathValidator.Question(role: role, time: time)
                question.intermediates = [signer.certificate] + above
                do throws(PathError) {
                    _ = try SVIDValidator(trustDomain: domain.text, roots: [root])
                        .validate(leaf, question)
                } catch {
                    throw ControlError.invalid(
                        "ca.certificate",
                        field: "certificate",
                        "peers would refuse a certificate that it signs for \(order.id)"
                            + (order.dnsNames.isEmpty
                                ? "" : " (\(order.dnsNames.joined(separator: ", ")))")
                            + ": \(error)"
                    )
                }
            }
        }
    }
}

extension RotationState {
    /// The row of a root that is not history.
    fileprivate func root(_ certificate: [UInt8]) -> AuthorityRow? {
        authorities.last {
            $0.kind == .root && $0.certificate == certificate && $0.state != .retired
        }
    }
}
