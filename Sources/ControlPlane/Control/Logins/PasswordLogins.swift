package import Mesh
package import Store

/// Logins of people by name and password.
package struct PasswordLogins: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// A name as it is stored: there is no case in the names that people log in by.
    private static func name(_ text: String) -> String { text.lowercased() }

    /// Refuses to be asked for a user by any but the one spelling that policies speak of.
    package static func check(_ name: String) throws(ControlError) {
        guard name == Self.name(name) else {
            throw .invalid("auth.name", field: "name", "must be in lower case")
        }
    }

    /// Stores a user, new or changed; without a password the one that there is stays.
    package func put(
        _ name: String,
        password: String?,
        at mount: String,
        by caller: Caller,
        _ grant: (TokenGrant) throws(ControlError) -> TokenGrant
    ) async throws(ControlError) {
        try Self.check(name)
        var verifier: PasswordUser.Verifier?
        if let password {
            guard PasswordUser.passwordBytes.contains(password.utf8.count) else {
                throw .invalid(
                    "auth.password",
                    field: "password",
                    "must have \(PasswordUser.passwordBytes.lowerBound) to"
                        + " \(PasswordUser.passwordBytes.upperBound) bytes"
                )
            }
            verifier = try await control.passwords.verifier(of: password, control.keyring)
        }
        let users = control.loginRoles(PasswordUser.self)
        try await users.put(name, at: mount, by: caller) { old throws(ControlError) in
            guard let verifier = verifier ?? old?.verifier else {
                throw .invalid("auth.password", field: "password", "is required for a new user")
            }
            return PasswordUser(
                verifier: verifier,
                grant: try grant(old?.grant ?? TokenGrant())
            )
        }
    }

    /// Changes what there is of a user that must be there.
    package func change(
        _ name: String,
        password: String?,
        at mount: String,
        by caller: Caller,
        _ grant: (TokenGrant) throws(ControlError) -> TokenGrant = { $0 }
    ) async throws(ControlError) {
        try Self.check(name)
        let users = control.loginRoles(PasswordUser.self)
        guard try await users.find(name, at: mount) != nil else {
            throw .notFound(Complaint("auth.not_found", "there is no such user"))
        }
        try await put(name, password: password, at: mount, by: caller, grant)
    }

    // MARK: Login

    /// Gives a token to whoever knows the password of a user.
    ///
    /// A user that is not there costs what a wrong password costs, and is answered the same.
    package func logIn(
        _ name: String,
        password: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try await control.gated(caller) { () async throws(ControlError) in
            try await judge(Self.name(name), password, mount, caller)
        }
    }

    private func judge(
        _ name: String,
        _ password: String,
        _ mount: String,
        _ caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let found = try await control.authMounts.require(mount, .userpass)
        let path = PasswordUser.path(name, at: mount)
        let row = try await control.authMounts.entry(path, PasswordUser.kind)
        let user = row.flatMap { PasswordUser($0.document) }
        // What no user can have is not stretched at any length, and refused after the same time.
        let isPossible = PasswordUser.passwordBytes.contains(password.utf8.count)
        let isValid = try await control.passwords.isValid(
            isPossible ? password : "",
            isPossible ? user?.verifier : nil,
            control.keyring
        )
        guard let row, let user else {
            throw await control.refuseLogin("unknown_user", caller, at: "auth/\(mount)")
        }
        guard isValid else {
            throw await control.refuseLogin("wrong_password", caller, at: path)
        }
        guard Identity.mayCome(from: caller.sourceAddress, user.grant.boundCIDRs) else {
            throw await control.refuseLogin("elsewhere", caller, at: path)
        }
        return try await control.tokens.grant(
            Tokens.Login(
                mount: found,
                role: row,
                grant: user.grant,
                displayName: "\(mount)-\(name)",
                metadata: ["username": name]
            ),
            by: caller
        )
    }
}

extension PasswordUser: LoginRole {
    package static var method: AuthMethod { .userpass }
    package static var kind: AuthEntryRow.Kind { .passwordUser }
    package static var segment: String { "users" }

    package func check() throws(ControlError) {}
}

extension ControlPlane {
    /// Logins by name and password.
    package var passwordLogins: PasswordLogins { PasswordLogins(self) }
}
