import Mesh
package import Store
package import Wire

/// Logins of programs by the id of a role and a secret id.
///
/// Whatever is wrong, the same is asked of the database and the same is answered: only the audit trail
/// tells a role that is not there from a secret that is not.
package struct AppRoleLogins: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Names a role by another id; refused where another role of the mount has it.
    package func rename(
        _ name: String,
        to roleID: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) {
        guard (1...AppRole.roleIDBytesMax).contains(roleID.utf8.count),
            Text.isPrintableASCII(roleID)
        else {
            throw .invalid(
                "auth.role_id",
                field: "role_id",
                "must be 1 to \(AppRole.roleIDBytesMax) printable ASCII characters"
            )
        }
        let prefix = AppRole.path("", at: mount)
        let owner = try await control.read { database in
            try await AuthEntryRepository.find(
                roleID: roleID,
                below: prefix,
                guardedBy: control.rowGuard,
                in: database
            )
        }
        guard owner == nil || owner?.path == prefix + name else {
            throw .invalid("auth.role_id", field: "role_id", "is another role's already")
        }
        try await control.loginRoles(AppRole.self).put(name, at: mount, by: caller) {
            old throws(ControlError) in
            guard var role = old else {
                throw .notFound(Complaint("auth.not_found", "there is no such role"))
            }
            role.roleID = roleID
            return role
        }
    }

    // MARK: Login

    /// Gives a token to a program that shows both ids of a role.
    package func logIn(
        roleID: String,
        secretID: String?,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try await control.gated(caller) { () async throws(ControlError) in
            try await judge(roleID, secretID ?? "", mount, caller)
        }
    }

    private struct Shown: Sendable {
        let row: AuthEntryRow?
        let secret: SecretIDRow?
        let now: Timestamp
    }

    private func judge(
        _ roleID: String,
        _ secretID: String,
        _ mount: String,
        _ caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let found = try await control.authMounts.require(mount, .approle)
        let shown = try await look(roleID, secretID, mount)
        guard let row = shown.row, let role = AppRole(row.document) else {
            throw await control.refuseLogin("unknown_role_id", caller, at: "auth/\(mount)")
        }
        if let reason = Self.refusal(role, shown, caller.sourceAddress) {
            throw await control.refuseLogin(reason, caller, at: row.path)
        }
        let login = login(found, row, role, role.bindsSecretID ? shown.secret : nil)
        do throws(ControlError) {
            return try await control.tokens.grant(login, by: caller)
        } catch {
            guard error == SecretIDs.spent else { throw error }
            throw await control.refuseLogin("secret_id_used_up", caller, at: row.path)
        }
    }

    private func look(
        _ roleID: String,
        _ secretID: String,
        _ mount: String
    ) async throws(ControlError) -> Shown {
        let prefix = AppRole.path("", at: mount)
        return try await control.read { database in
            let row = try await AuthEntryRepository.find(
                roleID: roleID,
                below: prefix,
                guardedBy: control.rowGuard,
                in: database
            )
            // Asked for whether or not there is such a role.
            let identity = row.flatMap { AppRole($0.document) }?.identity ?? ""
            let secret = try await SecretIDRepository.find(
                anyHMAC: control.secretIDs.hmacs(of: secretID, identity),
                guardedBy: control.rowGuard,
                in: database
            )
            let now = try await ServerRepository.time(in: database)
            return Shown(row: row, secret: secret, now: now)
        }
    }

    /// Why both ids together are no login; nil where they are.
    private static func refusal(_ role: AppRole, _ shown: Shown, _ source: String) -> String? {
        guard role.isBound else { return "unbound_role" }
        var ranges = role.grant.boundCIDRs
        if role.bindsSecretID {
            guard let row = shown.secret, row.role.description == role.identity,
                let bounds = SecretIDBounds(row.document)
            else { return "unknown_secret_id" }
            guard row.expiresAt > shown.now else { return "secret_id_expired" }
            guard Identity.mayCome(from: source, role.secretRanges),
                Identity.mayCome(from: source, bounds.ranges)
            else { return "secret_id_elsewhere" }
            if !bounds.tokenRanges.isEmpty { ranges = bounds.tokenRanges }
        }
        return Identity.mayCome(from: source, ranges) ? nil : "elsewhere"
    }

    private func login(
        _ mount: AuthMount,
        _ row: AuthEntryRow,
        _ role: AppRole,
        _ secret: SecretIDRow?
    ) -> Tokens.Login {
        let name = String(row.path.dropFirst(AppRole.path("", at: mount.path).utf8.count))
        var grant = role.grant
        var metadata: [String: String] = [:]
        if let bounds = secret.flatMap({ SecretIDBounds($0.document) }) {
            metadata = bounds.metadata
            if !bounds.tokenRanges.isEmpty { grant.boundCIDRs = bounds.tokenRanges }
        }
        metadata["role_name"] = name
        var login = Tokens.Login(
            mount: mount,
            role: row,
            grant: grant,
            displayName: mount.path,
            metadata: metadata
        )
        if let secret {
            let secretIDs = control.secretIDs
            login.consume = { act in try await secretIDs.use(secret, act) }
        }
        return login
    }
}

extension AppRole: LoginRole {
    package static var method: AuthMethod { .approle }
    package static var kind: AuthEntryRow.Kind { .appRole }

    package func check() throws(ControlError) {
        guard isBound else {
            throw .invalid(
                "auth.unbound",
                field: "bind_secret_id",
                "must be true, or token_bound_cidrs must say from where: the role's id is no secret"
            )
        }
    }

    package mutating func found(_ makeID: () -> UUIDv7) {
        guard identity.isEmpty else { return }
        identity = makeID().description
        roleID = makeID().description
    }
}

extension ControlPlane {
    /// Logins of programs by role id and secret id.
    package var appRoleLogins: AppRoleLogins { AppRoleLogins(self) }
}
