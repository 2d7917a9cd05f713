package import Mesh
import Store
import Wire

/// Roles by which tokens are made.
package struct TokenRoles: Sendable {
    private static let prefix = "auth/token/roles/"

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// One role; nil if there is none.
    package func find(_ name: String) async throws(ControlError) -> TokenRole? {
        try await control.authMounts.entry(Self.prefix + name, .tokenRole)
            .flatMap { TokenRole($0.document) }
    }

    /// The names of all roles.
    package func names() async throws(ControlError) -> [String] {
        try await control.authMounts.names(below: Self.prefix)
    }

    /// Stores a role, new or changed; nobody hands out by a role what they lack.
    package func put(
        _ role: TokenRole,
        named name: String,
        by caller: Caller
    ) async throws(ControlError) {
        try AuthMounts.check(name: name)
        try await control.authMounts.put(
            Self.prefix + name,
            .tokenRole,
            role.document,
            by: caller
        ) { _, act in
            try await control.tokens.checkGrant(role.allowedPolicies, by: caller, act)
        }
    }

    /// Removes a role; tokens that were made by it live on.
    package func remove(_ name: String, by caller: Caller) async throws(ControlError) {
        try await control.authMounts.remove(Self.prefix + name, by: caller)
    }

    /// What a request by a role is, with the policies that need no right of the maker's own.
    func applied(
        to request: ChildTokenRequest,
        _ warnings: inout [String],
        _ act: AuditedTransaction
    ) async throws -> (request: ChildTokenRequest, vetted: Set<String>) {
        guard let name = request.role else { return (request, []) }
        let row = try await AuthEntryRepository.find(
            [Self.prefix + name],
            guardedBy: control.rowGuard,
            in: act.database
        ).first { $0.kind == .tokenRole }
        guard let role = row.flatMap({ TokenRole($0.document) }) else {
            throw ControlError.invalid("token.unknown_role", field: "role", "unknown role")
        }
        var made = request
        var wanted = (request.policies ?? []).map { $0.lowercased() }
        wanted.removeAll { $0 == "default" }
        if wanted.isEmpty { wanted = role.allowedPolicies }
        guard !wanted.isEmpty || !role.namesPolicies else {
            throw ControlError.invalid(
                "token.role_policies",
                field: "policies",
                "must be named: the role allows them by globs only"
            )
        }
        if let refused = wanted.first(where: { !role.admits($0) }) {
            throw ControlError.invalid(
                "token.role_policies",
                field: "policies",
                "token policy \(Redaction.text(refused)) is not allowed by the role"
            )
        }
        made.policies = wanted.isEmpty ? nil : wanted
        made.isOrphan = role.isOrphan
        made.isRenewable = role.isRenewable && request.isRenewable
        made.boundCIDRs = role.grant.boundCIDRs.isEmpty ? request.boundCIDRs : role.grant.boundCIDRs
        let bounds = [role.grant.explicitMaxSeconds, role.grant.maxSeconds].filter { $0 > 0 }
        if let bound = bounds.min() {
            let most = Duration.seconds(bound)
            if let asked = request.explicitMaxLifetime, asked > most {
                warnings.append("the role ends the token before what was asked")
            }
            made.explicitMaxLifetime = min(request.explicitMaxLifetime ?? most, most)
        }
        if role.grant.uses > 0 {
            made.uses = request.uses > 0 ? min(request.uses, role.grant.uses) : role.grant.uses
        }
        made.path = "auth/token/create/\(name)"
        if !role.pathSuffix.isEmpty { made.path += "/\(role.pathSuffix)" }
        return (made, Set(role.allowedPolicies))
    }

    /// Refuses a token whose policies, inherited ones included, the role disallows.
    func check(
        _ names: [String],
        for request: ChildTokenRequest,
        _ act: AuditedTransaction
    ) async throws {
        guard let name = request.role else { return }
        let role = try await AuthEntryRepository.find(
            [Self.prefix + name],
            guardedBy: control.rowGuard,
            in: act.database
        ).first.flatMap { TokenRole($0.document) }
        guard let role, names.allSatisfy(role.admits) else {
            throw ControlError.invalid(
                "token.role_policies",
                field: "policies",
                "the role does not allow what the token would inherit"
            )
        }
    }
}

extension ControlPlane {
    /// Roles by which tokens are made.
    package var tokenRoles: TokenRoles { TokenRoles(self) }

    /// Does what anybody may ask for without a token, a few at a time for each source.
    func gated<Value>(
        _ caller: Caller,
        _ body: () async throws(ControlError) -> Value
    ) async throws(ControlError) -> Value {
        guard strangers.enter(caller.sourceAddress) else {
            throw .tooMany(
                Complaint("login.too_many", "too many requests at once from this address"),
                retryAfter: .seconds(1)
            )
        }
        defer { strangers.leave(caller.sourceAddress) }
        return try await body()
    }
}
