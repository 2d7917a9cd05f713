import Mesh
import Postgres
import Store
import Wire

/// Requests for leases on one target in one transaction.
///
/// Locks come in one order for all rounds of all replicas: identity, holders by name, the target, its
/// profiles by name.
struct LeaseIntentRound {
    private typealias Wish = LeaseIntents.Wish
    private typealias Outcome = LeaseIntents.Wishes.Outcome

    /// A request that was not refused so far.
    private struct Candidate {
        let index: Int
        let wish: Wish
        let act: AuditedTransaction
        let holder: String
    }

    private let control: ControlPlane
    private let wishes: [Wish]
    private let shared: SharedTransaction

    init(control: ControlPlane, wishes: [LeaseIntents.Wish], shared: SharedTransaction) {
        self.control = control
        self.wishes = wishes
        self.shared = shared
    }

    /// The answers in the order of the requests.
    func run() async throws -> [LeaseIntents.Wishes.Outcome] {
        guard let target = wishes.first?.profile.target else { return [] }
        var outcomes: [Int: Outcome] = [:]
        var candidates = try await living(&outcomes)
        if !candidates.isEmpty {
            try await LeaseRepository.lock(
                holders: Set(candidates.map(\.holder)),
                in: shared.database
            )
            candidates = try await unanswered(candidates, &outcomes)
        }
        if !candidates.isEmpty { try await commit(candidates, on: target, &outcomes) }
        return wishes.indices.map { outcomes[$0] ?? .failure(Self.changed("target")) }
    }

    /// Those whose tokens live: a revocation that is under way waits for this, or is seen here.
    private func living(_ outcomes: inout [Int: Outcome]) async throws -> [Candidate] {
        var holders: [UUIDv7: Result<String, ControlError>] = [:]
        var candidates: [Candidate] = []
        for (index, wish) in wishes.enumerated() {
            let act = shared.begin(
                wish.caller.entry(action: "lease.create", resource: wish.name.description)
            )
            let known = wish.caller.accessor.flatMap { holders[$0] }
            let holder: Result<String, ControlError>
            if let known {
                holder = known
            } else {
                holder = try await Self.judged {
                    try await control.tokens.checkLives(wish.caller, act, isLasting: true)
                }
            }
            if let accessor = wish.caller.accessor { holders[accessor] = holder }
            switch holder {
            case .success(let holder):
                candidates.append(Candidate(index: index, wish: wish, act: act, holder: holder))
            case .failure(let refusal): outcomes[index] = .failure(refusal)
            }
        }
        return candidates
    }

    /// Those that were not asked for before under the key that names them.
    private func unanswered(
        _ candidates: [Candidate],
        _ outcomes: inout [Int: Outcome]
    ) async throws -> [Candidate] {
        var named: Set<[String]> = []
        var left: [Candidate] = []
        for candidate in candidates {
            let wish = candidate.wish
            guard let key = wish.request.idempotencyKey else {
                left.append(candidate)
                continue
            }
            guard named.insert([wish.caller.principal, key]).inserted else {
                outcomes[candidate.index] = .failure(Self.inProgress)
                continue
            }
            let known = try await LeaseRepository.find(
                principal: wish.caller.principal,
                idempotencyKey: key,
                guardedBy: control.rowGuard,
                in: shared.database
            )
            guard let known else {
                left.append(candidate)
                continue
            }
            if let refusal = Self.refusal(of: known, for: wish.request) {
                outcomes[candidate.index] = .failure(refusal)
                continue
            }
            candidate.act.concern(known.name.description)
            candidate.act.conclude(outcome: "unchanged")
            shared.keep(candidate.act)
            outcomes[candidate.index] = .success(.again(known))
        }
        return left
    }

    private func commit(
        _ candidates: [Candidate],
        on name: TargetName,
        _ outcomes: inout [Int: Outcome]
    ) async throws {
        // From here on nobody else asks for a lease on this target before we have committed.
        let target = try await TargetRepository.find(
            name,
            hold: .counted,
            guardedBy: control.rowGuard,
            in: shared.database
        )
        let counts = try await LeaseRepository.openCounts(
            holders: Set(candidates.map(\.holder)),
            profiles: Set(candidates.map(\.wish.profile.name)),
            target: name,
            in: shared.database
        )
        // What was tightened or removed meanwhile is not given any more.
        var standing: [ProfileName: LeaseProfile] = [:]
        for profile in Set(candidates.map(\.wish.profile.name)) {
            standing[profile] = try await ProfileRepository.find(
                profile,
                guardedBy: control.rowGuard,
                in: shared.database
            )?.profile
        }
        var room = LeaseRoom(counts, holderMax: control.leaseDesk.settings.principalMax)
        var leases: [(lease: LeaseRow, holder: String)] = []
        for candidate in candidates {
            let wish = candidate.wish
            guard let target, target.version == wish.targetVersion else {
                outcomes[candidate.index] = .failure(Self.changed("target"))
                continue
            }
            guard standing[wish.profile.name] == wish.profile else {
                outcomes[candidate.index] = .failure(Self.changed("profile"))
                continue
            }
            if let refusal = room.take(wish.profile, target.target, for: candidate.holder) {
                outcomes[candidate.index] = .failure(refusal)
                continue
            }
            let lease = lease(wish)
            leases.append((lease, candidate.holder))
            candidate.act.describe([
                "profile": .string(wish.profile.name.text), "target": .string(name.text),
                "ttl": .string(DurationText.format(wish.term.duration)),
                "role": .string(LeasedRole.name(of: lease.id)),
            ])
            shared.keep(candidate.act)
            outcomes[candidate.index] = .success(.new(lease, wish.term))
        }
        try await LeaseRepository.insert(leases, guardedBy: control.rowGuard, in: shared.database)
    }

    private func lease(_ wish: LeaseIntents.Wish) -> LeaseRow {
        LeaseRow(
            id: wish.id,
            plan: wish.profile,
            principal: wish.caller.principal,
            token: wish.caller.accessor,
            sourceAddress: wish.caller.sourceAddress,
            idempotencyKey: wish.request.idempotencyKey,
            createdAt: shared.at,
            createBefore: shared.at + control.leaseDesk.settings.createWithin,
            expiresAt: shared.at + wish.term.duration,
            maxExpiresAt: shared.at + wish.term.most
        )
    }

    // MARK: Refusals

    /// What a rule says; a failure of the database is one for the whole round.
    private static func judged(
        _ rule: () async throws -> String
    ) async throws -> Result<String, ControlError> {
        do {
            return .success(try await rule())
        } catch let refusal as ControlError {
            return .failure(refusal)
        }
    }

    private static func refusal(of known: LeaseRow, for request: LeaseRequest) -> ControlError? {
        guard known.plan.name == request.profile else {
            return .conflict(
                Complaint(
                    "lease.other_request",
                    "this key named a request for the profile \(known.plan.name): use another key"
                )
            )
        }
        return known.state == .active && known.isAuthentic ? nil : inProgress
    }

    private static var inProgress: ControlError {
        .conflict(
            Complaint(
                "lease.in_progress",
                "the same request is being answered, or its first answer is being taken back:"
                    + " try again in a minute"
            )
        )
    }

    private static func changed(_ what: String) -> ControlError {
        .conflict(Complaint("\(what).changed", "the \(what) was changed meanwhile: ask again"))
    }
}

/// What may still be leased, counted down as it is given away.
struct LeaseRoom {
    private var counts: LeaseRepository.OpenCounts
    private let holderMax: Int

    init(_ counts: LeaseRepository.OpenCounts, holderMax: Int) {
        self.counts = counts
        self.holderMax = holderMax
    }

    /// Takes room for one lease, or says whose is used up.
    mutating func take(
        _ profile: LeaseProfile,
        _ target: LeaseTarget,
        for holder: String
    ) -> ControlError? {
        let bounds = [
            (
                "this token, with those above and below it,", counts.ofHolders[holder, default: 0],
                holderMax
            ),
            (
                "the profile \(profile.name)", counts.ofProfiles[profile.name, default: 0],
                profile.leasesMax
            ),
            ("the target \(profile.target)", counts.ofTarget, target.leasesMax),
        ]
        for (owner, count, most) in bounds where count >= most {
            return .tooMany(
                Complaint(
                    "lease.too_many",
                    "\(owner) has \(count) open leases and may have \(most): revoke some, or wait"
                        + " until they end"
                ),
                retryAfter: .seconds(10)
            )
        }
        counts.ofHolders[holder, default: 0] += 1
        counts.ofProfiles[profile.name, default: 0] += 1
        counts.ofTarget += 1
        return nil
    }
}
