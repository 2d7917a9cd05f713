import Control
import HTTP
import Mesh
import Wire

/// Logins below `auth/`: what is mounted there decides what a path means.
enum LoginRoutes {
    static let room = "vault logins"
    /// A token and what is around it.
    private static let loginByteCountMax = 32 * 1024

    static func routes(_ control: ControlPlane) -> [Route] {
        [login(control), namedLogin(control)] + configuration(control)
    }

    // MARK: Login

    private static func login(_ control: ControlPlane) -> Route {
        login("", "vaultLogin", "Log in: what is mounted there says by which fields", control) {
            request,
            mount throws(ControlError) in
            try await made(request, mount, control)
        }
    }

    private static func namedLogin(_ control: ControlPlane) -> Route {
        login("/{user}", "vaultLoginByPassword", "Log in by name and `password`", control) {
            request,
            mount throws(ControlError) in
            guard mount.method == .userpass else { throw noMount }
            return try await control.passwordLogins.logIn(
                request.capture("user"),
                password: try VaultFields(request.body).requiredText("password"),
                at: mount.path,
                by: request.caller
            )
        }
    }

    private static func login(
        _ suffix: String,
        _ name: String,
        _ summary: String,
        _ control: ControlPlane,
        _ operation:
            @escaping @Sendable (RouteRequest, AuthMount) async throws(ControlError) -> GrantedToken
    ) -> Route {
        var route = Route.vault(
            .post,
            "/v1/auth/{mount}/login\(suffix)",
            name,
            room: room,
            summary,
            // A login brings its credential in the body, so nobody is asked for a token.
            needs: .open
        ) { request throws(ControlError) in
            let mount = request.capture("mount")
            return try await orAbsent(request) { () async throws(ControlError) in
                try AuthMounts.check(path: mount)
                guard let found = try await control.authMounts.find(mount, for: request.caller)
                else { throw noMount }
                let made = try await operation(request, found)
                var reply = VaultReply.data(nil, mountType: found.method.rawValue)
                reply.auth = made.auth(made.text)
                return reply
            }
        }
        route.bodyByteCountMax = loginByteCountMax
        route.isLogin = true
        return route
    }

    private static let noMount = ControlError.notFound(
        Complaint("auth.no_mount", "nothing is mounted there")
    )

    private static func made(
        _ request: RouteRequest,
        _ mount: AuthMount,
        _ control: ControlPlane
    ) async throws(ControlError) -> GrantedToken {
        let fields = VaultFields(request.body)
        switch mount.method {
        case .jwt:
            return try await control.jwtLogins.logIn(
                try fields.requiredText("jwt"),
                role: try fields.text("role"),
                at: mount.path,
                by: request.caller
            )
        case .cert:
            return try await control.certificateLogins.logIn(
                with: request.certificate,
                role: try fields.text("name"),
                at: mount.path,
                by: request.caller
            )
        case .approle:
            return try await control.appRoleLogins.logIn(
                roleID: try fields.requiredText("role_id"),
                secretID: try fields.text("secret_id"),
                at: mount.path,
                by: request.caller
            )
        case .aws:
            return try await AWSLoginRoutes.logIn(
                fields,
                at: mount.path,
                by: request.caller,
                control
            )
        case .kubernetes:
            return try await control.kubernetesLogins.logIn(
                try fields.requiredText("jwt"),
                role: try fields.requiredText("role"),
                at: mount.path,
                by: request.caller
            )
        case .userpass: throw noMount
        }
    }

    /// Says of a login method that does not exist yet that it does not, instead of 404.
    static func orAbsent(
        _ request: RouteRequest,
        _ body: () async throws(ControlError) -> VaultReply
    ) async throws(ControlError) -> VaultReply {
        do throws(ControlError) {
            return try await body()
        } catch {
            guard error.code == "auth.no_mount",
                let reason = AbsentRoutes.logins[request.capture("mount")]
            else { throw error }
            return .refusal(.notImplemented, [reason])
        }
    }

    // MARK: Configuration

    private static func configuration(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/auth/{mount}/config",
                "vaultReadLoginConfig",
                room: room,
                "How the tokens of a login are verified"
            ) { request throws(ControlError) in
                let mount = request.capture("mount")
                return try await orAbsent(request) { () async throws(ControlError) in
                    if try await isKubernetes(mount, control) {
                        return try await readCluster(mount, control)
                    }
                    guard let found = try await control.jwtLogins.configuration(mount) else {
                        throw .notFound(Complaint("auth.not_found", "it is not configured"))
                    }
                    return .data(show(found), mountType: "jwt")
                }
            },
            Route.vault(
                .post,
                "/v1/auth/{mount}/config",
                "vaultWriteLoginConfig",
                room: room,
                "Say how the tokens of a login are verified"
            ) { request throws(ControlError) in
                let mount = request.capture("mount")
                return try await orAbsent(request) { () async throws(ControlError) in
                    let fields = VaultFields(request.body)
                    if try await isKubernetes(mount, control) {
                        let wanted = try KubernetesSettings.read(fields)
                        try checkPrivate(wanted.allowsPrivateAddresses, request)
                        try await control.kubernetesLogins.configure(
                            mount,
                            wanted,
                            by: request.caller
                        )
                        return .nothing
                    }
                    let wanted = try wanted(fields)
                    if !wanted.jwksURL.isEmpty, wanted.boundIssuer.isEmpty {
                        throw VaultFields.wrong(
                            "bound_issuer",
                            "is needed with jwks_url: a key set may be of several issuers"
                        )
                    }
                    try checkPrivate(wanted.allowsPrivateAddresses, request)
                    try await control.jwtLogins.configure(mount, wanted, by: request.caller)
                    return .nothing
                }
            },
        ]
    }

    /// Whoever may name a server of the private network may make this one ask it.
    private static func checkPrivate(
        _ mayBePrivate: Bool,
        _ request: RouteRequest
    ) throws(ControlError) {
        let path = "auth/\(request.capture("mount"))/config"
        guard !mayBePrivate || request.caller.may(.sudo, on: path) else {
            throw .forbidden(
                Complaint("auth.private_address", "a private address needs sudo on \(path)")
            )
        }
    }

    private static func isKubernetes(
        _ mount: String,
        _ control: ControlPlane
    ) async throws(ControlError) -> Bool {
        try await control.authMounts.find(mount)?.method == .kubernetes
    }

    private static func readCluster(
        _ mount: String,
        _ control: ControlPlane
    ) async throws(ControlError) -> VaultReply {
        guard let found = try await control.kubernetesLogins.configuration(mount) else {
            throw .notFound(Complaint("auth.not_found", "it is not configured"))
        }
        return .data(
            KubernetesSettings.show(found),
            mountType: AuthMethod.kubernetes.rawValue
        )
    }

    private static func wanted(_ fields: VaultFields) throws(ControlError) -> JWTConfiguration {
        for name in ["oidc_discovery_url", "oidc_client_id", "oidc_client_secret"] {
            guard try fields.text(name)?.isEmpty ?? true else {
                throw VaultFields.wrong(name, "discovery does not exist here yet: use jwks_url")
            }
        }
        var wanted = JWTConfiguration()
        wanted.publicKeys = try fields.texts("jwt_validation_pubkeys") ?? []
        if let text = fields.value("jwks")?.text {
            do {
                wanted.jwks = try JSON.parse(text, source: "jwks", limits: .request)
            } catch {
                throw VaultFields.wrong("jwks", error.description)
            }
        } else {
            wanted.jwks = try fields.map("jwks")
        }
        wanted.jwks = try wanted.jwks.map { set throws(ControlError) in
            guard let kept = JWTConfiguration.kept(set) else {
                throw VaultFields.wrong("jwks", "must be a JWK set without NUL: {\"keys\": [...]}")
            }
            return kept
        }
        wanted.jwksURL = try fields.text("jwks_url") ?? ""
        wanted.jwksCAPEM = try fields.text("jwks_ca_pem") ?? ""
        wanted.allowsPrivateAddresses = try fields.flag("jwks_private_addresses") ?? false
        wanted.boundIssuer = try fields.text("bound_issuer") ?? ""
        wanted.algorithms = try algorithms(fields)
        wanted.defaultRole = try fields.text("default_role") ?? ""
        if !wanted.defaultRole.isEmpty { try AuthMounts.check(name: wanted.defaultRole) }
        return wanted
    }

    private static func algorithms(_ fields: VaultFields) throws(ControlError) -> [String] {
        let names = try fields.texts("jwt_supported_algs") ?? []
        guard names.allSatisfy(JWTConfiguration.mayName) else {
            throw VaultFields.wrong(
                "jwt_supported_algs",
                "must name algorithms of RS256 to RS512, PS256 to PS512, ES256 to ES512, and EdDSA"
            )
        }
        return names
    }

    private static func show(_ found: JWTConfiguration) -> Document {
        .fields([
            "bound_issuer": .string(found.boundIssuer),
            "default_role": .string(found.defaultRole),
            "jwks": found.jwks ?? .null,
            "jwks_ca_pem": .string(found.jwksCAPEM),
            "jwks_private_addresses": .bool(found.allowsPrivateAddresses),
            "jwks_url": .string(found.jwksURL),
            "jwt_supported_algs": .list(found.algorithms),
            "jwt_validation_pubkeys": .list(found.publicKeys),
            "oidc_client_id": "",
            "oidc_discovery_ca_pem": "",
            "oidc_discovery_url": "",
            "provider_config": .fields([:]),
        ])
    }
}
