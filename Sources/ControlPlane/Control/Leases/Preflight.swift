import Crypto
import Mesh
import Postgres
import Store
import Wire

/// The trial of a profile on its real target: a lease is issued, used and revoked.
///
/// A role that a trial leaves behind (the server died) carries our mark and belongs to no lease, so the
/// next sweep removes it.
struct Preflight {
    let control: ControlPlane
    let row: TargetRow

    /// How long a role of a trial can log in at most.
    private static let lifetime: Duration = .seconds(60)

    /// Throws unless every step does what it should.
    func run(_ profile: LeaseProfile) async throws(ControlError) {
        let role = LeasedRole(
            lease: control.makeID(),
            cluster: control.cluster.id,
            generation: 1
        )
        var step = "issue"
        do throws(TargetFailure) {
            let password = LeasePassword.make(control.surroundings.randomBytes)
            try await control.leases.createRole(
                role,
                secret: .password(password),
                plan: profile.plan,
                lifetime: Self.lifetime,
                on: row
            )
            step = "revoke"
            try await checkHeir(of: profile)
            step = "use"
            let trial = try await use(role, password, of: profile)
            step = "revoke"
            try await end(role, profile, trial)
        } catch {
            // Whatever was made goes; what cannot go now, the sweep takes.
            let ending = RoleEnding(control: control, row: row)
            _ = try? await ending.endAccess(of: [role.name])
            _ = try? await ending.remove([
                RoleEnding.Departure(role: role.name, plan: profile.plan)
            ])
            throw complaint(step, error)
        }
    }

    /// Before there is anything to inherit, which would else stay behind with the role.
    private func checkHeir(of profile: LeaseProfile) async throws(TargetFailure) {
        guard case .managed(let managed) = profile.plan else { return }
        let mayGive = try await control.targets.run(on: row) { database throws(PostgresError) in
            try await TargetRoles.mayGive(to: managed.heir, in: database)
        }
        guard mayGive else {
            throw .unusable("the administrator is no member of \(managed.heir)")
        }
    }

    /// What became of the role while its session was open.
    private struct Trial: Sendable {
        /// What it made and somebody has to inherit.
        let legacy: Int64?
        /// Nil where its access ended, with the session.
        let failure: TargetFailure?
    }

    /// Logs in as the role, makes something that will have to be inherited, and has its access ended
    /// meanwhile: only an open session shows whether the administrator may end one.
    private func use(
        _ role: LeasedRole,
        _ password: String,
        of profile: LeaseProfile
    ) async throws(TargetFailure) -> Trial {
        try await control.leaseDesk.sessions.connect(
            to: row.target,
            as: role.name,
            password: password
        ) { connection throws(PostgresError) in
            // Also where the sessions of the role begin read-only.
            let legacy = try await connection.withTransaction(
                isolation: .readCommitted,
                access: .readWrite
            ) { database throws(PostgresError) -> Int64? in
                // What nobody would inherit keeps the role from being dropped.
                guard case .managed = profile.plan else { return nil }
                return try await TargetRoles.leaveSomething(in: database)
            }
            do throws(TargetFailure) {
                try await endAccess(of: role, on: connection)
            } catch {
                return Trial(legacy: legacy, failure: error)
            }
            return Trial(legacy: legacy, failure: nil)
        }
    }

    private func endAccess(
        of role: LeasedRole,
        on connection: PostgresConnection
    ) async throws(TargetFailure) {
        let ending = RoleEnding(control: control, row: row)
        guard try await ending.endAccess(of: [role.name]).isEmpty else {
            throw .unusable("the role's sessions could not be ended")
        }
        if await TargetRoles.goesOn(connection) {
            throw .unusable("a session of the role went on after it was ended")
        }
    }

    private func end(
        _ role: LeasedRole,
        _ profile: LeaseProfile,
        _ trial: Trial
    ) async throws(TargetFailure) {
        if let failure = trial.failure { throw failure }
        let ending = RoleEnding(control: control, row: row)
        let departure = RoleEnding.Departure(role: role.name, plan: profile.plan)
        if let reason = try await ending.remove([departure]).values.first {
            throw .unusable("the role could not be removed: \(reason)")
        }
        guard let legacy = trial.legacy else { return }
        try await control.targets.run(on: row) { database throws(PostgresError) in
            try await TargetRoles.removeLegacy(legacy, in: database)
        }
    }

    private func complaint(_ step: String, _ failure: TargetFailure) -> ControlError {
        if case .unreachable = failure, step != "use" {
            return .unavailable(
                Complaint("target.unreachable", "the target \(row.target.name) does not answer")
            )
        }
        let advice =
            switch step {
            case "issue": "may the administrator make roles, and grant the group?"
            case "use": "may members of the group connect to the database?"
            default:
                "the administrator must be a member of the heir, and may end sessions as a member of"
                    + " pg_signal_backend"
            }
        return .invalid(
            "profile.preflight",
            field: "",
            "a trial lease on \(row.target.name) failed at the step \(step): \(failure); \(advice)"
        )
    }
}

/// Passwords that nobody chooses.
enum LeasePassword {
    /// 256 random bits in base64url.
    static func make(_ randomBytes: (Int) -> [UInt8]) -> String {
        Base64URL.encode(randomBytes(32))
    }
}
