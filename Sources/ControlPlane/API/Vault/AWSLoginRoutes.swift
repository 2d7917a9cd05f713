import Control
import HTTP
import Mesh
import Wire

/// What the login `aws` has beside its roles: how it asks AWS, and nonces.
enum AWSLoginRoutes {
    static func routes(_ control: ControlPlane) -> [Route] {
        [list(control), read(control), write(control), nonce(control)]
    }

    /// Gives a token for the four fields of a signed request.
    static func logIn(
        _ fields: VaultFields,
        at mount: String,
        by caller: Caller,
        _ control: ControlPlane
    ) async throws(ControlError) -> GrantedToken {
        try await control.awsLogins.logIn(
            AWSLogins.Shown(
                method: try fields.requiredText("iam_http_request_method"),
                url: try fields.requiredText("iam_request_url"),
                body: try fields.requiredText("iam_request_body"),
                headers: try fields.requiredText("iam_request_headers")
            ),
            role: try fields.requiredText("role"),
            at: mount,
            by: caller
        )
    }

    private static func list(_ control: ControlPlane) -> Route {
        Route.vault(
            .list,
            "/v1/auth/{mount}/roles",
            "vaultListAWSRoles",
            room: LoginRoutes.room,
            "The names of the roles of a login by AWS"
        ) { request throws(ControlError) in
            try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                .keys(
                    try await control.loginRoles(AWSRole.self).names(at: request.capture("mount")),
                    mountType: AuthMethod.aws.rawValue
                )
            }
        }
    }

    private static func read(_ control: ControlPlane) -> Route {
        Route.vault(
            .get,
            "/v1/auth/{mount}/config/client",
            "vaultReadAWSClient",
            room: LoginRoutes.room,
            "How a login by AWS asks who somebody is"
        ) { request throws(ControlError) in
            let mount = request.capture("mount")
            return try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                guard let found = try await control.awsLogins.configuration(mount) else {
                    throw .notFound(Complaint("auth.not_found", "it is not configured"))
                }
                return .data(
                    .fields([
                        "iam_server_id_header_value": .string(found.serverID),
                        "sts_endpoint": .string(found.endpoint),
                        "sts_ca_pem": .string(found.endpointCAPEM),
                        "sts_private_addresses": .bool(found.allowsPrivateAddresses),
                    ]),
                    mountType: AuthMethod.aws.rawValue
                )
            }
        }
    }

    private static func write(_ control: ControlPlane) -> Route {
        Route.vault(
            .post,
            "/v1/auth/{mount}/config/client",
            "vaultWriteAWSClient",
            room: LoginRoutes.room,
            "Say how a login by AWS asks who somebody is",
            // Whoever names another server decides who everybody is.
            needs: .sudo
        ) { request throws(ControlError) in
            let fields = VaultFields(request.body)
            return try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                for name in ["access_key", "secret_key", "endpoint", "iam_endpoint"] {
                    guard try fields.text(name)?.isEmpty ?? true else {
                        throw VaultFields.wrong(name, "the server needs no rights at AWS")
                    }
                }
                var wanted = AWSConfiguration()
                wanted.serverID = try fields.text("iam_server_id_header_value") ?? ""
                wanted.endpoint = try fields.text("sts_endpoint") ?? ""
                wanted.endpointCAPEM = try fields.text("sts_ca_pem") ?? ""
                wanted.allowsPrivateAddresses = try fields.flag("sts_private_addresses") ?? false
                try await control.awsLogins.configure(
                    request.capture("mount"),
                    wanted,
                    by: request.caller
                )
                return .nothing
            }
        }
    }

    private static func nonce(_ control: ControlPlane) -> Route {
        Route.vault(
            .post,
            "/v1/auth/{mount}/nonce",
            "vaultLoginNonce",
            room: LoginRoutes.room,
            "What to sign as X-Vault-AWS-IAM-Server-ID: it counts once, for a minute",
            needs: .open
        ) { request throws(ControlError) in
            try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                let made = try await control.awsLogins.nonce(
                    request.capture("mount"),
                    by: request.caller
                )
                return .data(
                    .fields([
                        "nonce": .string(made.nonce),
                        "header_value": .string(made.header),
                        "ttl": .number(AWSLogins.nonceLifetime.components.seconds),
                    ]),
                    mountType: AuthMethod.aws.rawValue
                )
            }
        }
    }
}
