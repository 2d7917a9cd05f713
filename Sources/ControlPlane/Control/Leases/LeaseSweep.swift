package import Mesh
import Observability
import Postgres
import Store
import Wire

/// The comparison of leases with the roles of their targets, in both directions: what nobody tracks is
/// removed, and what is gone is not counted as held.
package struct LeaseSweep: Sendable {
    /// What one sweep of a target found, and mended.
    package struct Findings: Equatable, Sendable {
        /// Roles that are marked as ours and belong to no open lease; removed since.
        package let orphans: Int
        /// Of these those that could not be removed.
        package let orphansLeft: Int
        /// Active leases without a role; ended since.
        package let missing: Int

        package init(orphans: Int, orphansLeft: Int, missing: Int) {
            self.orphans = orphans
            self.orphansLeft = orphansLeft
            self.missing = missing
        }
    }

    /// A role or lease that is younger than this may just be in the making.
    private static let grace: Duration = .seconds(120)
    /// How often each target is looked at.
    private static let interval: Duration = .seconds(3_600)
    /// Leases that ended longer ago than this are forgotten; the audit trail is not.
    private static let memory: Duration = .seconds(30 * 86_400)

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Sweeps every target whose turn it is, says how things stand, and forgets what is long over.
    package func runDue() async throws(ControlError) {
        // Also of tokens that expired while nobody looked, or while ending was held.
        try await control.leaseWork.endWithTokens(
            expiredAfter: Timestamp(nanosecondsSinceEpoch: 0)
        )
        let targets = try await control.read { database in
            let now = try await ServerRepository.time(in: database)
            return try await LeaseSweepRepository.due(before: now - Self.interval, in: database)
        }
        let parked = control.leaseDesk.parked(now: control.surroundings.instant())
        for target in targets where !parked.contains(target) {
            do throws(ControlError) {
                _ = try await run(target)
            } catch {
                control.logger.warning(
                    "a target was not swept",
                    ["target": .text(target.text), "error": .describing(error)]
                )
            }
        }
        try await measure()
        try await control.write { database in
            let now = try await ServerRepository.time(in: database)
            _ = try await LeaseWorkRepository.prune(
                closedBefore: now - Self.memory,
                in: database
            )
        }
    }

    /// Sweeps one target.
    package func run(_ target: TargetName) async throws(ControlError) -> Findings {
        guard let row = try await control.targets.row(target) else {
            throw Targets.notFound(target)
        }
        // By our clock before we look: a lease that is issued after this is not missed.
        let began = try await control.read { try await ServerRepository.time(in: $0) }
        let roles: [LeasedRole]
        let offset: Duration
        do throws(TargetFailure) {
            (roles, offset) = try await control.targets.run(on: row) {
                database throws(PostgresError) in
                let now = try await TargetRoles.time(in: database)
                return (
                    try await TargetRoles.marked(by: control.cluster.id, in: database), now - began
                )
            }
        } catch {
            throw Leases.complaint(about: target, error)
        }
        let isHeld = try await control.leases.hold() != nil
        let orphans = try await self.orphans(among: roles, at: began)
        let left = isHeld ? orphans.count : await remove(orphans, on: row)
        let missing = isHeld ? 0 : try await endMissing(target, roles, at: began)
        try await control.write { database in
            try await LeaseSweepRepository.record(
                target,
                at: began,
                orphans: left,
                missing: missing,
                clockOffsetSeconds: offset / .seconds(1),
                in: database
            )
        }
        control.metrics.gauge(MetricNames.leaseOrphans, labels: [target.text]).set(Int64(left))
        return Findings(orphans: orphans.count, orphansLeft: left, missing: missing)
    }

    private func orphans(
        among roles: [LeasedRole],
        at now: Timestamp
    ) async throws(ControlError) -> [LeasedRole] {
        let old = roles.filter { $0.lease.timestamp < now - Self.grace }
        guard !old.isEmpty else { return [] }
        let closed = try await control.read { database in
            Set(try await LeaseSweepRepository.closed(among: old.map(\.lease), in: database))
        }
        return old.filter { closed.contains($0.lease) }
    }

    /// - Returns: how many are still there.
    private func remove(_ orphans: [LeasedRole], on row: TargetRow) async -> Int {
        guard !orphans.isEmpty else { return 0 }
        let ending = RoleEnding(control: control, row: row)
        let names = orphans.map(\.name)
        let left: Int
        do {
            let busy = try await ending.endAccess(of: names)
            let gone = names.filter { !busy.contains($0) }
            left =
                try await ending.remove(gone.map { RoleEnding.Departure(role: $0) }).count
                + busy.count
        } catch {
            left = orphans.count
        }
        let entry = control.server.entry(
            action: "lease.sweep",
            resource: Targets.path(row.target.name),
            outcome: left == 0 ? "success" : "failed",
            reason: "orphan_roles"
        )
        _ = try? await control.spine.act(entry) { act in
            act.describe([
                "roles": .list(names.prefix(100).map { .string($0) }),
                "count": .number(names.count), "left": .number(left),
            ])
        }
        return left
    }

    /// Ends leases whose role somebody else removed.
    private func endMissing(
        _ target: TargetName,
        _ roles: [LeasedRole],
        at now: Timestamp
    ) async throws(ControlError) -> Int {
        let missing = try await control.read { database in
            try await LeaseSweepRepository.missing(
                on: target,
                issuedBefore: now - Self.grace,
                present: roles.map(\.lease),
                in: database
            )
        }
        guard !missing.isEmpty else { return 0 }
        try await control.act(
            control.server,
            action: "lease.sweep",
            resource: Targets.path(target)
        ) { act in
            for id in missing {
                _ = try await LeaseRepository.requestRevocation(
                    of: .lease(id),
                    because: "missing",
                    in: act.database
                )
            }
            act.conclude(outcome: "success", reason: "missing_roles")
            act.describe(["count": .number(missing.count)])
        }
        return missing.count
    }

    /// Says in the metrics how many leases are open where.
    private func measure() async throws(ControlError) {
        let counts = try await control.read { try await LeaseWorkRepository.openCounts(in: $0) }
        for state in LeaseState.allCases where state.isOpen {
            let targets = Set(counts.map(\.target))
            for target in targets {
                let count = counts.first { $0.target == target && $0.state == state }?.count ?? 0
                control.metrics.gauge(MetricNames.leasesOpen, labels: [target, state.rawValue])
                    .set(Int64(count))
            }
        }
    }
}

extension ControlPlane {
    /// The comparison of leases with the roles of their targets.
    package var leaseSweep: LeaseSweep { LeaseSweep(self) }
}
