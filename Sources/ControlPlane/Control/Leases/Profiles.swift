import Crypto
package import Mesh
import Postgres
package import Store
import Wire

/// What leased credentials may do.
package struct Profiles: Sendable {
    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The canonical resource path of a profile.
    package static func path(_ name: ProfileName) -> String { "database/roles/\(name)" }

    /// Stores a profile, new or changed, once a lease of it was issued, used and revoked on its
    /// target: one that cannot be revoked is never issued.
    package func put(
        _ profile: LeaseProfile,
        if condition: Policies.VersionCondition? = nil,
        by caller: Caller
    ) async throws(ControlError) -> (row: ProfileRow, isNew: Bool) {
        let target = try await control.targets.row(profile.target)
        guard let target, target.decommissionedAt == nil else {
            throw .invalid(
                "profile.target",
                field: "target",
                "there is no target \(profile.target), or it is decommissioned"
            )
        }
        guard target.target.allows(profile.name) else {
            throw .forbidden(
                Complaint(
                    "profile.not_allowed",
                    "the target \(profile.target) does not allow a profile \(profile.name): add it to"
                        + " allowed_profiles"
                )
            )
        }
        // What a trial does on the target is done whatever comes of it, so it is told before.
        try await control.act(
            caller,
            action: "profile.trial",
            resource: Self.path(profile.name)
        ) { act in
            act.describe([
                "target": .string(profile.target.text),
                "profile_digest": .string(
                    SHA256.digest(of: JSON.canonical(profile.document)).hex
                ),
            ])
        }
        try await Preflight(control: control, row: target).run(profile)
        return try await control.act(
            caller,
            action: "profile.put",
            resource: Self.path(profile.name)
        ) { act in
            // Who deletes the target meanwhile waits, or is found.
            let current = try await TargetRepository.find(
                profile.target,
                hold: .exclusive,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard current?.version == target.version else {
                throw ControlError.conflict(
                    Complaint("target.changed", "the target was changed meanwhile: try again")
                )
            }
            let old = try await ProfileRepository.find(
                profile.name,
                guardedBy: control.rowGuard,
                in: act.database
            )
            try RowVersion.check(condition, old?.version, "profile")
            let last = try await TargetRepository.lastVersion(
                of: Self.path(profile.name),
                in: act.database
            )
            let row = ProfileRow(
                profile: profile,
                preflightedAt: act.at,
                version: max(old?.version ?? 0, last) + 1,
                createdAt: old?.createdAt ?? act.at,
                updatedAt: act.at,
                createdBy: old?.createdBy ?? caller.principal
            )
            try await ProfileRepository.put(row, guardedBy: control.rowGuard, in: act.database)
            act.describe(["version": .number(row.version), "profile": profile.document])
            return (row: row, isNew: old == nil)
        }
    }

    /// Removes a profile; leases of it live on as long as they were given.
    package func delete(_ name: ProfileName, by caller: Caller) async throws(ControlError) {
        try await control.act(
            caller,
            action: "profile.delete",
            resource: Self.path(name)
        ) { act in
            let old = try await ProfileRepository.find(
                name,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard let old else { throw Self.notFound(name) }
            _ = try await ProfileRepository.delete(name, in: act.database)
            act.describe(["version": .number(old.version + 1)])
        }
    }

    /// One profile by name.
    package func find(_ name: ProfileName) async throws(ControlError) -> ProfileRow {
        let row = try await control.read { database in
            try await ProfileRepository.find(name, guardedBy: control.rowGuard, in: database)
        }
        guard let row else { throw Self.notFound(name) }
        return row
    }

    /// One page in order of their names, after a name.
    package func list(
        after name: String? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> Page<ProfileRow> {
        try await control.read { database in
            try await ProfileRepository.list(
                after: name,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
        }
    }

    static func notFound(_ name: ProfileName) -> ControlError {
        .notFound(Complaint("profile.not_found", "there is no profile \(name)"))
    }
}

extension ControlPlane {
    /// What leased credentials may do.
    package var profiles: Profiles { Profiles(self) }
}
