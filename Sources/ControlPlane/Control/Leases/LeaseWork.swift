import Mesh
import Observability
import Postgres
import Reactor
import Store
import Wire

/// The work on leases that are due; every replica does it, and none of it twice.
package struct LeaseWork: Sendable {
    /// Leases that are taken at a time.
    private static let accessBatch = 500
    private static let cleanupBatch = 100
    /// Rounds on one target before its errand ends; others have errands of their own.
    private static let roundsMax = 200
    /// Targets that are worked on at a time.
    private static let targetsAtOnce = 8
    /// Errands that are under way at a time; one that hangs takes up one of them.
    private static let errandsMax = 64
    private static let pauseMax: Double = 300
    /// How far back tokens that expired are looked for again: a commit may take so long.
    private static let lookBack: Duration = .seconds(2)

    /// One kind of work on one target.
    struct Errand: Hashable {
        let stage: LeaseWorkRepository.Stage
        let target: TargetName
    }

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    private var desk: LeaseDesk { control.leaseDesk }

    /// One round: first access ends everywhere, then what is left is removed.
    package func run() async throws(ControlError) {
        try await endWithTokens()
        for stage in [LeaseWorkRepository.Stage.access, .cleanup] {
            let targets = try await dueTargets(for: stage)
            await each(of: targets) { target in
                await run(Errand(stage: stage, target: target))
            }
        }
    }

    /// Goes on until it is cancelled, looking for what is due at every interval.
    ///
    /// Each target is worked on by itself, and its ends apart from its tidying up: one that is slow
    /// keeps no other waiting.
    package func run(every interval: Duration) async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                // By itself: who waits for a lock here keeps no other lease from ending.
                try? await endWithTokens()
                do throws(ControlError) {
                    for stage in [LeaseWorkRepository.Stage.access, .cleanup] {
                        for target in try await dueTargets(for: stage) {
                            let errand = Errand(stage: stage, target: target)
                            // Tidying up leaves room for what ends access.
                            let most = Self.errandsMax / (stage == .access ? 1 : 2)
                            guard desk.begin(errand, most: most) else { continue }
                            group.addTask(executorPreference: control.pool.reactor) {
                                await run(errand)
                                desk.finish(errand)
                            }
                        }
                    }
                } catch {
                    // The log has it; who cannot be asked now is asked again.
                    try? await control.pool.reactor.sleep(for: .seconds(2))
                }
                do throws(CancellationError) {
                    try await control.pool.reactor.sleep(for: interval)
                } catch {
                    return
                }
            }
        }
    }

    private func dueTargets(
        for stage: LeaseWorkRepository.Stage
    ) async throws(ControlError) -> [TargetName] {
        let began = control.surroundings.instant()
        let parked = desk.parked(now: began)
        let targets = try await control.read { database in
            try await LeaseWorkRepository.dueTargets(for: stage, except: parked, in: database)
        }
        let took = began.duration(to: control.surroundings.instant())
        control.metrics.histogram(MetricNames.leaseProbe).observe(took / .seconds(1))
        return targets
    }

    private func run(_ errand: Errand) async {
        switch errand.stage {
        case .access: await endAccess(of: errand.target)
        case .cleanup: await cleanUp(errand.target)
        }
    }

    /// Makes due what was leased with tokens that have expired since they were last looked for.
    private func endWithTokens() async throws(ControlError) {
        // What had expired before this process began is found by the sweep.
        let since = desk.tokensUnseenSince.map { $0 - Self.lookBack }
        let (isAny, now) = try await control.read { database in
            let now = try await ServerRepository.time(in: database)
            return try await LeaseRepository.tokensExpired(
                after: since ?? now - Self.lookBack,
                in: database
            )
        }
        if isAny { try await endWithTokens(expiredAfter: since ?? now - Self.lookBack) }
        desk.sawTokens(until: now)
    }

    /// Makes due what was leased with tokens that expired after a time, and with all below these.
    func endWithTokens(expiredAfter time: Timestamp) async throws(ControlError) {
        try await control.write { database in
            // Whoever is renewing a token at this moment comes first.
            try await ClusterRepository.shareIdentity(in: database)
            _ = try await LeaseRepository.endWithTokens(expiredAfter: time, in: database)
        }
    }

    private func each(
        of targets: [TargetName],
        _ work: @escaping @Sendable (TargetName) async -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            var waiting = targets[...]
            for target in waiting.prefix(Self.targetsAtOnce) {
                group.addTask(executorPreference: control.pool.reactor) { await work(target) }
            }
            waiting = waiting.dropFirst(Self.targetsAtOnce)
            while await group.next() != nil {
                guard let target = waiting.popFirst() else { continue }
                group.addTask(executorPreference: control.pool.reactor) { await work(target) }
            }
        }
    }

    /// Ends the access of what is due on some targets.
    func endAccess(of targets: [TargetName]) async {
        await each(of: targets) { target in await endAccess(of: target) }
    }

    /// Ends the access of what is due on one target.
    func endAccess(of target: TargetName) async {
        for _ in 0..<Self.roundsMax {
            guard await round(.access, of: target, limit: Self.accessBatch, endAccess) else {
                return
            }
        }
    }

    /// Removes what is left of leases on one target.
    func cleanUp(_ target: TargetName) async {
        for _ in 0..<Self.roundsMax {
            guard await round(.cleanup, of: target, limit: Self.cleanupBatch, cleanUp) else {
                return
            }
        }
    }

    /// - Returns: whether there may be more.
    private func round(
        _ stage: LeaseWorkRepository.Stage,
        of target: TargetName,
        limit: Int,
        _ work: ([LeaseRow], TargetRow) async throws -> Void
    ) async -> Bool {
        guard desk.pause(of: target, now: control.surroundings.instant()) == nil else {
            return false
        }
        do {
            let (leases, row) = try await control.write { database in
                let leases = try await LeaseWorkRepository.claim(
                    stage,
                    of: target,
                    by: desk.worker,
                    limit: limit,
                    guardedBy: control.rowGuard,
                    in: database
                )
                let row = try await TargetRepository.find(
                    target,
                    guardedBy: control.rowGuard,
                    in: database
                )
                return (leases, row)
            }
            guard !leases.isEmpty else { return false }
            guard let row else {
                // A forged target: nobody is sent there.
                try await postpone(leases, seconds: 60, because: "target_absent")
                return false
            }
            do {
                try await work(leases, row)
            } catch let failure as TargetFailure {
                try await postpone(leases, after: failure, on: target)
                return false
            }
            return leases.count == limit
        } catch {
            control.logger.warning(
                "work on leases was left",
                ["target": .text(target.text), "error": .text("\(error)")]
            )
            return false
        }
    }

    // MARK: Access

    private func endAccess(_ leases: [LeaseRow], on row: TargetRow) async throws {
        guard row.decommissionedAt == nil else {
            try await settle(leases, reason: "decommissioned")
            return try await close(leases)
        }
        let ending = RoleEnding(control: control, row: row)
        do throws(TargetFailure) {
            let left = try await ending.endAccess(of: leases.map { LeasedRole.name(of: $0.id) })
            try await settle(leases, left: left)
        } catch {
            // One role that cannot be locked out must not keep the others.
            guard case .refused = error, leases.count > 1 else { throw error }
            for lease in leases {
                do throws(TargetFailure) {
                    let left = try await ending.endAccess(of: [LeasedRole.name(of: lease.id)])
                    try await settle([lease], left: left)
                } catch {
                    guard case .refused = error else { throw error }
                    try await postpone([lease], after: error, on: row.target.name)
                }
            }
        }
    }

    private func settle(_ leases: [LeaseRow], left: [String]) async throws(TargetFailure) {
        do throws(ControlError) {
            let ended = leases.filter { !left.contains(LeasedRole.name(of: $0.id)) }
            if !ended.isEmpty { try await settle(ended) }
            let rest = leases.filter { left.contains(LeasedRole.name(of: $0.id)) }
            if !rest.isEmpty { try await postpone(rest, seconds: 1, because: "sessions_remain") }
        } catch {
            throw .unusable("the database: \(error)")
        }
    }

    /// Keeps that the access of these has ended, with a record of each.
    private func settle(
        _ leases: [LeaseRow],
        reason: String? = nil
    ) async throws(ControlError) {
        guard let first = leases.first else { return }
        let ended = try await control.act(
            control.server,
            action: "lease.end",
            resource: first.name.description
        ) { act in
            let ended = try await LeaseWorkRepository.endAccess(
                of: leases.map(\.id),
                by: desk.worker,
                at: act.at,
                in: act.database
            )
            let late = Dictionary(
                ended.map { ($0.id, act.at - $0.dueAt) },
                uniquingKeysWith: { first, _ in first }
            )
            for (index, lease) in leases.enumerated() {
                let entry = entry(lease, reason: reason, late: late[lease.id])
                if index > 0 {
                    act.audit(entry)
                } else {
                    act.conclude(outcome: entry.outcome, reason: entry.reason)
                    act.describe(entry.detail ?? .null)
                }
            }
            return late
        }
        let histogram = control.metrics.histogram(MetricNames.leaseEndDelay)
        for delay in ended.values { histogram.observe(delay / .seconds(1)) }
    }

    private func entry(_ lease: LeaseRow, reason: String?, late: Duration?) -> AuditEntry {
        let why = reason ?? lease.revokeReason ?? (lease.issuedAt == nil ? "not_issued" : "expired")
        var entry = control.server.entry(
            action: "lease.end",
            resource: lease.name.description,
            outcome: late == nil ? "unchanged" : "success",
            reason: why
        )
        entry.detail = .fields([
            "principal": .string(lease.principal),
            "late_ms": late.map { Document.number($0.nanosecondsClamped / 1_000_000) },
        ])
        return entry
    }

    // MARK: What is left

    private func cleanUp(_ leases: [LeaseRow], on row: TargetRow) async throws {
        guard row.decommissionedAt == nil else { return try await close(leases) }
        let ending = RoleEnding(control: control, row: row)
        // Whoever began a session in the very moment of the lock-out is found now.
        let busy = try await ending.endAccess(of: leases.map { LeasedRole.name(of: $0.id) })
        var left = try await ending.remove(
            leases.filter { !busy.contains(LeasedRole.name(of: $0.id)) }
                .map { RoleEnding.Departure($0) }
        )
        for role in busy { left[role] = "sessions_remain" }
        try await close(leases.filter { left[LeasedRole.name(of: $0.id)] == nil })
        for lease in leases {
            guard let reason = left[LeasedRole.name(of: lease.id)] else { continue }
            let seconds = min(Self.pauseMax, Double(1 << min(lease.attempts, 16)))
            try await postpone([lease], seconds: seconds, because: reason)
        }
    }

    private func close(_ leases: [LeaseRow]) async throws(ControlError) {
        guard !leases.isEmpty else { return }
        let closed = try await control.write { database in
            try await LeaseWorkRepository.close(
                leases.map(\.id),
                by: desk.worker,
                at: try await ServerRepository.time(in: database),
                in: database
            )
        }
        control.metrics.counter(MetricNames.leasesEnded).increment(by: closed.count)
    }

    // MARK: Not now

    private func postpone(
        _ leases: [LeaseRow],
        after failure: TargetFailure,
        on target: TargetName
    ) async throws(ControlError) {
        let pause = desk.pause(of: target, now: control.surroundings.instant())
        let backoff = Double(1 << min(leases.map(\.attempts).max() ?? 0, 16))
        let seconds = pause.map { $0 / .seconds(1) } ?? min(Self.pauseMax, backoff)
        try await postpone(leases, seconds: seconds, because: failure.word)
    }

    private func postpone(
        _ leases: [LeaseRow],
        seconds: Double,
        because error: String
    ) async throws(ControlError) {
        try await control.write { database in
            try await LeaseWorkRepository.postpone(
                leases.map(\.id),
                by: desk.worker,
                seconds: seconds,
                because: error,
                in: database
            )
        }
    }
}

extension ControlPlane {
    /// The work on leases that are due.
    package var leaseWork: LeaseWork { LeaseWork(self) }
}
