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
        let made = try FoundedAuthority.found(
            control.trustDomain,
            now: change.at,
            randomBytes: control.surroundings.randomBytes
        )
        let api = try FoundedAuthority.root(
            "Turnpike API root",
            of: control.trustDomain,
            now: change.at,
            randomBytes: control.surroundings.randomBytes
        )
        let root = try row(.root, issuer: nil, made.root, control, at: change)
        let intermediate = try row(
            .intermediate,
            issuer: root.id,
            made.intermediate,
            control,
            at: change
        )
        for row in [root, intermediate, try row(.api, issuer: nil, api, control, at: change)] {
            try await AuthorityRepository.insert(row, in: change.database)
        }
        try await insertSnapshotKey(of: made, control, change)
        try await TrustRepository.insert(
            TrustRow(
                version: Int64(clamping: made.trust.document.version),
                epoch: Int64(clamping: made.trust.document.epoch),
                hash: made.trust.hash.bytes,
                envelope: made.trust.envelope.encoded
            ),
            guardedBy: control.rowGuard,
            in: change.database
        )
        try writeTrustKey(try made.trustKey.pem())
        change.record(.trust, key: "\(made.trust.document.version)", .create)
    }

    private func row(
        _ kind: AuthorityRow.Kind,
        issuer: UUIDv7?,
        _ made: FoundedAuthority.Issuer,
        _ control: ControlPlane,
        at change: ChangeTransaction
    ) throws -> AuthorityRow {
        let id = control.surroundings.makeID(change.at)
        let certificate = made.authority.certificate
        return AuthorityRow(
            id: id,
            kind: kind,
            state: .active,
            issuer: issuer,
            certificate: certificate.encoded,
            sealedKey: try AuthoritySealing.seal(made.key, kind: kind, id: id, control),
            notBefore: certificate.notBefore,
            notAfter: certificate.notAfter
        )
    }

    private func insertSnapshotKey(
        of made: FoundedAuthority,
        _ control: ControlPlane,
        _ change: ChangeTransaction
    ) async throws {
        for entry in made.trust.document.snapshotKeys {
            let keyID = entry.key.keyID.hex
            let row = SnapshotKeyRow(
                keyID: keyID,
                publicKey: entry.key.spki,
                sealedKey: try AuthoritySealing.sealSnapshotKey(
                    made.snapshotKey,
                    keyID: keyID,
                    control
                ),
                state: .active,
                notBefore: entry.notBefore,
                notAfter: entry.notAfter
            )
            try await TrustRepository.insert(row, in: change.database)
        }
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
