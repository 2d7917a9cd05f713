import Mesh
import Observability
import Postgres
import Reactor
import Store
import Wire

/// The steps by which leased roles end on one target; each may be done twice.
struct RoleEnding {
    /// How long the end of sessions is waited for.
    private static let patience: Duration = .seconds(2)
    private static let pause: Duration = .milliseconds(20)

    /// A role that is to go, with the plan by which it was made; nil where that is not known, or not
    /// to be believed.
    struct Departure {
        let role: String
        let plan: LeaseProfile.Plan?

        init(role: String, plan: LeaseProfile.Plan? = nil) {
            self.role = role
            self.plan = plan
        }

        init(_ lease: LeaseRow) {
            self.init(
                role: LeasedRole.name(of: lease.id),
                plan: lease.isAuthentic ? lease.plan.plan : nil
            )
        }

        var heir: String? {
            guard case .managed(let managed)? = plan else { return nil }
            return managed.heir
        }

        var statements: [StatementTemplate] {
            guard case .raw(let raw)? = plan else { return [] }
            return raw.revocation.compactMap { StatementTemplate($0) }
        }
    }

    let control: ControlPlane
    let row: TargetRow

    /// Lets nobody log in as these any more, and ends their sessions.
    ///
    /// Locking out is committed first: a session that begins after that is refused, and one that
    /// began before is found.
    ///
    /// - Returns: those that still have access.
    func endAccess(of roles: [String]) async throws(TargetFailure) -> [String] {
        guard !roles.isEmpty else { return [] }
        try await run { database throws(PostgresError) in
            try await TargetRoles.lockOut(roles, in: database)
        }
        let deadline = control.surroundings.instant().advanced(by: Self.patience)
        var left = roles
        while true {
            // What sessions there are is read once in a transaction, so each step has its own.
            let asked = left
            _ = try await run { database throws(PostgresError) in
                try await TargetRoles.terminateSessions(of: asked, in: database)
            }
            left = try await run { database throws(PostgresError) in
                try await TargetRoles.withAccess(among: asked, in: database)
            }
            guard !left.isEmpty, control.surroundings.instant() < deadline else { return left }
            try? await control.pool.reactor.sleep(for: Self.pause)
        }
    }

    /// Removes roles whose access has ended; what they made goes to their heirs.
    ///
    /// - Returns: those that are still there, with why.
    func remove(_ departures: [Departure]) async throws(TargetFailure) -> [String: String] {
        var failed: [String: String] = [:]
        let asked = departures.map(\.role)
        let there = try await run { database throws(PostgresError) in
            try await TargetRoles.present(among: asked, in: database)
        }
        let departures = departures.filter { there.contains($0.role) }
        guard !departures.isEmpty else { return [:] }
        for departure in departures where !departure.statements.isEmpty {
            let statements = departure.statements
            let failure = try await refusal { database throws(PostgresError) in
                for statement in statements {
                    try await TargetRoles.run(statement, role: departure.role, in: database)
                }
            }
            failed[departure.role] = failure
        }
        let roles = departures.map(\.role)
        let belongings = try await run { database throws(PostgresError) in
            try await TargetRoles.belongings(of: roles, in: database)
        }
        let heirs = Dictionary(
            departures.map { ($0.role, $0.heir) },
            uniquingKeysWith: { first, _ in first }
        )
        for (role, database) in belongings where failed[role] == nil {
            let heir = heirs[role] ?? nil
            failed[role] = try await refusal(in: database) { database throws(PostgresError) in
                try await TargetRoles.bequeath(from: role, to: heir, in: database)
            }
        }
        let ready = roles.filter { failed[$0] == nil }
        guard !ready.isEmpty else { return failed }
        let together = try await refusal { database throws(PostgresError) in
            try await TargetRoles.drop(ready, in: database)
        }
        if together != nil {
            // One that cannot go must not keep the others.
            for role in ready {
                failed[role] = try await refusal { database throws(PostgresError) in
                    try await TargetRoles.drop([role], in: database)
                }
            }
        }
        let present = try await run { database throws(PostgresError) in
            try await TargetRoles.present(among: roles, in: database)
        }
        return Dictionary(
            present.map { ($0, failed[$0] ?? "still_there") },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private func run<Value: Sendable>(
        in database: String? = nil,
        _ body: (PostgresTransaction) async throws(PostgresError) -> Value
    ) async throws(TargetFailure) -> Value {
        try await control.targets.run(on: row, database: database, body)
    }

    /// The word of the target's refusal; nil if it did not refuse.
    ///
    /// That it does not answer is thrown.
    private func refusal(
        in database: String? = nil,
        _ body: (PostgresTransaction) async throws(PostgresError) -> Void
    ) async throws(TargetFailure) -> String? {
        do throws(TargetFailure) {
            try await run(in: database, body)
            return nil
        } catch {
            switch error {
            case .refused, .unusable:
                control.logger.warning(
                    "a target refused to end a role",
                    ["target": .text(row.target.name.text), "error": .text("\(error)")]
                )
                return error.word
            case .unreachable, .outcomeUnknown:
                guard let database, database != row.target.database else { throw error }
                return "database_unreachable"
            }
        }
    }
}
