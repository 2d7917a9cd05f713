package import Crypto
import Mesh
import Observability
package import Snapshot
import Store
import Synchronization
import Wire

/// The opened authority of a cluster: CAs, the key that signs snapshots, and trust documents.
///
/// Keys live in memory only. What is stored may change under a running replica, so `refresh` reads
/// it again. Any thread may use it.
package final class Authority: Sendable {
    private struct State: Sendable {
        let root: Certificate
        let isRootOutside: Bool
        let intermediate: CertificateAuthority
        let chain: [[UInt8]]
        let intermediateID: UUIDv7
        let apiRoot: CertificateAuthority
        let snapshotKey: SigningKey
        let trustChain: [TrustAnchor]
    }

    private static let reminderInterval = Duration.seconds(3_600)

    private let state: Mutex<State>
    private let reminded = Mutex<ContinuousClock.Instant?>(nil)
    /// How much each agent may have signed.
    let allowances = SigningAllowances()

    private init(_ state: State) { self.state = Mutex(state) }

    /// The active root of the mesh; in the trust document.
    package var root: Certificate { state.withLock { $0.root } }

    /// Whether the key of the active root is not here, so that its owner signs intermediates.
    package var isRootOutside: Bool { state.withLock { $0.isRootOutside } }

    /// Signs the mesh's leaves.
    package var intermediate: CertificateAuthority { issuer.authority }

    /// What signs now, with the CAs between it and the root, and the id of its row.
    var issuer: (authority: CertificateAuthority, chain: [[UInt8]], id: UUIDv7) {
        state.withLock { ($0.intermediate, $0.chain, $0.intermediateID) }
    }

    /// Whether it is time to say again what only a person can do.
    func mayRemind(at now: ContinuousClock.Instant) -> Bool {
        reminded.withLock { last in
            if let last, now < last + Self.reminderInterval { return false }
            last = now
            return true
        }
    }

    /// The root of the API's own certificates.
    package var apiRoot: CertificateAuthority { state.withLock { $0.apiRoot } }

    /// Signs manifests.
    package var snapshotKey: SigningKey { state.withLock { $0.snapshotKey } }

    /// Every version in order; the last one holds now.
    package var trustChain: [TrustAnchor] { state.withLock { $0.trustChain } }

    /// The trust document that holds now.
    package var trust: TrustAnchor? { trustChain.last }

    /// Every root that the trust document names: all of them are trusted.
    package var roots: [Certificate] {
        (trust?.document.authorities ?? []).compactMap { try? Certificate(der: $0.certificate) }
    }

    /// Opens the stored authority and refuses one whose parts do not belong together.
    package static func open(_ control: ControlPlane) async throws(StartError) -> Authority {
        Authority(try await read(control))
    }

    /// Reads again what another replica or an operator has changed.
    ///
    /// What is stored must continue what is held; otherwise, and when it cannot be read, that stays
    /// and the log says why.
    package func refresh(_ control: ControlPlane) async {
        do throws(StartError) {
            let stored = try await Self.read(control)
            let continues = state.withLock { held in
                guard stored.trustChain.starts(with: held.trustChain) else { return false }
                held = stored
                return true
            }
            guard continues else {
                throw .refused(
                    .faulted(
                        Complaint(
                            "authority.rewritten",
                            "the stored trust documents do not continue those that are held"
                        )
                    )
                )
            }
        } catch {
            control.logger.error(
                "the authority was not read again; what is held stays",
                ["error": .text(error.description)]
            )
        }
    }

    private static func read(_ control: ControlPlane) async throws(StartError) -> State {
        do {
            let (authorities, trust, keys) = try await control.read { transaction in
                (
                    try await AuthorityRepository.list(
                        guardedBy: control.rowGuard,
                        in: transaction
                    ),
                    try await TrustRepository.chain(
                        guardedBy: control.rowGuard,
                        in: transaction
                    ),
                    try await TrustRepository.snapshotKeys(
                        guardedBy: control.rowGuard,
                        in: transaction
                    )
                )
            }
            return try state(authorities, trust, keys, control)
        } catch let error as AuthorityFault {
            throw .refused(.faulted(Complaint("authority.inconsistent", error.text)))
        } catch let error as KeyError {
            throw .keys(error)
        } catch let error as ControlError {
            throw .refused(error)
        } catch {
            throw .refused(
                .faulted(
                    Complaint("authority.unreadable", "the authority cannot be read: \(error)")
                )
            )
        }
    }

    private static func state(
        _ authorities: [AuthorityRow],
        _ trust: [TrustRow],
        _ keys: [SnapshotKeyRow],
        _ control: ControlPlane
    ) throws -> State {
        let chain = try trustChain(trust, of: control.trustDomain)
        guard let current = chain.last?.document else {
            throw AuthorityFault("there is no trust document")
        }
        let root = try active(.root, in: authorities)
        let rootCertificate = try Certificate(der: root.certificate)
        guard current.authorities.contains(where: { $0.certificate == root.certificate })
        else { throw AuthorityFault("the active root is not in the trust document") }
        let intermediate = try active(.intermediate, in: authorities)
        let intermediateAuthority = try authority(intermediate, control)
        let between = try intermediate.chain.map { try Certificate(der: $0) }
        guard
            SigningChain.isUnbroken(
                [intermediateAuthority.certificate] + between + [rootCertificate]
            )
        else { throw AuthorityFault("the intermediate does not lead to the active root") }
        return State(
            root: rootCertificate,
            isRootOutside: root.sealedKey.isEmpty,
            intermediate: intermediateAuthority,
            chain: intermediate.chain,
            intermediateID: intermediate.id,
            apiRoot: try authority(try active(.api, in: authorities), control),
            snapshotKey: try snapshotKey(keys, current, control),
            trustChain: chain
        )
    }

    private static func active(
        _ kind: AuthorityRow.Kind,
        in rows: [AuthorityRow]
    ) throws -> AuthorityRow {
        guard let row = rows.first(where: { $0.kind == kind && $0.state == .active }) else {
            throw AuthorityFault("there is no active authority of kind \(kind.rawValue)")
        }
        return row
    }

    private static func authority(
        _ row: AuthorityRow,
        _ control: ControlPlane
    ) throws -> CertificateAuthority {
        let key = try AuthoritySealing.open(
            row.sealedKey,
            for: AuthoritySealing.purpose(row.kind),
            at: AuthoritySealing.place(row.id),
            control
        )
        let certificate = try Certificate(der: row.certificate)
        guard try certificate.publicKey() == key.publicKey else {
            throw AuthorityFault("a CA's key does not belong to its certificate")
        }
        return try CertificateAuthority(certificate: certificate, key: key)
    }

    private static func snapshotKey(
        _ rows: [SnapshotKeyRow],
        _ trust: TrustDocument,
        _ control: ControlPlane
    ) throws -> SigningKey {
        let now = control.now()
        for row in rows where row.state == .active {
            guard let key = SealedProof(control: control).key(of: row) else { continue }
            if trust.snapshotKeys.contains(where: { $0.key == key.publicKey && $0.isValid(at: now) }
            ) {
                return key
            }
        }
        throw AuthorityFault("no snapshot key that the trust document names is active")
    }

    static func trustChain(
        _ rows: [TrustRow],
        of trustDomain: TrustDomain
    ) throws -> [TrustAnchor] {
        var chain: [TrustAnchor] = []
        for row in rows {
            let envelope = try Envelope(encoded: row.envelope)
            if let last = chain.last {
                chain.append(try last.succeeded(by: envelope))
            } else {
                let first = try TrustAnchor.first(
                    envelope,
                    trustDomain: trustDomain,
                    pinnedHash: nil
                )
                chain.append(first)
            }
        }
        return chain
    }
}

/// Parts of the authority that do not belong together.
struct AuthorityFault: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
