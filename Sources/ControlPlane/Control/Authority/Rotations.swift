import Crypto
package import Mesh
import Observability
package import Snapshot
import Store
import Wire

/// Replaces what signs, one step at a time: announce, wait until everybody knows it, use, retire.
///
/// Each step is one transaction, so a rotation goes on from wherever it was broken off. A step that
/// changes whom agents trust gives a proposal: the next trust document, which only the trust keys
/// can sign, and they are not here.
package struct Rotations: Sendable {
    /// What is replaced.
    package enum Subject: String, Sendable, CaseIterable {
        case snapshotKey = "snapshot-key"
        case root
        case intermediate
        case keyEncryptionKey = "kek"
    }

    /// How far a rotation is taken.
    package enum Step: String, Sendable, CaseIterable {
        /// Make the successor and announce it.
        case prepare
        /// Use the successor from now on.
        case activate
        /// Let go of what is used no more.
        case retire
        /// Take the old one out at once, as if a thief held it.
        case replace
    }

    /// What a step did, and what has to be signed for it.
    package struct Outcome: Sendable {
        /// One sentence.
        package var summary: String
        /// The next trust document, unsigned; nil where none is needed.
        package var proposal: TrustDocument?
        /// Its one spelling, which the trust keys sign.
        package var encodedProposal: [UInt8]? { proposal?.encoded }
        /// What it does otherwise.
        package var differences: [String] = []
        /// Enrolled agents that have not acknowledged what the step relies on.
        package var notAcknowledged: [AgentName] = []
        /// The revision of the change, if there was one.
        package var revision: Int64?
        /// What works, but should be done otherwise.
        package var warnings: [String] = []
    }

    let control: ControlPlane
    let authority: Authority

    package init(_ control: ControlPlane, _ authority: Authority) {
        self.control = control
        self.authority = authority
    }

    /// Takes one step; refuses one whose turn has not come, and says what would be next.
    ///
    /// With `force` it goes on although agents have not acknowledged; the audit record names them.
    package func take(
        _ step: Step,
        of subject: Subject,
        force: Bool = false,
        by caller: Caller
    ) async throws(ControlError) -> Outcome {
        if (subject, step) == (.keyEncryptionKey, .retire) {
            let gone = try await control.retireKeyEncryptionKeys(by: caller)
            return Outcome(
                summary: gone.isEmpty
                    ? "there is nothing to retire: one key-encryption key opens this database"
                    : "these open this database no more: \(gone.joined(separator: ", "))"
            )
        }
        let outcome = try await control.change(
            caller,
            action: "rotation.\(step.rawValue)",
            resource: "ca/rotations/\(subject.rawValue)"
        ) { change in
            let now = try await RotationState.read(change, control)
            let outcome =
                switch (subject, step) {
                case (.snapshotKey, .prepare): try await prepareSnapshotKey(now, change)
                case (.snapshotKey, .activate): try await activateSnapshotKey(now, force, change)
                case (.snapshotKey, .retire): try retireSnapshotKeys(now, change)
                case (.snapshotKey, .replace): try await replaceSnapshotKey(now, change)
                case (.root, .prepare): try await prepareRoot(now, change)
                case (.root, .activate): try await activateRoot(now, change)
                case (.root, .retire): try retireRoots(now, change)
                case (.intermediate, .replace): try await replaceIntermediate(now, change)
                case (.root, .replace), (.intermediate, _), (.keyEncryptionKey, _):
                    throw ControlError.invalid(
                        "rotation.step",
                        field: "step",
                        "is not one of \(subject.rawValue): a root is prepared, activated and"
                            + " retired, an intermediate is replaced, a kek is retired"
                    )
                }
            change.describe(
                .fields([
                    "summary": .string(outcome.summary),
                    "not_acknowledged": .list(outcome.notAcknowledged.map(\.text)),
                ])
            )
            return outcome
        }
        await authority.refresh(control)
        return outcome
    }

    /// Replaces the intermediate once most of its life is over; another replica may be quicker.
    ///
    /// Under an outside root only its owner can; then the log says so, once an hour.
    package func renewIntermediate() async throws(ControlError) {
        let issuer = authority.intermediate.certificate
        guard AuthorityLifetimes.share(of: issuer, at: control.now()) >= 0.7 else { return }
        await authority.refresh(control)
        guard authority.intermediate.certificate == issuer else { return }
        guard !authority.isRootOutside else {
            if authority.mayRemind(at: control.surroundings.instant()) {
                control.logger.error(
                    "the intermediate must be renewed by the owner of its root: `turnpike ca csr`",
                    ["ends": .text(issuer.notAfter.rfc3339)]
                )
            }
            return
        }
        let outcome = try await take(.replace, of: .intermediate, by: control.server)
        control.logger.info("the intermediate was renewed", ["what": .text(outcome.summary)])
    }

    // MARK: Snapshot keys

    private func announcement(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> TrustDocument.SnapshotKey {
        if let row = state.preparedSnapshotKey {
            return TrustDocument.SnapshotKey(
                key: try PublicKey(spki: row.publicKey),
                notBefore: row.notBefore,
                notAfter: row.notAfter
            )
        }
        let key = try SigningKey.generate(.ed25519)
        let keyID = key.publicKey.keyID.hex
        // Whole seconds, as the document and the row both spell them.
        let now = Timestamp(secondsSinceEpoch: change.at.secondsSinceEpoch)
        let row = SnapshotKeyRow(
            keyID: keyID,
            publicKey: key.publicKey.spki,
            sealedKey: try AuthoritySealing.sealSnapshotKey(key, keyID: keyID, control),
            state: .prepared,
            notBefore: now - AuthorityLifetimes.backdating,
            notAfter: now + AuthorityLifetimes.snapshotKey
        )
        try await TrustRepository.insert(row, in: change.database)
        return TrustDocument.SnapshotKey(
            key: key.publicKey,
            notBefore: row.notBefore,
            notAfter: row.notAfter
        )
    }

    private func prepareSnapshotKey(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Outcome {
        let key = try await announcement(state, change)
        return try state.proposing(
            [.addSnapshotKey(key)],
            at: change.at,
            "snapshot key \(key.key.keyID) is prepared: sign and submit the proposal, then activate",
            otherwise: "snapshot key \(key.key.keyID) is announced already: activate it"
        )
    }

    /// What is to be activated is not what the agents were told of.
    static func notAnnounced(_ what: String) -> ControlError {
        .conflict(
            Complaint(
                "rotation.not_announced",
                "no prepared \(what) is in the trust document: prepare one, sign and submit the"
                    + " proposal"
            )
        )
    }

    private func activateSnapshotKey(
        _ state: RotationState,
        _ force: Bool,
        _ change: ChangeTransaction
    ) async throws -> Outcome {
        guard let row = state.announcedSnapshotKey,
            let since = state.firstVersion(naming: row.publicKey)
        else {
            throw Self.notAnnounced("snapshot key")
        }
        let behind = try await Self.behind(since, force, change)
        for other in state.snapshotKeys where other.state == .active {
            try await TrustRepository.set(
                snapshotKey: other.keyID,
                to: .retired,
                in: change.database
            )
        }
        try await TrustRepository.set(snapshotKey: row.keyID, to: .active, in: change.database)
        change.record(.trust, key: "snapshot-keys", .update)
        return Outcome(
            summary: "snapshot key \(row.keyID) signs from now on: retire the one before",
            notAcknowledged: behind,
            revision: change.revision
        )
    }

    private func retireSnapshotKeys(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) throws -> Outcome {
        let active = state.snapshotKeys.filter { $0.state == .active }
        return try state.proposing(
            [.keepSnapshotKeys(Set(active.compactMap { SHA256Digest(hex: $0.keyID) }))],
            at: change.at,
            "every snapshot key but the one that signs is taken out: sign and submit the proposal",
            otherwise: "there is nothing to retire: only the key that signs is trusted"
        )
    }

    private func replaceSnapshotKey(
        _ state: RotationState,
        _ change: ChangeTransaction
    ) async throws -> Outcome {
        let key = try await announcement(state, change)
        return try state.proposing(
            [.addSnapshotKey(key), .keepSnapshotKeys([key.key.keyID]), .raiseEpoch],
            at: change.at,
            "snapshot key \(key.key.keyID) replaces all others when the signed proposal is"
                + " submitted; the epoch is raised, so what a thief signed is older than all that"
                + " follows",
            otherwise: ""
        )
    }

    /// Who has not acknowledged a version; refuses to go on without them unless forced.
    static func behind(
        _ version: UInt64,
        _ force: Bool,
        _ change: ChangeTransaction
    ) async throws -> [AgentName] {
        let behind = try await AgentStateRepository.enrolled(
            behindTrust: Int64(clamping: version),
            in: change.database
        )
        guard behind.isEmpty || force else {
            throw ControlError.conflict(
                Complaint(
                    "rotation.not_acknowledged",
                    "trust document \(version) is not acknowledged by"
                        + " \(behind.map(\.text).joined(separator: ", ")): wait for them, revoke"
                        + " them, or use force to go on without them"
                )
            )
        }
        return behind
    }
}
