package import Crypto
package import Mesh
import Observability
import Postgres
package import Store
import Wire

/// Servers on which roles are leased.
package struct Targets: Sendable {
    /// The longest password.
    package static let passwordBytesMax = 1_024

    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The canonical resource path of a target.
    package static func path(_ name: TargetName) -> String { "database/config/\(name)" }

    /// Stores a target, new or changed, once its administrator was seen to be one.
    ///
    /// Without a password the one that is stored stays.
    package func put(
        _ target: LeaseTarget,
        password: SecretBytes?,
        isVerified: Bool = true,
        if condition: Policies.VersionCondition? = nil,
        by caller: Caller
    ) async throws(ControlError) -> (row: TargetRow, isNew: Bool) {
        if case .socket = target.place, !control.leaseDesk.settings.allowsSockets {
            throw .invalid(
                "target.socket",
                field: "host",
                "must be a host: this server does not connect to targets through unix sockets"
            )
        }
        let known = try await row(target.name)
        if password == nil, let known, !known.target.isReachedLike(target) {
            throw .invalid(
                "target.password",
                field: "password",
                "is required where host, port, tls, database or username change: the stored one is"
                    + " shown to nobody else"
            )
        }
        let secret: SecretBytes
        if let password {
            secret = password
        } else if let known {
            secret = try self.password(of: known)
        } else {
            throw .invalid("target.password", field: "password", "is required for a new target")
        }
        if isVerified { try await verify(target, secret) }
        let outcome = try await control.act(
            caller,
            action: "target.put",
            resource: Self.path(target.name)
        ) { act in
            let old = try await TargetRepository.find(
                target.name,
                hold: .exclusive,
                guardedBy: control.rowGuard,
                in: act.database
            )
            try RowVersion.check(condition, old?.version, "target")
            // Whose password was checked above must be the one that is replaced.
            guard password != nil || old?.version == known?.version else {
                throw ControlError.conflict(
                    Complaint("target.changed", "the target was changed meanwhile: read it again")
                )
            }
            if let old { try await checkNothingHinders(old.target, target, act) }
            let last = try await TargetRepository.lastVersion(
                of: Self.path(target.name),
                in: act.database
            )
            let version = max(old?.version ?? 0, last) + 1
            let row = TargetRow(
                target: target,
                sealedPassword: try control.keyring.seal(
                    secret,
                    for: .targetAdmin,
                    at: Self.place(target.name, version),
                    randomBytes: control.surroundings.randomBytes
                ),
                version: version,
                createdAt: old?.createdAt ?? act.at,
                updatedAt: act.at,
                createdBy: old?.createdBy ?? caller.principal
            )
            try await TargetRepository.put(row, guardedBy: control.rowGuard, in: act.database)
            act.describe([
                "version": .number(version), "target": target.document,
                "password_changed": .bool(password != nil),
            ])
            return (row: row, isNew: old == nil)
        }
        await control.leaseDesk.sessions.forget(target.name)
        control.leaseDesk.succeeded(target.name)
        return outcome
    }

    /// Removes a target that has neither profiles nor open leases.
    package func delete(_ name: TargetName, by caller: Caller) async throws(ControlError) {
        do throws(ControlError) {
            try await control.act(
                caller,
                action: "target.delete",
                resource: Self.path(name)
            ) { act in
                let old = try await TargetRepository.find(
                    name,
                    hold: .exclusive,
                    guardedBy: control.rowGuard,
                    in: act.database
                )
                guard let old else { throw Self.notFound(name) }
                _ = try await TargetRepository.delete(name, in: act.database)
                act.describe(["version": .number(old.version + 1)])
            }
        } catch {
            guard error.code == "storage.referenced" else { throw error }
            throw .conflict(
                Complaint(
                    "target.in_use",
                    "profiles or leases of the target \(name) are left: delete the profiles and"
                        + " revoke the leases first, or decommission it where it is gone for good"
                )
            )
        }
        await control.leaseDesk.sessions.forget(name)
    }

    /// Says that a target is gone for good: its leases end without anybody going there.
    ///
    /// - Returns: how many leases are ended by it.
    package func decommission(
        _ name: TargetName,
        because reason: String,
        by caller: Caller
    ) async throws(ControlError) -> Int {
        try await control.act(
            caller,
            action: "target.put",
            resource: Self.path(name)
        ) { act in
            let old = try await TargetRepository.find(
                name,
                hold: .exclusive,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard let old else { throw Self.notFound(name) }
            let version = old.version + 1
            let row = TargetRow(
                target: old.target,
                sealedPassword: try control.keyring.seal(
                    try password(of: old),
                    for: .targetAdmin,
                    at: Self.place(name, version),
                    randomBytes: control.surroundings.randomBytes
                ),
                decommissionedAt: act.at,
                version: version,
                createdAt: old.createdAt,
                updatedAt: act.at,
                createdBy: old.createdBy
            )
            try await TargetRepository.put(row, guardedBy: control.rowGuard, in: act.database)
            let count = try await LeaseRepository.requestRevocation(
                of: .target(name),
                because: "decommissioned",
                in: act.database
            )
            act.describe([
                "version": .number(version), "decommissioned": .string(Redaction.text(reason)),
                "leases": .number(count),
            ])
            return count
        }
    }

    /// One target by name.
    package func find(_ name: TargetName) async throws(ControlError) -> TargetRow {
        guard let row = try await row(name) else { throw Self.notFound(name) }
        return row
    }

    /// One page in order of their names, after a name.
    package func list(
        after name: String? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> Page<TargetRow> {
        try await control.read { database in
            try await TargetRepository.list(
                after: name,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
        }
    }

    /// Roles that live on one server are not looked for on another, and nobody is named whose password
    /// is being changed.
    private func checkNothingHinders(
        _ old: LeaseTarget,
        _ new: LeaseTarget,
        _ act: AuditedTransaction
    ) async throws {
        let name = old.name
        if old.user != new.user {
            try await control.targetRotations.check(name, taking: new.user, act)
        }
        guard old.place != new.place else { return }
        let count = try await LeaseRepository.openCount(on: name, in: act.database)
        guard count > 0 else { return }
        throw ControlError.conflict(
            Complaint(
                "target.has_leases",
                "\(count) leases of the target \(name) are open: its roles are where it is now; make a"
                    + " target of another name, or wait until they have ended"
            )
        )
    }

    // MARK: For the work on leases

    func row(_ name: TargetName) async throws(ControlError) -> TargetRow? {
        try await control.read { database in
            try await TargetRepository.find(name, guardedBy: control.rowGuard, in: database)
        }
    }

    /// Runs a body as the administrator of a target, and keeps account of whether it answers.
    func run<Value: Sendable>(
        on row: TargetRow,
        database: String? = nil,
        _ body: (PostgresTransaction) async throws(PostgresError) -> Value
    ) async throws(TargetFailure) -> Value {
        let desk = control.leaseDesk
        do throws(TargetFailure) {
            let value = try await desk.sessions.run(
                on: row,
                database: database,
                password: { () throws(KeyError) in try open(row) },
                body
            )
            desk.succeeded(row.target.name)
            return value
        } catch {
            switch error {
            case .unreachable, .outcomeUnknown:
                // One database that does not let us in is not the target.
                guard error.concernsTarget, database == nil || database == row.target.database
                else { break }
                let pause = desk.failed(
                    row.target.name,
                    now: control.surroundings.instant(),
                    random: control.surroundings.fraction()
                )
                control.logger.warning(
                    "a target does not answer",
                    [
                        "target": .text(row.target.name.text), "error": .text("\(error)"),
                        "pause": .duration(pause),
                    ]
                )
            case .refused, .unusable: desk.succeeded(row.target.name)
            }
            throw error
        }
    }

    private func open(_ row: TargetRow) throws(KeyError) -> SecretBytes {
        try control.keyring.open(
            row.sealedPassword,
            for: .targetAdmin,
            at: Self.place(row.target.name, row.version)
        )
    }

    func password(of row: TargetRow) throws(ControlError) -> SecretBytes {
        do throws(KeyError) {
            return try open(row)
        } catch {
            control.logger.error("a target's password", ["error": .text("\(error)")])
            throw .faulted(Complaint("target.sealed", "the stored password cannot be opened"))
        }
    }

    /// Logs in as the administrator and looks whether roles can be made and how the clock goes.
    func verify(
        _ target: LeaseTarget,
        _ password: SecretBytes
    ) async throws(ControlError) {
        let text = password.withBytes { bytes in
            String(decoding: (0..<bytes.count).map { bytes[$0] }, as: UTF8.self)
        }
        let before = try await control.read { try await ServerRepository.time(in: $0) }
        let mayMakeRoles: Bool
        let now: Timestamp
        do throws(TargetFailure) {
            (mayMakeRoles, now) = try await control.leaseDesk.sessions.connect(
                to: target,
                as: target.user,
                password: text
            ) { connection throws(PostgresError) in
                try await connection.withTransaction(isolation: .readCommitted) {
                    database throws(PostgresError) in
                    (
                        try await TargetRoles.mayMakeRoles(in: database),
                        try await TargetRoles.time(in: database)
                    )
                }
            }
        } catch {
            throw .invalid(
                "target.unreachable",
                field: "host",
                "the administrator cannot log in: \(error)"
            )
        }
        guard mayMakeRoles else {
            throw .invalid(
                "target.rights",
                field: "username",
                "may not make roles there: ALTER ROLE … CREATEROLE"
            )
        }
        try control.leases.checkClock(of: target.name, offset: now - before)
    }

    static func place(_ name: TargetName, _ version: Int64) -> SealedPlace {
        SealedPlace(
            table: "lease_targets",
            column: "sealed_password",
            key: name.text,
            version: version
        )
    }

    static func notFound(_ name: TargetName) -> ControlError {
        .notFound(Complaint("target.not_found", "there is no target \(name)"))
    }
}

/// What `If-Match` asked of a row that counts its versions.
enum RowVersion {
    static func check(
        _ condition: Policies.VersionCondition?,
        _ version: Int64?,
        _ what: String
    ) throws(ControlError) {
        guard let condition, !condition(version) else { return }
        throw .preconditionFailed(
            Complaint(
                "\(what).changed",
                version.map { "the \(what) is at version \($0): read it again" }
                    ?? "the \(what) does not exist"
            )
        )
    }
}

extension ControlPlane {
    /// Servers on which roles are leased.
    package var targets: Targets { Targets(self) }
}
