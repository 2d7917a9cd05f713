import Control
import HTTP
import Mesh
import Wire

/// The ids by which programs log in by `approle`: a role's own, and its secret ids.
enum SecretIDRoutes {
    /// The most bytes of what is told about a secret id.
    private static let metadataBytesMax = 16 * 1024

    static func routes(_ control: ControlPlane) -> [Route] {
        roleID(control) + making(control) + bySecret(control) + byAccessor(control)
    }

    private static func roleID(_ control: ControlPlane) -> [Route] {
        [
            route(.get, "role-id", "vaultReadRoleID", "The id that programs name a role by") {
                request throws(ControlError) in
                let role = try await control.loginRoles(AppRole.self).find(
                    request.capture("role"),
                    at: request.capture("mount")
                )
                guard let role else { throw noRole }
                return data(["role_id": .string(role.roleID)])
            },
            route(.post, "role-id", "vaultWriteRoleID", "Choose the id of a role") {
                request throws(ControlError) in
                try await control.appRoleLogins.rename(
                    request.capture("role"),
                    to: VaultFields(request.body).requiredText("role_id"),
                    at: request.capture("mount"),
                    by: request.caller
                )
                return .nothing
            },
        ]
    }

    private static func making(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "secret-id", "vaultListSecretIDs", "The accessors of secret ids") {
                request throws(ControlError) in
                .keys(
                    try await control.secretIDs.accessors(
                        role: request.capture("role"),
                        at: request.capture("mount")
                    ),
                    mountType: AuthMethod.approle.rawValue
                )
            },
            route(.post, "secret-id", "vaultMakeSecretID", "Make a secret id; best wrapped") {
                request throws(ControlError) in
                let fields = VaultFields(request.body)
                return try await make(wanted(fields), request, control)
            },
            route(
                .post,
                "custom-secret-id",
                "vaultMakeCustomSecretID",
                "Take a secret id that was chosen elsewhere"
            ) { request throws(ControlError) in
                let fields = VaultFields(request.body)
                var wanted = try wanted(fields)
                wanted.secret = try fields.requiredText("secret_id")
                return try await make(wanted, request, control)
            },
        ]
    }

    private static func bySecret(_ control: ControlPlane) -> [Route] {
        [
            route(.post, "secret-id/lookup", "vaultLookupSecretID", "What a secret id is bound to")
            { request throws(ControlError) in
                let secret = try VaultFields(request.body).requiredText("secret_id")
                let found = try await find(.secret(secret), request, control)
                // Vault says of one that is not there nothing at all.
                return found.map(data) ?? .nothing
            },
            route(.post, "secret-id/destroy", "vaultDestroySecretID", "End a secret id") {
                request throws(ControlError) in
                let secret = try VaultFields(request.body).requiredText("secret_id")
                _ = try await destroy(.secret(secret), request, control)
                return .nothing
            },
        ]
    }

    private static func byAccessor(_ control: ControlPlane) -> [Route] {
        [
            route(
                .post,
                "secret-id-accessor/lookup",
                "vaultLookupSecretIDAccessor",
                "What the secret id of an accessor is bound to"
            ) { request throws(ControlError) in
                let accessor = try accessor(request)
                guard let found = try await find(.accessor(accessor), request, control) else {
                    throw noSecret
                }
                return data(found)
            },
            route(
                .post,
                "secret-id-accessor/destroy",
                "vaultDestroySecretIDAccessor",
                "End the secret id of an accessor"
            ) { request throws(ControlError) in
                let accessor = try accessor(request)
                guard try await destroy(.accessor(accessor), request, control) else {
                    throw noSecret
                }
                return .nothing
            },
        ]
    }

    private static func route(
        _ method: Method,
        _ suffix: String,
        _ name: String,
        _ summary: String,
        _ operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        Route.vault(
            method,
            "/v1/auth/{mount}/role/{role}/\(suffix)",
            name,
            room: LoginRoutes.room,
            summary
        ) { request throws(ControlError) in
            try await LoginRoutes.orAbsent(request) { () async throws(ControlError) in
                try await operation(request)
            }
        }
    }

    private static func wanted(_ fields: VaultFields) throws(ControlError) -> SecretIDRequest {
        var wanted = SecretIDRequest()
        wanted.bounds.ranges = try TokenGrantFields.ranges(fields, "cidr_list") ?? []
        wanted.bounds.tokenRanges = try TokenGrantFields.ranges(fields, "token_bound_cidrs") ?? []
        wanted.bounds.uses = try fields.integer("num_uses", in: 0...AppRole.secretUsesMax) ?? 0
        wanted.bounds.lifetimeSeconds =
            try fields.duration("ttl", in: .zero...AppRole.secretLifetimeMax)?.components.seconds
            ?? 0
        wanted.bounds.metadata = try metadata(fields)
        return wanted
    }

    /// A map of texts, which clients of Vault write as the text of a JSON object.
    private static func metadata(_ fields: VaultFields) throws(ControlError) -> [String: String] {
        var map = fields.value("metadata")
        if let text = map?.text {
            guard !text.isEmpty else { return [:] }
            guard text.utf8.count <= metadataBytesMax else { throw wrongMetadata }
            do {
                map = try JSON.parse(text, source: "metadata", limits: .request)
            } catch {
                throw wrongMetadata
            }
        }
        guard let map else { return [:] }
        guard let entries = map.entries else { throw wrongMetadata }
        var metadata: [String: String] = [:]
        for entry in entries {
            guard let text = entry.value.text, Text.isPrintable(text), Text.isPrintable(entry.key)
            else { throw wrongMetadata }
            metadata[entry.key] = text
        }
        return metadata
    }

    private static func make(
        _ wanted: SecretIDRequest,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> VaultReply {
        let made = try await control.secretIDs.make(
            wanted,
            role: request.capture("role"),
            at: request.capture("mount"),
            by: request.caller
        )
        return data([
            "secret_id": .string(made.secret),
            "secret_id_accessor": .string(made.accessor),
            "secret_id_ttl": .number(made.lifetimeSeconds),
            "secret_id_num_uses": .number(made.uses),
        ])
    }

    private static func find(
        _ name: SecretIDs.Name,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> Document? {
        try await control.secretIDs.find(
            name,
            role: request.capture("role"),
            at: request.capture("mount")
        )
    }

    private static func destroy(
        _ name: SecretIDs.Name,
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> Bool {
        try await control.secretIDs.destroy(
            name,
            role: request.capture("role"),
            at: request.capture("mount"),
            by: request.caller
        )
    }

    private static func accessor(_ request: RouteRequest) throws(ControlError) -> UUIDv7 {
        let text = try VaultFields(request.body).requiredText("secret_id_accessor")
        guard let accessor = try? UUIDv7(parsing: text) else { throw noSecret }
        return accessor
    }

    private static func data(_ fields: Document) -> VaultReply {
        .data(fields, mountType: AuthMethod.approle.rawValue)
    }

    private static let noRole = ControlError.notFound(
        Complaint("auth.not_found", "there is no such role")
    )
    private static let noSecret = ControlError.notFound(
        Complaint("auth.not_found", "the role has no such secret id")
    )
    private static let wrongMetadata = VaultFields.wrong(
        "metadata",
        "must be a JSON object of printable strings"
    )
}
