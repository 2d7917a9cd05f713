import Control
import HTTP
import Mesh
import Wire

/// Roles by which tokens are made, and making tokens by them.
enum TokenRoleRoutes {
    private static let room = "vault tokens"

    static func routes(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "roles", "vaultListTokenRoles", "The names of all token roles") {
                _ throws(ControlError) in
                .keys(try await control.tokenRoles.names(), mountType: "token")
            },
            route(.get, "roles/{role}", "vaultReadTokenRole", "One token role") {
                request throws(ControlError) in
                let name = request.capture("role")
                guard let role = try await control.tokenRoles.find(name) else {
                    throw .notFound(Complaint("token.no_role", "there is no such role"))
                }
                return .data(show(role, name), mountType: "token")
            },
            route(
                .post,
                "roles/{role}",
                "vaultWriteTokenRole",
                "Say what tokens may be made by a role"
            ) { request throws(ControlError) in
                try await control.tokenRoles.put(
                    read(VaultFields(request.body)),
                    named: request.capture("role"),
                    by: request.caller
                )
                return .nothing
            },
            route(.delete, "roles/{role}", "vaultDeleteTokenRole", "Remove a token role") {
                request throws(ControlError) in
                try await control.tokenRoles.remove(request.capture("role"), by: request.caller)
                return .nothing
            },
            route(.post, "create/{role}", "vaultCreateByRole", "Make a token by a role") {
                request throws(ControlError) in
                var wanted = try VaultTokenRoutes.wanted(request)
                wanted.isOrphan = false
                wanted.role = request.capture("role")
                let made = try await control.tokens.create(wanted, by: request.caller)
                return VaultTokenRoutes.granted(made, made.text)
            },
        ]
    }

    private static func route(
        _ method: Method,
        _ path: String,
        _ name: String,
        _ summary: String,
        _ operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        .vault(
            method,
            "/v1/auth/token/\(path)",
            name,
            room: room,
            summary,
            operation: operation
        )
    }

    private static func read(_ fields: VaultFields) throws(ControlError) -> TokenRole {
        var role = TokenRole()
        role.allowedPolicies = try names(fields, "allowed_policies")
        role.allowedGlobs = try names(fields, "allowed_policies_glob")
        role.disallowedPolicies = try names(fields, "disallowed_policies")
        role.disallowedGlobs = try names(fields, "disallowed_policies_glob")
        role.isOrphan = try fields.flag("orphan") ?? false
        role.isRenewable = try fields.flag("renewable") ?? true
        role.pathSuffix = try fields.text("path_suffix") ?? ""
        guard role.pathSuffix.utf8.count <= AuthMounts.nameBytesMax,
            Text.isPrintableASCII(role.pathSuffix)
        else { throw VaultFields.wrong("path_suffix", "must be short and printable") }
        guard try fields.texts("allowed_entity_aliases")?.isEmpty ?? true else {
            throw VaultFields.wrong("allowed_entity_aliases", "there are no entities here")
        }
        role.grant = try TokenGrantFields.read(fields)
        guard role.grant.policies.isEmpty else {
            throw VaultFields.wrong("token_policies", "use allowed_policies")
        }
        guard role.grant.lifetimeSeconds == 0 else {
            throw VaultFields.wrong(
                "token_ttl",
                "whoever makes a token says its ttl: bound it by explicit_max_ttl"
            )
        }
        let range = Duration.zero...TokenGrant.lifetimeMax
        if role.grant.explicitMaxSeconds == 0,
            let longest = try fields.duration("explicit_max_ttl", in: range)
        {
            role.grant.explicitMaxSeconds = longest.components.seconds
        }
        return role
    }

    private static func names(
        _ fields: VaultFields,
        _ name: String
    ) throws(ControlError) -> [String] {
        let names = try fields.texts(name) ?? []
        guard names.count <= TokenRole.namesMax,
            names.allSatisfy({ (1...AuthMounts.nameBytesMax).contains($0.utf8.count) })
        else {
            throw VaultFields.wrong(name, "must have at most \(TokenRole.namesMax) short names")
        }
        return names.map { $0.lowercased() }.filter { $0 != "default" }
    }

    private static func show(_ role: TokenRole, _ name: String) -> Document {
        var data = Document.fields([
            "name": .string(name),
            "allowed_entity_aliases": .null,
            "allowed_policies": .list(role.allowedPolicies),
            "allowed_policies_glob": .list(role.allowedGlobs),
            "disallowed_policies": .list(role.disallowedPolicies),
            "disallowed_policies_glob": .list(role.disallowedGlobs),
            "orphan": .bool(role.isOrphan),
            "renewable": .bool(role.isRenewable),
            "path_suffix": .string(role.pathSuffix),
            "explicit_max_ttl": .number(role.grant.explicitMaxSeconds),
            "period": 0,
        ])
        let absent = ["token_policies", "token_ttl"]
        for (name, value) in TokenGrantFields.show(role.grant) where !absent.contains(name) {
            data.set(name, value)
        }
        return data
    }
}
