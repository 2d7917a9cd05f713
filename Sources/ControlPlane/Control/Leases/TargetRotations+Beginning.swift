import Crypto
import Mesh
import Postgres
import Store
import Wire

extension TargetRotations {
    /// Commits who takes over, with the password, before anybody is told on the target.
    func begin(
        _ name: TargetName,
        by caller: Caller
    ) async throws(ControlError) -> TargetRotationRow {
        let row = try await control.targets.find(name)
        guard row.decommissionedAt == nil else {
            throw .conflict(
                Complaint("target.decommissioned", "the target \(name) is gone for good")
            )
        }
        guard let deputy = row.target.rotationUser else {
            throw .invalid(
                "target.rotation_username",
                field: "rotation_username",
                "is required on the target \(name): a second administrator, who takes over once its"
                    + " login was seen to work"
            )
        }
        try await checkDeputy(deputy, of: row)
        var bytes = Array(LeasePassword.make(control.surroundings.randomBytes).utf8)
        let password = SecretBytes(taking: &bytes)
        return try await control.act(
            caller,
            action: "target.rotate",
            resource: Targets.path(name)
        ) { act in
            let held = try await TargetRepository.find(
                name,
                hold: .exclusive,
                guardedBy: control.rowGuard,
                in: act.database
            )
            let pending = try await TargetRotationRepository.find(
                name,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard pending == nil else { throw Self.underWay(name) }
            guard held?.version == row.version else { throw Self.changed(name) }
            let rotation = TargetRotationRow(
                target: name,
                targetVersion: row.version,
                user: deputy,
                formerUser: row.target.user,
                sealedPassword: try control.keyring.seal(
                    password,
                    for: .targetAdmin,
                    at: Self.place(name, row.version),
                    randomBytes: control.surroundings.randomBytes
                ),
                createdAt: act.at,
                createdBy: caller.principal
            )
            try await TargetRotationRepository.insert(
                rotation,
                guardedBy: control.rowGuard,
                in: act.database
            )
            act.describe(["from": .string(row.target.user), "to": .string(deputy)])
            return rotation
        }
    }

    private func checkDeputy(_ deputy: String, of row: TargetRow) async throws(ControlError) {
        let problem: TargetRoles.DeputyProblem?
        do throws(TargetFailure) {
            problem = try await control.targets.run(on: row) { database throws(PostgresError) in
                try await TargetRoles.problem(ofDeputy: deputy, in: database)
            }
        } catch {
            throw Leases.complaint(about: row.target.name, error)
        }
        guard let problem else { return }
        throw .invalid(
            "target.rotation_username",
            field: "rotation_username",
            "\(deputy) cannot take over: \(Self.text(of: problem, row.target.user))"
        )
    }

    private static func text(of problem: TargetRoles.DeputyProblem, _ user: String) -> String {
        switch problem {
        case .absent: "there is no such role"
        case .noLogin: "it may not log in: ALTER ROLE … LOGIN"
        case .noRoles: "it may not make roles: ALTER ROLE … CREATEROLE"
        case .ownRoles:
            "from PostgreSQL 16 on, only superusers can take turns: others end no role that another made"
        case .memberships: "it is a member of less than \(user): GRANT it the same roles"
        }
    }
}
