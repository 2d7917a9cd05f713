package import Mesh
import Postgres
import Reactor
package import Store
package import Wire

extension Leases {
    /// How long a revocation waits for the access to end, where it is asked to.
    private static let patience: Duration = .seconds(10)

    /// Lets a lease live longer, or shorter, counted from now.
    ///
    /// The target is told first: if the commit then fails, the password is good for longer than the
    /// lease, whose end is enforced all the same. A role that is locked out stays so.
    ///
    /// - Returns: the lease with its new end, and what was cut from what was asked for.
    package func renew(
        _ name: LeaseID,
        by increment: Duration?,
        by caller: Caller
    ) async throws(ControlError) -> (lease: LeaseRow, remaining: Duration, warnings: [String]) {
        let (known, now) = try await control.read { database in
            (
                try await LeaseRepository.find(
                    name.id,
                    guardedBy: control.rowGuard,
                    in: database
                ),
                try await ServerRepository.time(in: database)
            )
        }
        guard var lease = known, lease.name == name else { throw Self.notFound(name) }
        guard lease.state == .active, lease.isAuthentic, lease.expiresAt > now else {
            throw Self.ending(name)
        }
        let term = LeaseTerm.renewed(
            asked: increment,
            default: lease.plan.defaultTTL,
            left: lease.maxExpiresAt - now
        )
        guard let term else {
            throw .conflict(
                Complaint(
                    "lease.max_ttl",
                    "the lease \(name) has reached its longest life: ask for a new one"
                )
            )
        }
        guard let target = try await control.targets.row(lease.plan.target) else {
            throw Targets.notFound(lease.plan.target)
        }
        let role = LeasedRole(
            lease: lease.id,
            cluster: control.cluster.id,
            generation: lease.generation
        )
        do throws(TargetFailure) {
            try await control.targets.run(on: target) { database throws(PostgresError) in
                try await TargetRoles.renew(role, for: term.duration, in: database)
            }
        } catch {
            throw Self.complaint(about: target.target.name, error)
        }
        let (end, renewedAt): (Timestamp?, Timestamp) = try await control.act(
            caller,
            action: "lease.renew",
            resource: name.description
        ) { act in
            let end = min(act.at + term.duration, lease.maxExpiresAt)
            guard try await LeaseRepository.renew(name.id, until: end, in: act.database) else {
                act.conclude(outcome: "refused", reason: "ending")
                return (nil, act.at)
            }
            act.describe(["expires_at": .timestamp(end)])
            return (end, act.at)
        }
        guard let end else { throw Self.ending(name) }
        lease.expiresAt = end
        lease.renewedAt = renewedAt
        return (lease, end - renewedAt, term.warnings)
    }

    /// Ends a lease before its time, for ever; doing it again changes nothing.
    ///
    /// - Returns: the lease; its access has ended where `isAwaited` and its target answered in time.
    @discardableResult
    package func revoke(
        _ name: LeaseID,
        isAwaited: Bool,
        by caller: Caller
    ) async throws(ControlError) -> LeaseRow {
        let known = try await find(name)
        try await control.act(
            caller,
            action: "lease.revoke",
            resource: name.description
        ) { act in
            let count = try await LeaseRepository.requestRevocation(
                of: .lease(name.id),
                because: "revoked",
                in: act.database
            )
            if count == 0 { act.conclude(outcome: "unchanged") }
        }
        if isAwaited { _ = try await awaitEnd(of: .lease(known.id)) }
        return try await find(name)
    }

    /// Ends every open lease whose name begins so.
    ///
    /// - Returns: how many were not on their way out already, and whether nobody has access by any
    ///   of them any more, which is not waited for unless `isAwaited`.
    package func revokeAll(
        below prefix: LeasePrefix,
        isAwaited: Bool,
        by caller: Caller
    ) async throws(ControlError) -> (count: Int, isOver: Bool) {
        let (selection, path): (LeaseRepository.Selection, String) =
            switch prefix {
            case .all: (.all, LeaseID.pathPrefix)
            case .profile(let profile): (.profile(profile), Self.path(profile))
            case .lease(let name): (.lease(name.id), name.description)
            }
        if case .lease(let name) = prefix { _ = try await find(name) }
        let count = try await control.act(
            caller,
            action: "lease.revoke_all",
            resource: path
        ) { act in
            let count = try await LeaseRepository.requestRevocation(
                of: selection,
                because: "revoked",
                in: act.database
            )
            act.describe(["leases": .number(count)])
            return count
        }
        guard isAwaited else { return (count, false) }
        return (count, try await awaitEnd(of: selection))
    }

    /// - Returns: whether the access ended in time.
    private func awaitEnd(
        of selection: LeaseRepository.Selection
    ) async throws(ControlError) -> Bool {
        let deadline = control.surroundings.instant().advanced(by: Self.patience)
        while true {
            let targets = try await control.read { database in
                try await LeaseRepository.targetsWithAccess(of: selection, in: database)
            }
            if targets.isEmpty { return true }
            guard control.surroundings.instant() < deadline else { return false }
            await control.leaseWork.endAccess(of: targets)
            do {
                try await control.pool.reactor.sleep(for: .milliseconds(20))
            } catch {
                return false
            }
        }
    }

    /// Since when and why ending leases by themselves is held; nil where it is not.
    package func hold() async throws(ControlError) -> (since: Timestamp, reason: String)? {
        try await control.read { try await LeaseSweepRepository.hold(in: $0) }
    }

    /// Holds the end of leases where this database may know less than the targets do: after a restore.
    ///
    /// - Returns: whether there is a target, and so anything to hold.
    package func hold(
        because reason: String,
        by caller: Caller
    ) async throws(ControlError) -> Bool {
        guard try await !control.targets.list(limit: 1).items.isEmpty else { return false }
        return try await control.act(caller, action: "lease.hold", resource: "leases") { act in
            let isChanged = try await LeaseSweepRepository.setHold(reason, in: act.database)
            act.conclude(outcome: isChanged ? "success" : "unchanged", reason: reason)
            return true
        }
    }

    /// Lets leases end by themselves again after a restore.
    ///
    /// Until then a lease that was renewed after the backup, of which this database knows nothing,
    /// would be ended under its holder.
    ///
    /// - Returns: whether they were held.
    package func release(by caller: Caller) async throws(ControlError) -> Bool {
        try await control.act(caller, action: "lease.release", resource: "leases") { act in
            let isChanged = try await LeaseSweepRepository.setHold(nil, in: act.database)
            if !isChanged { act.conclude(outcome: "unchanged") }
            return isChanged
        }
    }
}
