package import Mesh
package import Store
package import Wire

/// What a login is judged by, and what it gives: one entry below a mount.
package protocol LoginRole: Equatable, Sendable {
    /// The kind of mount that has such roles.
    static var method: AuthMethod { get }
    static var kind: AuthEntryRow.Kind { get }
    /// The segment of the path that its roles stand below.
    static var segment: String { get }

    var grant: TokenGrant { get }
    var document: Document { get }
    /// What an audit record may show of it.
    var shown: Document { get }

    /// Nil for what no server wrote.
    init?(_ document: Document)
    /// Refuses one that would let in whoever comes.
    func check() throws(ControlError)
    /// Fills in what a new one gets from the server.
    mutating func found(_ makeID: () -> UUIDv7)
}

extension LoginRole {
    package static var segment: String { "role" }
    package var shown: Document { document }

    package mutating func found(_ makeID: () -> UUIDv7) {}

    static func path(_ name: String, at mount: String) -> String {
        "auth/\(mount)/\(segment)/\(name)"
    }
}

/// The roles of one kind of login.
package struct LoginRoles<Role: LoginRole>: Sendable {
    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The names of all roles of a mount.
    package func names(at mount: String) async throws(ControlError) -> [String] {
        _ = try await control.authMounts.require(mount, Role.method)
        return try await control.authMounts.names(below: Role.path("", at: mount))
    }

    /// One role; nil if there is none.
    package func find(_ name: String, at mount: String) async throws(ControlError) -> Role? {
        _ = try await control.authMounts.require(mount, Role.method)
        return try await control.authMounts.entry(Role.path(name, at: mount), Role.kind)
            .flatMap { Role($0.document) }
    }

    /// Stores a role that is made of the one that there is; nobody hands out by it what they lack.
    package func put(
        _ name: String,
        at mount: String,
        by caller: Caller,
        _ make: (Role?) throws(ControlError) -> Role
    ) async throws(ControlError) {
        try AuthMounts.check(name: name)
        let found = try await control.authMounts.require(mount, Role.method)
        let path = Role.path(name, at: mount)
        let seen = try await control.authMounts.entry(path, Role.kind)
        var role = try make(seen.flatMap { Role($0.document) })
        role.found(control.makeID)
        try role.check()
        try await control.authMounts.put(
            path,
            below: found,
            Role.kind,
            role.document,
            shown: role.shown,
            policies: role.grant.policies,
            by: caller
        ) { old in
            // Somebody else wrote it since: what was kept of it may be gone.
            guard old == seen else { throw AuthMounts.changed }
        }
    }

    /// Removes a role; tokens that it gave live on to their end.
    package func remove(
        _ name: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) {
        _ = try await control.authMounts.require(mount, Role.method)
        try await control.authMounts.remove(Role.path(name, at: mount), by: caller)
    }
}

extension ControlPlane {
    /// The roles of one kind of login.
    package func loginRoles<Role: LoginRole>(_: Role.Type) -> LoginRoles<Role> {
        LoginRoles(self)
    }
}

extension JWTRole: LoginRole {
    package static var method: AuthMethod { .jwt }
    package static var kind: AuthEntryRow.Kind { .jwtRole }

    package func check() throws(ControlError) {
        guard isBound else {
            throw .invalid(
                "auth.unbound",
                field: "bound_audiences",
                "must have at least one bound constraint: bound_audiences, bound_subject,"
                    + " bound_claims or bound_client_ids"
            )
        }
    }
}

extension CertificateRole: LoginRole {
    package static var method: AuthMethod { .cert }
    package static var kind: AuthEntryRow.Kind { .certificateRole }
    package static var segment: String { "certs" }

    package func check() throws(ControlError) {
        guard !identities.isEmpty else {
            throw .invalid(
                "auth.unbound",
                field: "allowed_uri_sans",
                "must have at least one SPIFFE id: a role without would let in every workload"
            )
        }
    }
}
