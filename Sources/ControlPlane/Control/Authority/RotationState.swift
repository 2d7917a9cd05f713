import Crypto
import Mesh
import Snapshot
import Store
import Wire

/// What is stored of the authority, as a step of a rotation finds it under the lock.
struct RotationState {
    let authorities: [AuthorityRow]
    let snapshotKeys: [SnapshotKeyRow]
    /// Every version, the one that holds last.
    let chain: [TrustAnchor]
    /// What the trust document that holds says.
    let document: TrustDocument

    static func read(
        _ change: ChangeTransaction,
        _ control: ControlPlane
    ) async throws -> RotationState {
        let rows = try await TrustRepository.chain(
            guardedBy: control.rowGuard,
            in: change.database
        )
        let chain = try Authority.trustChain(rows, of: control.trustDomain)
        guard let newest = chain.last else { throw AuthorityView.noTrust }
        let proof = SealedProof(control: control)
        return RotationState(
            authorities: proof.believed(
                try await AuthorityRepository.list(
                    guardedBy: control.rowGuard,
                    in: change.database
                )
            ),
            snapshotKeys: proof.believed(
                try await TrustRepository.snapshotKeys(
                    guardedBy: control.rowGuard,
                    in: change.database
                ),
                after: chain
            ),
            chain: chain,
            document: newest.document
        )
    }

    /// The latest snapshot key that was made and does not sign yet.
    var preparedSnapshotKey: SnapshotKeyRow? { snapshotKeys.last { $0.state == .prepared } }

    /// What waits to sign and is announced: the latest root, and the latest snapshot key.
    var announcedRoot: AuthorityRow? {
        preparedRoots.last { firstVersion(naming: $0.certificate) != nil }
    }

    var announcedSnapshotKey: SnapshotKeyRow? {
        snapshotKeys.last { $0.state == .prepared && firstVersion(naming: $0.publicKey) != nil }
    }

    /// The root that was made here and would be activated next, were it announced.
    ///
    /// Nil where another one was announced after it: only a newer one can come before that.
    func preparedOwnRoot(of trustDomain: TrustDomain) -> AuthorityRow? {
        let name = FoundedAuthority.meshRootName(of: trustDomain)
        func isOwn(_ row: AuthorityRow) -> Bool {
            !row.sealedKey.isEmpty && (try? Certificate(der: row.certificate))?.subject == name
        }
        let latest = preparedRoots.last { row in
            isOwn(row) || firstVersion(naming: row.certificate) != nil
        }
        return latest.flatMap { isOwn($0) ? $0 : nil }
    }

    /// Roots that were made or imported and do not sign yet, the oldest first.
    private var preparedRoots: [AuthorityRow] {
        authorities.filter { $0.kind == .root && $0.state == .prepared }
    }

    /// Since which version without a break a root or a snapshot key is announced; nil if it is not.
    func firstVersion(naming bytes: [UInt8]) -> UInt64? {
        let naming = chain.reversed().prefix { anchor in
            anchor.document.authorities.contains { $0.certificate == bytes }
                || anchor.document.snapshotKeys.contains { $0.key.spki == bytes }
        }
        return naming.last?.document.version
    }

    /// A proposal, or that there is nothing to propose.
    func proposing(
        _ changes: [TrustChange],
        at time: Timestamp,
        _ summary: String,
        otherwise: String
    ) throws -> Rotations.Outcome {
        do throws(TrustChangeError) {
            guard let next = try document.applying(changes, at: time) else {
                return Rotations.Outcome(summary: otherwise)
            }
            return Rotations.Outcome(
                summary: summary,
                proposal: next,
                differences: document.differences(to: next)
            )
        } catch {
            throw ControlError.conflict(
                Complaint("rotation.not_possible", error.description)
            )
        }
    }
}
