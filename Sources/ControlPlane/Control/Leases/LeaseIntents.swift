import Mesh
import Postgres
import Store
import Wire

/// What our own database commits on a lease's way: the intent before its role is made, and the
/// activation after.
///
/// Requests for one target take turns for its quota anyway, so those that come while one commits go
/// into the next commit together. Each is judged by itself: one that is refused costs the others
/// nothing.
struct LeaseIntents: Sendable {
    /// Requests of one commit.
    static let roundMax = 32

    /// What one request comes with.
    struct Wish: Sendable {
        let request: LeaseRequest
        /// The profile as it was read, and the version of its target.
        let profile: LeaseProfile
        let targetVersion: Int64
        let caller: Caller
        let id: UUIDv7
        let term: LeaseTerm

        var name: LeaseID { LeaseID(profile: profile.name, id: id) }
    }

    enum Intent: Sendable {
        case new(LeaseRow, LeaseTerm)
        /// The same request was answered before, or was about to be.
        case again(LeaseRow)
    }

    /// A lease whose role is there, on behalf of whoever asked for it.
    struct Activation: Sendable {
        let lease: LeaseRow
        let caller: Caller
    }

    /// Whether a lease was active in time, and when.
    typealias Activated = (isActive: Bool, at: Timestamp)
    typealias Wishes = Rounds<TargetName, Wish, Intent>
    typealias Activations = Rounds<TargetName, Activation, Activated>

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Commits the intent to make a role for a request, within every quota.
    func commit(_ wish: Wish) async throws(ControlError) -> Intent {
        try await control.leaseDesk.wishes.answer(wish, in: wish.profile.target) { wishes in
            await Wishes.work(wishes) { wishes throws(ControlError) in
                try await control.actTogether { shared in
                    try await LeaseIntentRound(control: control, wishes: wishes, shared: shared)
                        .run()
                }
            }
        }
    }

    /// Commits that a credential may be handed out, unless its lease was given up meanwhile.
    func activate(
        _ lease: LeaseRow,
        by caller: Caller
    ) async throws(ControlError) -> Activated {
        let activation = Activation(lease: lease, caller: caller)
        return try await control.leaseDesk.activations.answer(activation, in: lease.plan.target) {
            activations in
            await Activations.work(activations) { activations throws(ControlError) in
                try await control.actTogether { shared in
                    try await activate(activations, shared)
                }
            }
        }
    }

    private func activate(
        _ activations: [Activation],
        _ shared: SharedTransaction
    ) async throws -> [Activations.Outcome] {
        let activated = try await LeaseRepository.activate(
            activations.map(\.lease.id),
            at: shared.at,
            in: shared.database
        )
        return activations.map { activation in
            let lease = activation.lease
            let isActive = activated.contains(lease.id)
            let act = shared.begin(
                activation.caller.entry(action: "lease.issue", resource: lease.name.description)
            )
            if !isActive { act.conclude(outcome: "refused", reason: "given_up") }
            act.describe([
                "principal": .string(lease.principal), "expires_at": .timestamp(lease.expiresAt),
            ])
            shared.keep(act)
            return .success((isActive, shared.at))
        }
    }
}
