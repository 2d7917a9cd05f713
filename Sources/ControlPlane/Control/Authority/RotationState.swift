import Crypto
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
        return RotationState(
            authorities: try await AuthorityRepository.list(in: change.database),
            snapshotKeys: try await TrustRepository.snapshotKeys(in: change.database),
            chain: chain,
            document: newest.document
        )
    }

    /// The latest snapshot key that was made and does not sign yet.
    var preparedSnapshotKey: SnapshotKeyRow? { snapshotKeys.last { $0.state == .prepared } }

    /// The latest root that was made or imported and does not sign yet.
    var preparedRoot: AuthorityRow? {
        authorities.last { $0.kind == .root && $0.state == .prepared }
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
