package import Mesh
import Postgres
package import Store
import Wire

/// Rights on the API: two policies that always exist, and those that people write.
package struct Policies: Sendable {
    /// What `If-Match` asks of a version; nil stands for a policy that is not there.
    package typealias VersionCondition = @Sendable (Int64?) -> Bool

    /// The most names that `names` gives.
    private static let namesMax = 100_000

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Creates or replaces a policy; unchanged content makes no new version.
    ///
    /// With `condition` it is refused unless that holds for the version; nil is no policy.
    package func put(
        _ policy: AccessPolicy,
        if condition: VersionCondition? = nil,
        by caller: Caller
    ) async throws(ControlError) -> (row: PolicyRow, isNew: Bool) {
        try Self.refuseBuiltIn(policy.name)
        try checkGrant(policy, by: caller)
        let outcome = try await control.act(
            caller,
            action: "policy.put",
            resource: "policies/\(policy.name)"
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let old = try await find(policy.name, in: act.database)
            try Self.check(condition, against: old)
            if let old, old.policy == policy {
                act.conclude(outcome: "unchanged")
                return (row: old, isNew: false)
            }
            let row = PolicyRow(
                policy: policy,
                version: (old?.version ?? 0) + 1,
                createdAt: old?.createdAt ?? act.at,
                updatedAt: act.at,
                createdBy: old?.createdBy ?? caller.principal
            )
            try await PolicyRepository.put(row, guardedBy: control.rowGuard, in: act.database)
            act.describe(["version": .number(row.version), "policy": policy.document])
            return (row: row, isNew: old == nil)
        }
        control.principals.flush()
        return outcome
    }

    /// Deletes a policy that no live token names.
    package func delete(
        _ name: String,
        if condition: VersionCondition? = nil,
        by caller: Caller
    ) async throws(ControlError) {
        try Self.refuseBuiltIn(name)
        try await control.act(
            caller,
            action: "policy.delete",
            resource: "policies/\(name)"
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            guard let old = try await find(name, in: act.database) else {
                throw Self.notFound(name)
            }
            try Self.check(condition, against: old)
            let holders = try await TokenRepository.live(
                holding: name,
                at: act.at,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard holders.isEmpty else {
                throw ControlError.conflict(
                    Complaint(
                        "policy.in_use",
                        "\(holders.count) live tokens name the policy \(name): revoke them first,"
                            + " beginning with \(holders[0].accessor)"
                    )
                )
            }
            _ = try await PolicyRepository.delete(name, in: act.database)
        }
        control.principals.flush()
    }

    /// One policy by name, the built-in ones included.
    package func find(_ name: String) async throws(ControlError) -> PolicyRow {
        if let builtIn = builtIn(name) { return builtIn }
        let row = try await control.read { database in try await find(name, in: database) }
        guard let row else { throw Self.notFound(name) }
        return row
    }

    /// One page in order of their names, after a name; the built-in ones stand among the others.
    package func list(
        after name: String? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> Page<PolicyRow> {
        let limit = max(1, min(limit, PolicyRepository.pageMax))
        let page = try await control.read { database in
            try await PolicyRepository.list(
                after: name,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
        }
        let builtIn = BuiltInPolicies.all.compactMap { self.builtIn($0.name) }
            .filter { row in name.map { row.policy.name > $0 } ?? true }
            .filter { row in page.next.map { row.policy.name <= $0 } ?? true }
        let all = (page.items + builtIn).sorted { $0.policy.name < $1.policy.name }
        let shown = Array(all.prefix(limit))
        return Page(items: shown, next: all.count > limit ? shown.last?.pageMark : page.next)
    }

    /// The names of all policies, the built-in ones included, in order.
    package func names() async throws(ControlError) -> [String] {
        var names: [String] = []
        var next: String?
        repeat {
            let page = try await list(after: next, limit: PolicyRepository.pageMax)
            names += page.items.map(\.policy.name)
            next = page.next
        } while next != nil && names.count < Self.namesMax
        return names
    }

    /// The policies of these names that exist; forged ones do not.
    func resolve(
        _ names: [String],
        in database: PostgresTransaction
    ) async throws -> [AccessPolicy] {
        let builtIn = names.compactMap(BuiltInPolicies.find)
        let others = names.filter { BuiltInPolicies.find($0) == nil }
        guard !others.isEmpty else { return builtIn }
        let rows = try await PolicyRepository.find(
            others,
            guardedBy: control.rowGuard,
            in: database
        )
        return builtIn + rows.map(\.policy)
    }

    /// Refuses to let a caller hand out rights that it lacks itself, without `sudo` on the policy.
    func checkGrant(_ policy: AccessPolicy, by caller: Caller) throws(ControlError) {
        // The same policy under either of its paths.
        guard !caller.may(.sudo, on: "policies/\(policy.name)"),
            !caller.may(.sudo, on: "sys/policies/acl/\(policy.name)")
        else { return }
        guard let lack = GrantRule.firstLack(of: policy, holder: caller.policies) else { return }
        throw .forbidden(
            Complaint(
                "policy.beyond_own_rights",
                "\(caller.principal) cannot grant \(lack.capability.rawValue) on \(lack.path)"
                    + " without having it, or sudo on policies/\(policy.name)"
            )
        )
    }

    private func find(
        _ name: String,
        in database: PostgresTransaction
    ) async throws -> PolicyRow? {
        try await PolicyRepository.find([name], guardedBy: control.rowGuard, in: database).first
    }

    private func builtIn(_ name: String) -> PolicyRow? {
        BuiltInPolicies.find(name).map { policy in
            PolicyRow(
                policy: policy,
                version: 1,
                createdAt: control.cluster.createdAt,
                updatedAt: control.cluster.createdAt,
                createdBy: "built-in"
            )
        }
    }

    private static func check(
        _ condition: VersionCondition?,
        against old: PolicyRow?
    ) throws(ControlError) {
        guard let condition, !condition(old?.version) else { return }
        throw .preconditionFailed(
            Complaint(
                "policy.changed",
                old.map { "the policy is at version \($0.version): read it again" }
                    ?? "the policy does not exist"
            )
        )
    }

    private static func refuseBuiltIn(_ name: String) throws(ControlError) {
        guard BuiltInPolicies.find(name) != nil else { return }
        throw .conflict(
            Complaint(
                "policy.built_in",
                "the policy \(name) is built in and cannot be changed or deleted"
            )
        )
    }

    private static func notFound(_ name: String) -> ControlError {
        .notFound(Complaint("policy.not_found", "there is no policy \(Redaction.text(name))"))
    }
}

extension ControlPlane {
    /// Rights on the API.
    package var policies: Policies { Policies(self) }
}
