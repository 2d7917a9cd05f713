import Crypto
import Mesh
import Snapshot
import Store
package import Wire

/// Takes an operator's own CA in: a certificate for a key that was made here, or one with its key.
///
/// Nothing is trusted for being imported. A root enters the trust document as any other does: as a
/// proposal for the trust keys, announced, acknowledged, activated. Only a new intermediate under
/// the root that signs already signs at once, because peers show it with their certificates.
package struct AuthorityImport: Sendable {
    /// A request for an intermediate.
    package struct Request: Equatable, Sendable {
        /// PKCS#10, PEM.
        package let pem: String
        /// SHA-256 of the public key, by which its certificate is recognised.
        package let keyID: String
        package let createdAt: Timestamp
        /// Whether it was made by this call.
        package let isNew: Bool
    }

    /// What an operator brings, PEM each; `privateKey` where the CA's key shall be kept here.
    package struct Material: Sendable {
        package let certificate: String
        package let chain: String
        package let privateKey: String?

        package init(certificate: String, chain: String, privateKey: String?) {
            self.certificate = certificate
            self.chain = chain
            self.privateKey = privateKey
        }
    }

    /// The longest PEM text that is looked at.
    package static let textBytesMax = 48 * 1024

    /// The most bytes of a certificate with the CAs that are shown with it: half of what a peer reads
    /// of a handshake, for leaves grow with names and keys.
    static let shownBytesMax = 16 * 1024

    let control: ControlPlane
    let authority: Authority
    let rotations: Rotations

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
        rotations = Rotations(control, authority)
    }

    // MARK: Request

    /// The request that waits for a certificate, made where there is none; `renewed` forgets the one
    /// that waits, with its key.
    package func request(
        renewed: Bool,
        by caller: Caller
    ) async throws(ControlError) -> Request {
        try await control.change(caller, action: "ca.request", resource: "ca/csr") { change in
            if !renewed, let (row, _) = try await waiting(change) {
                change.audited.conclude(outcome: "unchanged")
                return try Self.request(row, isNew: false)
            }
            try await AuthorityRequestRepository.clear(in: change.database)
            let key = try SigningKey.generate(.ecdsaP256)
            let id = control.surroundings.makeID(change.at)
            let row = AuthorityRequestRow(
                id: id,
                request: try CertificateSigningRequest.make(
                    forIntermediate: key,
                    subject: DistinguishedName(
                        commonName: "Turnpike mesh intermediate \(control.trustDomain)"
                    ),
                    trustDomain: control.trustDomain.text
                ),
                sealedKey: try control.keyring.seal(
                    key.pkcs8(),
                    for: .ca,
                    at: Self.place(id),
                    randomBytes: control.surroundings.randomBytes
                ),
                createdAt: change.at
            )
            try await AuthorityRequestRepository.insert(row, in: change.database)
            let made = try Self.request(row, isNew: true)
            change.describe(.fields(["key_sha256": .string(made.keyID)]))
            return made
        }
    }

    /// The request that waits, with its key; one that was not made here is none.
    func waiting(
        _ change: ChangeTransaction
    ) async throws -> (row: AuthorityRequestRow, key: SigningKey)? {
        guard
            let row = try await AuthorityRequestRepository.find(
                guardedBy: control.rowGuard,
                in: change.database
            ),
            let key = SealedProof(control: control).key(of: row)
        else { return nil }
        return (row, key)
    }

    private static func request(_ row: AuthorityRequestRow, isNew: Bool) throws -> Request {
        Request(
            pem: PEM.encode(
                PEM.Block(label: CertificateSigningRequest.pemLabel, bytes: row.request)
            ),
            keyID: try CertificateSigningRequest(verifying: row.request).publicKey.keyID.hex,
            createdAt: row.createdAt,
            isNew: isNew
        )
    }

    static func place(_ id: UUIDv7) -> SealedPlace {
        SealedPlace(table: "authority_requests", column: "sealed_key", key: id.description)
    }

    // MARK: Import

    /// Checks what an operator brings as the mesh's peers will, and stores it with its key sealed.
    ///
    /// What was imported before is found again, so that a call that was broken off may be repeated.
    package func take(
        _ material: Material,
        by caller: Caller
    ) async throws(ControlError) -> Rotations.Outcome {
        let brought = try ImportedMaterial(material)
        let outcome = try await control.change(
            caller,
            action: "ca.import",
            resource: "ca/import"
        ) { change in
            let state = try await RotationState.read(change, control)
            let outcome =
                brought.isRoot
                ? try await takeRoot(brought, state, change)
                : try await takeIntermediate(brought, state, change)
            change.describe(
                .fields([
                    "summary": .string(outcome.summary),
                    "certificate": .string(brought.chain.issuer.fingerprint.hex),
                    "root": .string(brought.chain.root.fingerprint.hex),
                    "key": .string(brought.key == nil ? "requested" : "imported"),
                ])
            )
            return outcome
        }
        await authority.refresh(control)
        return outcome
    }
}
