import Crypto
package import Mesh
import Observability
import Postgres
package import Store
import Wire

/// Two administrators of a target who take turns: the one that rests gets a password that nobody has
/// seen, is tried, and takes over; then the other's password is made worthless.
///
/// What is meant is committed, sealed, before anything happens on the target, so that any replica goes
/// on from wherever another was killed. Until the new login was seen to work the old one is in use.
package struct TargetRotations: Sendable {
    /// How long the former administrator can still log in: replicas may be about to.
    private static let graceSeconds: Double = 10
    private static let pauseMax: Double = 300

    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Lets the second administrator of a target take over; one that was interrupted goes on.
    package func rotate(
        _ name: TargetName,
        by caller: Caller
    ) async throws(ControlError) -> TargetRow {
        let row = try await control.targets.find(name)
        if let pending = try await claim(name) {
            if pending.activatedAt == nil, pending.targetVersion == row.version {
                return try await carryOut(pending, by: caller)
            }
            try await finish(pending)
        }
        return try await carryOut(try await begin(name, by: caller), by: caller)
    }

    /// Goes on with what was interrupted, and ends what has a successor.
    package func runDue() async {
        let parked = control.leaseDesk.parked(now: control.surroundings.instant())
        let due: [TargetRotationRow]
        do throws(ControlError) {
            due = try await control.write { database in
                try await TargetRotationRepository.claimDue(
                    except: parked,
                    guardedBy: control.rowGuard,
                    in: database
                )
            }
        } catch {
            // The log has it; who cannot be asked now is asked again.
            return
        }
        for rotation in due {
            do throws(ControlError) {
                if rotation.activatedAt == nil {
                    _ = try await carryOut(rotation, by: control.server)
                } else {
                    try await finish(rotation)
                }
            } catch {
                control.logger.warning(
                    "a rotation of a target's administrator waits",
                    ["target": .text(rotation.target.text), "error": .describing(error)]
                )
            }
        }
    }

    /// Refuses to make somebody the administrator whose password a rotation may be setting.
    func check(
        _ name: TargetName,
        taking user: String,
        _ act: AuditedTransaction
    ) async throws {
        let rotation = try await TargetRotationRepository.find(
            name,
            guardedBy: control.rowGuard,
            in: act.database
        )
        guard let rotation, [rotation.user, rotation.formerUser].contains(user) else { return }
        throw Self.underWay(name)
    }

    // MARK: Steps

    /// The rotation of a target that nobody else is at; nil where there is none.
    private func claim(_ name: TargetName) async throws(ControlError) -> TargetRotationRow? {
        let (mine, isAny) = try await control.write { database in
            let mine = try await TargetRotationRepository.claim(
                name,
                guardedBy: control.rowGuard,
                in: database
            )
            let any = try await TargetRotationRepository.find(
                name,
                guardedBy: control.rowGuard,
                in: database
            )
            return (mine, any != nil)
        }
        guard mine != nil || !isAny else { throw Self.underWay(name) }
        return mine
    }

    /// Sets the password, tries it, and lets its user take over; each step may be done twice.
    private func carryOut(
        _ rotation: TargetRotationRow,
        by caller: Caller
    ) async throws(ControlError) -> TargetRow {
        let began = control.surroundings.instant()
        guard let row = try await control.targets.row(rotation.target),
            row.version == rotation.targetVersion, row.decommissionedAt == nil
        else {
            try await forget(rotation, because: "target_changed")
            throw Self.changed(rotation.target)
        }
        do throws(ControlError) {
            let password = try open(rotation)
            try await set(password, of: rotation.user, on: row, since: began)
            var target = row.target
            target.user = rotation.user
            target.rotationUser = rotation.formerUser
            try await control.targets.verify(target, password)
            return try await activate(rotation, target, password, by: caller)
        } catch {
            try await postpone(rotation, because: error.code)
            guard case .invalid = error else { throw error }
            throw .unavailable(
                Complaint(
                    "target.rotation_unproved",
                    "\(rotation.formerUser) stays the administrator, and it is tried again by itself:"
                        + " \(rotation.user): \(error.complaint.text)"
                )
            )
        }
    }

    private func activate(
        _ rotation: TargetRotationRow,
        _ target: LeaseTarget,
        _ password: SecretBytes,
        by caller: Caller
    ) async throws(ControlError) -> TargetRow {
        let row = try await control.act(
            caller,
            action: "target.put",
            resource: Targets.path(rotation.target)
        ) { act in
            let old = try await TargetRepository.find(
                rotation.target,
                hold: .exclusive,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard let old, old.version == rotation.targetVersion,
                try await TargetRotationRepository.activate(
                    rotation,
                    at: act.at,
                    grace: Self.graceSeconds,
                    in: act.database
                )
            else { throw Self.changed(rotation.target) }
            let version = old.version + 1
            let row = TargetRow(
                target: target,
                sealedPassword: try control.keyring.seal(
                    password,
                    for: .targetAdmin,
                    at: Targets.place(rotation.target, version),
                    randomBytes: control.surroundings.randomBytes
                ),
                version: version,
                createdAt: old.createdAt,
                updatedAt: act.at,
                createdBy: old.createdBy
            )
            try await TargetRepository.put(row, guardedBy: control.rowGuard, in: act.database)
            act.conclude(outcome: "success", reason: "rotated")
            act.describe([
                "version": .number(version), "target": target.document, "password_changed": true,
            ])
            return row
        }
        await control.leaseDesk.sessions.forget(rotation.target)
        return row
    }

    /// Makes the former administrator's password worthless, as the one who took over.
    private func finish(_ rotation: TargetRotationRow) async throws(ControlError) {
        let began = control.surroundings.instant()
        guard rotation.activatedAt != nil, let row = try await control.targets.row(rotation.target),
            row.decommissionedAt == nil, row.target.user == rotation.user
        else { return try await forget(rotation, because: "target_changed") }
        do throws(ControlError) {
            var bytes = Array(LeasePassword.make(control.surroundings.randomBytes).utf8)
            let nobodys = SecretBytes(taking: &bytes)
            try await set(nobodys, of: rotation.formerUser, on: row, since: began)
        } catch {
            try await postpone(rotation, because: error.code)
            throw error
        }
        try await forget(rotation, because: "done")
    }

    private func forget(
        _ rotation: TargetRotationRow,
        because reason: String
    ) async throws(ControlError) {
        try await control.act(
            control.server,
            action: "target.rotate",
            resource: Targets.path(rotation.target)
        ) { act in
            let isMine = try await TargetRotationRepository.delete(rotation, in: act.database)
            act.conclude(outcome: isMine ? "success" : "unchanged", reason: reason)
            act.describe(["former": .string(rotation.formerUser)])
        }
    }

    // MARK: On the target

    private func set(
        _ password: SecretBytes,
        of user: String,
        on row: TargetRow,
        since began: ContinuousClock.Instant
    ) async throws(ControlError) {
        let within = control.leaseDesk.settings.createWithin
        do throws(TargetFailure) {
            let verifier: String
            do throws(CryptoError) {
                verifier = try SCRAM.verifier(
                    of: password,
                    salt: control.surroundings.randomBytes(SCRAM.saltByteCount)
                )
            } catch {
                throw .unusable("no verifier of the password")
            }
            try await control.targets.run(on: row) { database throws(PostgresError) in
                let now = try await TargetRoles.time(in: database)
                let elapsed = began.duration(to: control.surroundings.instant())
                try await TargetRoles.setPassword(
                    of: user,
                    toVerifier: verifier,
                    before: now + (within - elapsed),
                    in: database
                )
            }
        } catch {
            throw Leases.complaint(about: row.target.name, error)
        }
    }

    // MARK: Not now

    private func postpone(
        _ rotation: TargetRotationRow,
        because code: String
    ) async throws(ControlError) {
        let pause = min(Self.pauseMax, Double(1 << max(0, min(rotation.attempts, 16))))
        try await control.write { database in
            try await TargetRotationRepository.postpone(
                rotation,
                seconds: pause,
                because: code,
                in: database
            )
        }
    }

    private func open(_ rotation: TargetRotationRow) throws(ControlError) -> SecretBytes {
        do throws(KeyError) {
            return try control.keyring.open(
                rotation.sealedPassword,
                for: .targetAdmin,
                at: Self.place(rotation.target, rotation.targetVersion)
            )
        } catch {
            control.logger.error("a rotation's password", ["error": .text("\(error)")])
            throw .faulted(Complaint("target.sealed", "the stored password cannot be opened"))
        }
    }

    static func place(_ name: TargetName, _ version: Int64) -> SealedPlace {
        SealedPlace(
            table: "target_rotations",
            column: "sealed_password",
            key: name.text,
            version: version
        )
    }

    static func underWay(_ name: TargetName) -> ControlError {
        .conflict(
            Complaint(
                "target.rotating",
                "the administrators of the target \(name) are taking turns: try again in a moment"
            )
        )
    }

    static func changed(_ name: TargetName) -> ControlError {
        .conflict(
            Complaint("target.changed", "the target \(name) was changed meanwhile: read it again")
        )
    }
}

extension ControlPlane {
    /// Administrators of targets that take turns.
    package var targetRotations: TargetRotations { TargetRotations(self) }
}
