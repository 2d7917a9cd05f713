import Crypto
import Mesh
import Snapshot
import Store
import Wire

/// Makes the authority of a new cluster: roots, intermediate, snapshot key, first trust document.
package struct AuthorityFounding: Sendable {
    /// Writes the trust key (PKCS#8 PEM), which is kept nowhere else and never read again here.
    ///
    /// It may be called again when the database asks for the transaction anew; the last call
    /// counts.
    package let writeTrustKey: @Sendable (String) throws -> Void

    package init(writeTrustKey: @escaping @Sendable (String) throws -> Void) {
        self.writeTrustKey = writeTrustKey
    }

    /// The step for `FirstStart`.
    package var step: FirstStart.Step {
        { control, change in try await found(control, change) }
    }

    private func found(_ control: ControlPlane, _ change: ChangeTransaction) async throws {
        let random = control.surroundings.randomBytes
        let trustDomain = control.trustDomain
        let (rootRow, root) = try makeRoot(.root, "Turnpike mesh root", control, at: change.at)
        let (apiRow, _) = try makeRoot(.api, "Turnpike API root", control, at: change.at)
        let intermediateKey = try SigningKey.generate(.ecdsaP256)
        let intermediate = try root.intermediate(
            CertificateTemplate(
                serialBytes: random(CertificateTemplate.serialByteCount),
                notBefore: change.at - AuthorityLifetimes.backdating,
                notAfter: change.at + AuthorityLifetimes.intermediate,
                subject: DistinguishedName(commonName: "Turnpike mesh intermediate"),
                purpose: .intermediate(trustDomain: trustDomain.text)
            ),
            key: intermediateKey
        )
        let intermediateRow = try row(
            .intermediate,
            issuer: rootRow.id,
            intermediate.certificate,
            intermediateKey,
            control,
            at: change
        )
        for row in [rootRow, intermediateRow, apiRow] {
            try await AuthorityRepository.insert(row, in: change.database)
        }
        let snapshotKey = try await makeSnapshotKey(control, change)
        try await makeTrustDocument(root.certificate, snapshotKey, control, change)
        change.record(.trust, key: "1", .create)
    }

    private func makeRoot(
        _ kind: AuthorityRow.Kind,
        _ name: String,
        _ control: ControlPlane,
        at now: Timestamp
    ) throws -> (AuthorityRow, CertificateAuthority) {
        let key = try SigningKey.generate(.ecdsaP256)
        let authority = try CertificateAuthority.root(
            CertificateTemplate(
                serialBytes: control.surroundings.randomBytes(CertificateTemplate.serialByteCount),
                notBefore: now - AuthorityLifetimes.backdating,
                notAfter: now + AuthorityLifetimes.root,
                subject: DistinguishedName(commonName: "\(name) \(control.trustDomain)"),
                purpose: .root
            ),
            key: key
        )
        let id = control.surroundings.makeID(now)
        let row = AuthorityRow(
            id: id,
            kind: kind,
            state: .active,
            issuer: nil,
            certificate: authority.certificate.encoded,
            sealedKey: try AuthoritySealing.seal(key, kind: kind, id: id, control),
            notBefore: authority.certificate.notBefore,
            notAfter: authority.certificate.notAfter
        )
        return (row, authority)
    }

    private func row(
        _ kind: AuthorityRow.Kind,
        issuer: UUIDv7,
        _ certificate: Certificate,
        _ key: SigningKey,
        _ control: ControlPlane,
        at change: ChangeTransaction
    ) throws -> AuthorityRow {
        let id = control.surroundings.makeID(change.at)
        return AuthorityRow(
            id: id,
            kind: kind,
            state: .active,
            issuer: issuer,
            certificate: certificate.encoded,
            sealedKey: try AuthoritySealing.seal(key, kind: kind, id: id, control),
            notBefore: certificate.notBefore,
            notAfter: certificate.notAfter
        )
    }

    private func makeSnapshotKey(
        _ control: ControlPlane,
        _ change: ChangeTransaction
    ) async throws -> TrustDocument.SnapshotKey {
        let key = try SigningKey.generate(.ed25519)
        let entry = TrustDocument.SnapshotKey(
            key: key.publicKey,
            notBefore: change.at - AuthorityLifetimes.backdating,
            notAfter: change.at + AuthorityLifetimes.snapshotKey
        )
        let keyID = key.publicKey.keyID.hex
        let row = SnapshotKeyRow(
            keyID: keyID,
            publicKey: key.publicKey.spki,
            sealedKey: try AuthoritySealing.sealSnapshotKey(key, keyID: keyID, control),
            state: .active,
            notBefore: entry.notBefore,
            notAfter: entry.notAfter
        )
        try await TrustRepository.insert(row, in: change.database)
        return entry
    }

    private func makeTrustDocument(
        _ root: Certificate,
        _ snapshotKey: TrustDocument.SnapshotKey,
        _ control: ControlPlane,
        _ change: ChangeTransaction
    ) async throws {
        let trustKey = try SigningKey.generate(.ed25519)
        let document = TrustDocument(
            trustDomain: control.trustDomain,
            version: 1,
            epoch: 1,
            authorities: [.init(certificate: root.encoded, state: .active)],
            snapshotKeys: [snapshotKey],
            trustKeys: [trustKey.publicKey],
            threshold: 1,
            issued: change.at
        )
        let envelope = try document.signed(by: [trustKey])
        try await TrustRepository.insert(
            TrustRow(
                version: 1,
                epoch: 1,
                hash: envelope.payloadHash.bytes,
                envelope: envelope.encoded
            ),
            in: change.database
        )
        try writeTrustKey(try trustKey.pem())
    }
}

/// Where the authority's private keys are sealed.
enum AuthoritySealing {
    static func place(_ id: UUIDv7) -> SealedPlace {
        SealedPlace(table: "authorities", column: "sealed_key", key: id.description)
    }

    static func purpose(_ kind: AuthorityRow.Kind) -> Keyring.Purpose {
        switch kind {
        case .root, .intermediate: .ca
        case .api: .api
        }
    }

    static func seal(
        _ key: SigningKey,
        kind: AuthorityRow.Kind,
        id: UUIDv7,
        _ control: ControlPlane
    ) throws -> [UInt8] {
        try control.keyring.seal(
            key.pkcs8(),
            for: purpose(kind),
            at: place(id),
            randomBytes: control.surroundings.randomBytes
        )
    }

    static func snapshotPlace(_ keyID: String) -> SealedPlace {
        SealedPlace(table: "snapshot_keys", column: "sealed_key", key: keyID)
    }

    static func sealSnapshotKey(
        _ key: SigningKey,
        keyID: String,
        _ control: ControlPlane
    ) throws -> [UInt8] {
        try control.keyring.seal(
            key.pkcs8(),
            for: .snapshot,
            at: snapshotPlace(keyID),
            randomBytes: control.surroundings.randomBytes
        )
    }

    static func open(
        _ sealed: [UInt8],
        for purpose: Keyring.Purpose,
        at place: SealedPlace,
        _ control: ControlPlane
    ) throws -> SigningKey {
        try control.keyring.open(sealed, for: purpose, at: place)
            .withBytes { bytes throws(CryptoError) in
                var copy: [UInt8] = []
                for index in 0..<bytes.count { copy.append(bytes[index]) }
                defer { SecretBytes.wipe(&copy) }
                return try SigningKey(pkcs8: copy)
            }
    }
}
