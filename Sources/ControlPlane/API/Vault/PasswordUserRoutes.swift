import Control
import HTTP
import Mesh
import Wire

/// The users of the login `userpass`, as clients of Vault write them below `users/`.
enum PasswordUserRoutes {
    static func routes(_ control: ControlPlane) -> [Route] {
        reading(control) + writing(control)
    }

    private static func reading(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "", "vaultListUsers", "The names of the users of a login by password") {
                mount,
                _ throws(ControlError) in
                .keys(
                    try await control.loginRoles(PasswordUser.self).names(at: mount),
                    mountType: AuthMethod.userpass.rawValue
                )
            },
            route(.get, "/{user}", "vaultReadUser", "What the login of a user gives") {
                mount,
                request throws(ControlError) in
                let name = request.capture("user")
                try PasswordLogins.check(name)
                let user = try await control.loginRoles(PasswordUser.self).find(name, at: mount)
                guard let user else {
                    throw .notFound(Complaint("auth.not_found", "there is no such user"))
                }
                return .data(
                    .map(
                        Dictionary(TokenGrantFields.show(user.grant)) { first, _ in first }
                    ),
                    mountType: AuthMethod.userpass.rawValue
                )
            },
        ]
    }

    private static func writing(_ control: ControlPlane) -> [Route] {
        [
            route(.post, "/{user}", "vaultWriteUser", "Say who logs in by a password") {
                mount,
                request throws(ControlError) in
                let fields = VaultFields(request.body)
                try await control.passwordLogins.put(
                    request.capture("user"),
                    password: try fields.text("password"),
                    at: mount,
                    by: request.caller
                ) { _ throws(ControlError) in try TokenGrantFields.read(fields) }
                return .nothing
            },
            route(.post, "/{user}/password", "vaultWriteUserPassword", "Change a password") {
                mount,
                request throws(ControlError) in
                try await control.passwordLogins.change(
                    request.capture("user"),
                    password: try VaultFields(request.body).requiredText("password"),
                    at: mount,
                    by: request.caller
                )
                return .nothing
            },
            route(
                .post,
                "/{user}/policies",
                "vaultWriteUserPolicies",
                "Change the policies of a user's next logins"
            ) { mount, request throws(ControlError) in
                let fields = VaultFields(request.body)
                try await control.passwordLogins.change(
                    request.capture("user"),
                    password: nil,
                    at: mount,
                    by: request.caller
                ) { old throws(ControlError) in
                    var grant = old
                    grant.policies = try TokenGrantFields.policies(fields)
                    return grant
                }
                return .nothing
            },
            route(
                .delete,
                "/{user}",
                "vaultDeleteUser",
                "Remove a user; tokens that the login gave live on"
            ) { mount, request throws(ControlError) in
                let name = request.capture("user")
                try PasswordLogins.check(name)
                try await control.loginRoles(PasswordUser.self).remove(
                    name,
                    at: mount,
                    by: request.caller
                )
                return .nothing
            },
        ]
    }

    private static func route(
        _ method: Method,
        _ suffix: String,
        _ name: String,
        _ summary: String,
        _ operation:
            @escaping @Sendable (String, RouteRequest) async throws(ControlError) -> VaultReply
    ) -> Route {
        Route.vault(
            method,
            "/v1/auth/{mount}/users\(suffix)",
            name,
            room: LoginRoutes.room,
            summary
        ) { request throws(ControlError) in
            let mount = request.capture("mount")
            return try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                try await operation(mount, request)
            }
        }
    }
}
