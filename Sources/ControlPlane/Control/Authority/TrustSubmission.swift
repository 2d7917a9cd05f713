import Crypto
package import Mesh
import Snapshot
import Store
import Wire

/// Takes signed trust documents in: the one way by which a running mesh changes whom it trusts.
package struct TrustSubmission: Sendable {
    let control: ControlPlane
    let authority: Authority

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
    }

    /// What a submission did.
    package struct Outcome: Sendable {
        package let revision: Int64
        package let version: UInt64
        package let epoch: UInt64
        package let differences: [String]
        /// Whom it went on without.
        package let notAcknowledged: [AgentName]
    }

    /// The document that holds, as it was signed.
    package struct Current: Sendable {
        package let version: UInt64
        package let epoch: UInt64
        package let envelope: [UInt8]
        /// Enrolled agents that have not acknowledged it.
        package let notAcknowledged: [AgentName]
    }

    /// The document that holds, and who has not acknowledged it.
    package func current() async throws(ControlError) -> Current {
        await authority.refresh(control)
        guard let trust = authority.trust else { throw AuthorityView.noTrust }
        let behind = try await control.read { database in
            try await AgentStateRepository.enrolled(
                behindTrust: Int64(clamping: trust.document.version),
                in: database
            )
        }
        return Current(
            version: trust.document.version,
            epoch: trust.document.epoch,
            envelope: trust.envelope.encoded,
            notAcknowledged: behind
        )
    }

    /// Stores the successor of the trust document that holds, and lets sign what it says.
    ///
    /// Refused: signatures that do not suffice, a document that names none of what is kept here, a
    /// root that signs before everybody knows it, and one taken out while what it signed is still
    /// in use; the latter two go on with `force`, and the audit record names whom it costs.
    package func submit(
        _ encoded: [UInt8],
        force: Bool,
        by caller: Caller
    ) async throws(ControlError) -> Outcome {
        let envelope: Envelope
        do throws(SnapshotFormatError) {
            envelope = try Envelope(encoded: encoded)
        } catch {
            throw .invalid("trust.malformed", field: "envelope", error.description)
        }
        let outcome = try await control.change(
            caller,
            action: "trust.submit",
            resource: "ca/trust"
        ) { change in
            let state = try await RotationState.read(change, control)
            let next = try Self.successor(of: state, envelope)
            guard next.document.version > state.document.version else {
                change.audited.conclude(outcome: "unchanged")
                return Outcome(
                    revision: change.revision - 1,
                    version: next.document.version,
                    epoch: next.document.epoch,
                    differences: [],
                    notAcknowledged: []
                )
            }
            let behind = try await settle(next.document, state, force, change)
            try await TrustRepository.insert(
                TrustRow(
                    version: Int64(clamping: next.document.version),
                    epoch: Int64(clamping: next.document.epoch),
                    hash: next.hash.bytes,
                    envelope: next.envelope.encoded
                ),
                guardedBy: control.rowGuard,
                in: change.database
            )
            let differences = state.document.differences(to: next.document)
            change.describe(
                .fields([
                    "differences": .list(differences),
                    "not_acknowledged": .list(behind.map(\.text)),
                ])
            )
            change.record(.trust, key: "\(next.document.version)", .create)
            return Outcome(
                revision: change.revision,
                version: next.document.version,
                epoch: next.document.epoch,
                differences: differences,
                notAcknowledged: behind
            )
        }
        await authority.refresh(control)
        return outcome
    }

    private static func successor(
        of state: RotationState,
        _ envelope: Envelope
    ) throws -> TrustAnchor {
        guard let held = state.chain.last else { throw AuthorityView.noTrust }
        let next: TrustAnchor
        do throws(TrustRefusal) {
            next = try held.succeeded(by: envelope)
        } catch {
            throw ControlError.conflict(
                Complaint(
                    "trust.refused",
                    "the trust document is refused: \(error); it must follow version"
                        + " \(held.document.version) and be signed by enough of its trust keys and"
                        + " of its own"
                )
            )
        }
        let expected = held.document.version + 1
        guard next.document.version <= expected else {
            throw ControlError.conflict(
                Complaint(
                    "trust.version",
                    "version \(next.document.version) is not the next one: \(expected) is"
                )
            )
        }
        return next
    }

    /// Makes what is kept here agree with a document; gives whom it goes on without.
    private func settle(
        _ next: TrustDocument,
        _ state: RotationState,
        _ force: Bool,
        _ change: ChangeTransaction
    ) async throws -> [AgentName] {
        try await settleSnapshotKeys(next, state, change)
        let rows = state.authorities.filter { $0.kind == .root }
        guard let named = next.authorities.first(where: { $0.state == .active }),
            let root = rows.last(where: {
                $0.certificate == named.certificate && $0.state != .retired
            }),
            let issuer = state.authorities.last(where: {
                $0.kind == .intermediate && $0.issuer == root.id && $0.state != .retired
            })
        else {
            throw Self.inconsistent("the root that signs in it has no intermediate here")
        }
        var behind: [AgentName] = []
        if root.state != .active {
            guard let since = state.firstVersion(naming: root.certificate) else {
                throw Self.inconsistent("its root was not announced in the version before")
            }
            behind = try await Rotations.behind(since, force, change)
            for other in state.authorities
            where other.state == .active && other.kind != .api {
                try await AuthorityRepository.set(other.id, to: .retired, in: change.database)
            }
            for row in [root, issuer] {
                try await AuthorityRepository.set(row.id, to: .active, in: change.database)
            }
        }
        let trusted = Set(next.authorities.map(\.certificate))
        let gone = rows.filter { row in
            !trusted.contains(row.certificate)
                && state.document.authorities.contains { $0.certificate == row.certificate }
        }
        try await refuseInUse(gone, state, force, change)
        try await giveUp(gone, state, change)
        return behind
    }

    /// What was announced, never signed and is taken out will not sign either.
    private func giveUp(
        _ roots: [AuthorityRow],
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws {
        let ids = Set(roots.filter { $0.state == .prepared }.map(\.id))
        for row in state.authorities
        where row.state == .prepared
            && (ids.contains(row.id) || row.issuer.map(ids.contains) ?? false)
        {
            try await AuthorityRepository.set(row.id, to: .retired, in: change.database)
        }
    }

    private func settleSnapshotKeys(
        _ next: TrustDocument,
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws {
        let named = Set(
            next.snapshotKeys.filter { $0.isValid(at: change.at) }.map(\.key.keyID.hex)
        )
        let isSigned = state.snapshotKeys.contains {
            $0.state == .active && named.contains($0.keyID)
        }
        let successor = state.snapshotKeys.last {
            $0.state == .prepared && named.contains($0.keyID)
        }
        guard isSigned || successor != nil else {
            throw Self.inconsistent("it names no snapshot key that is kept here and valid now")
        }
        let announced = Set(state.document.snapshotKeys.map(\.key.keyID.hex))
        for row in state.snapshotKeys
        where announced.contains(row.keyID) && !named.contains(row.keyID) {
            try await TrustRepository.set(
                snapshotKey: row.keyID,
                to: .retired,
                in: change.database
            )
        }
        // The key that signed is out, so the one that was prepared signs from this moment on.
        if !isSigned, let successor {
            try await TrustRepository.set(
                snapshotKey: successor.keyID,
                to: .active,
                in: change.database
            )
        }
    }

    private func refuseInUse(
        _ roots: [AuthorityRow],
        _ state: RotationState,
        _ force: Bool,
        _ change: ChangeTransaction
    ) async throws {
        let ids = Set(roots.map(\.id))
        let issuers = state.authorities.filter { $0.issuer.map(ids.contains) ?? false }
        let (count, end) = try await AuthorityRepository.live(
            signedBy: issuers.map(\.id),
            in: change.database
        )
        guard count == 0 || force else {
            throw ControlError.conflict(
                Complaint(
                    "rotation.in_use",
                    "\(count) certificates under the root that is taken out have not ended, the"
                        + " last ends at \(end?.rfc3339 ?? "?"): wait, or use force to cut what"
                        + " shows them"
                )
            )
        }
    }

    private static func inconsistent(_ problem: String) -> ControlError {
        .conflict(Complaint("trust.inconsistent", "the trust document cannot be used: \(problem)"))
    }
}
