import Control
import HTTP
import Mesh
import Wire

/// A role as clients of Vault write and read it.
protocol VaultLoginRole: LoginRole {
    /// A role of what was written; `old` is the one that there was.
    static func read(_ fields: VaultFields, _ old: Self?) throws(ControlError) -> Self
    /// The fields that a reader gets.
    var fields: Document { get }
}

/// The roles of logins: what is mounted at a path decides what a role below it is.
enum LoginRoleRoutes {
    private static let kinds: [any VaultLoginRole.Type] = [
        JWTRole.self, CertificateRole.self, AppRole.self, AWSRole.self, KubernetesRole.self,
    ]

    static func routes(_ control: ControlPlane) -> [Route] {
        routes("role", "Login", "a login", control)
            + routes("certs", "Certificate", "a login by certificate", control)
    }

    /// The kind of roles that a mount has below a segment.
    private static func kind(
        _ request: RouteRequest,
        _ segment: String,
        _ control: ControlPlane
    ) async throws(ControlError) -> any VaultLoginRole.Type {
        let mount = try await control.authMounts.find(request.capture("mount"))
        guard let mount,
            let kind = kinds.first(where: { $0.method == mount.method && $0.segment == segment })
        else {
            throw .notFound(Complaint("auth.no_mount", "there are no such roles"))
        }
        return kind
    }

    private static func routes(
        _ segment: String,
        _ name: String,
        _ what: String,
        _ control: ControlPlane
    ) -> [Route] {
        let path = "/v1/auth/{mount}/\(segment)"
        let room = LoginRoutes.room
        return [
            Route.vault(
                .list,
                path,
                "vaultList\(name)Roles",
                room: room,
                "The names of the roles of \(what)"
            ) { request throws(ControlError) in
                try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                    try await list(kind(request, segment, control), request, control)
                }
            },
            Route.vault(
                .get,
                "\(path)/{role}",
                "vaultRead\(name)Role",
                room: room,
                "One role of \(what)"
            ) { request throws(ControlError) in
                try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                    try await read(kind(request, segment, control), request, control)
                }
            },
            Route.vault(
                .post,
                "\(path)/{role}",
                "vaultWrite\(name)Role",
                room: room,
                "Say who logs in by a role of \(what), and what the login gives"
            ) { request throws(ControlError) in
                try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                    try await write(kind(request, segment, control), request, control)
                }
            },
            Route.vault(
                .delete,
                "\(path)/{role}",
                "vaultDelete\(name)Role",
                room: room,
                "Remove a role; tokens that it gave live on"
            ) { request throws(ControlError) in
                try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                    try await remove(kind(request, segment, control), request, control)
                }
            },
        ]
    }

    private static func list<Role: VaultLoginRole>(
        _: Role.Type,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> VaultReply {
        let names = try await control.loginRoles(Role.self).names(at: request.capture("mount"))
        return .keys(names, mountType: Role.method.rawValue)
    }

    private static func read<Role: VaultLoginRole>(
        _: Role.Type,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> VaultReply {
        let role = try await control.loginRoles(Role.self).find(
            request.capture("role"),
            at: request.capture("mount")
        )
        guard let role else {
            throw .notFound(Complaint("auth.not_found", "there is no such role"))
        }
        return .data(role.fields, mountType: Role.method.rawValue)
    }

    private static func write<Role: VaultLoginRole>(
        _: Role.Type,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> VaultReply {
        let fields = VaultFields(request.body)
        try await control.loginRoles(Role.self).put(
            request.capture("role"),
            at: request.capture("mount"),
            by: request.caller
        ) { old throws(ControlError) in try Role.read(fields, old) }
        return .nothing
    }

    private static func remove<Role: VaultLoginRole>(
        _: Role.Type,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> VaultReply {
        try await control.loginRoles(Role.self).remove(
            request.capture("role"),
            at: request.capture("mount"),
            by: request.caller
        )
        return .nothing
    }
}
