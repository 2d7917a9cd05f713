import Control
import HTTP
import Mesh
import Wire

/// Database accounts as clients of Vault configure and read them: a connection is a target, a role is a
/// profile, and what is read is a lease, the same rows as `/v1/targets`, `/v1/profiles` and
/// `/v1/leases`.
enum DatabaseRoutes {
    private static let room = "vault database"
    private static let type = "database"
    private static let plugin = "postgresql-database-plugin"

    static func routes(_ control: ControlPlane) -> [Route] {
        connections(control) + roles(control) + [credentials(control)]
    }

    // MARK: Connections

    private static func connections(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "config", "ListConnections", "The names of the connections") {
                _ throws(ControlError) in
                .keys(try await control.targets.names(), mountType: type)
            },
            route(.get, "config/{name}", "ReadConnection", "One connection, without its password") {
                request throws(ControlError) in
                let row = try await control.targets.find(try target(request))
                return .data(row.connectionDocument, mountType: type)
            },
            route(
                .post,
                "config/{name}",
                "WriteConnection",
                "Create or change a connection to PostgreSQL, once its administrator was seen to be one"
            ) { request throws(ControlError) in
                let name = try target(request)
                try await control.targets.change(name, targetChange(request), by: request.caller)
                return .nothing
            },
            route(.delete, "config/{name}", "DeleteConnection", "Delete a connection without roles")
            {
                request throws(ControlError) in
                let name = try target(request)
                try await gone { () throws(ControlError) in
                    try await control.targets.delete(name, by: request.caller)
                }
                return .nothing
            },
            route(.post, "reset/{name}", "ResetConnection", "Connect anew at the next use") {
                request throws(ControlError) in
                try await control.targets.reset(try target(request), by: request.caller)
                return .nothing
            },
            route(
                .post,
                "rotate-root/{name}",
                "RotateRoot",
                "Let the second administrator take over, under a password that nobody has seen"
            ) { request throws(ControlError) in
                _ = try await control.targetRotations.rotate(
                    try target(request),
                    by: request.caller
                )
                return .nothing
            },
        ]
    }

    private static func targetChange(
        _ request: RouteRequest
    ) throws(ControlError) -> TargetChange {
        let fields = VaultFields(request.body)
        if let name = try fields.text("plugin_name"), name != plugin {
            throw VaultFields.wrong("plugin_name", "must be \(plugin): there is no other yet")
        }
        for (name, reason) in refusedOfConnections { try refuse(name, fields, reason) }
        var change = TargetChange()
        change.connectionURL = try text("connection_url", fields)
        change.authorities = try text("tls_ca", fields)
        change.user = try text("username", fields)
        change.rotationUser = try text("rotation_username", fields)
        change.password = try text("password", fields)
        if let password = change.password, password.utf8.count > Targets.passwordBytesMax {
            throw VaultFields.wrong("password", "must be at most \(Targets.passwordBytesMax) bytes")
        }
        change.allowedProfiles = try fields.texts("allowed_roles")
        change.isVerified = try fields.flag("verify_connection") ?? true
        return change
    }

    /// What would make another connection than the one that is asked for.
    private static let refusedOfConnections = [
        ("root_rotation_statements", "a rotation sets a password and nothing else: leave it out"),
        ("username_template", "a role's name follows from its lease: leave it out"),
        ("password_policy", "a password is 256 random bits: leave it out"),
        ("tls_certificate", "client certificates do not exist yet: give username and password"),
        ("private_key", "client certificates do not exist yet: give username and password"),
    ]

    // MARK: Roles

    private static func roles(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "roles", "ListRoles", "The names of the roles") { _ throws(ControlError) in
                .keys(try await control.profiles.names(), mountType: type)
            },
            route(.get, "roles/{name}", "ReadRole", "One role") { request throws(ControlError) in
                let row = try await control.profiles.find(try profile(request))
                return .data(row.roleDocument, mountType: type)
            },
            route(
                .post,
                "roles/{name}",
                "WriteRole",
                "Create or change a role, once a lease of it was issued, used and revoked"
            ) { request throws(ControlError) in
                let name = try profile(request)
                let warnings = try await control.profiles.change(
                    name,
                    profileChange(request),
                    by: request.caller
                )
                if warnings.isEmpty { return .nothing }
                var reply = VaultReply.data(nil, mountType: type)
                reply.warnings = warnings
                return reply
            }
            .taking(.any, limit: 1 << 20),
            route(.delete, "roles/{name}", "DeleteRole", "Delete a role; its leases live on") {
                request throws(ControlError) in
                let name = try profile(request)
                try await gone { () throws(ControlError) in
                    try await control.profiles.delete(name, by: request.caller)
                }
                return .nothing
            },
        ]
    }

    private static func profileChange(
        _ request: RouteRequest
    ) throws(ControlError) -> ProfileChange {
        let fields = VaultFields(request.body)
        for (name, reason) in refusedOfRoles { try refuse(name, fields, reason) }
        if let kind = try text("credential_type", fields), kind != "password" {
            throw VaultFields.wrong("credential_type", "must be password: there is no other yet")
        }
        var change = ProfileChange()
        if let name = try text("db_name", fields) {
            do {
                change.target = try TargetName(name)
            } catch {
                throw VaultFields.wrong("db_name", "\(error)")
            }
        }
        change.creation = try statements("creation_statements", fields)
        change.revocation = try statements("revocation_statements", fields)
        change.defaultTTL = try fields.duration("default_ttl")
        change.maxTTL = try fields.duration("max_ttl")
        change.groupRole = try text("group_role", fields)
        change.ownerRole = try text("owner_role", fields)
        if let settings = try fields.map("settings") {
            var values: [String: String] = [:]
            for entry in settings.entries ?? [] {
                guard let value = entry.value.text, !value.utf8.contains(0) else {
                    throw VaultFields.wrong("settings", "must hold strings only")
                }
                values[entry.key] = value
            }
            change.settings = values
        }
        let most = Int64(LeaseTarget.leasesRange.upperBound)
        change.connectionLimit = try fields.integer("connection_limit", in: 1...most).map(Int.init)
        change.leasesMax = try fields.integer("leases_max", in: 1...most).map(Int.init)
        return change
    }

    private static let refusedOfRoles = [
        ("rollback_statements", "a role is made in one transaction: there is nothing to roll back"),
        ("renew_statements", "a renewal moves the role's VALID UNTIL and nothing else"),
        ("credential_config", "a password is 256 random bits: leave it out"),
    ]

    /// A list, or one text: commas separate no statements.
    private static func statements(
        _ name: String,
        _ fields: VaultFields
    ) throws(ControlError) -> [String]? {
        guard let text = fields.value(name)?.text else { return try fields.texts(name) }
        guard !text.utf8.contains(0) else { throw VaultFields.wrong(name, "must not hold NUL") }
        return text.isEmpty ? [] : [text]
    }

    // MARK: Credentials

    private static func credentials(_ control: ControlPlane) -> Route {
        route(
            .get,
            "creds/{name}",
            "ReadCredentials",
            "An account that ends by itself: a new lease each time"
        ) { request throws(ControlError) in
            let name = try profile(request)
            let credential: LeasedCredential
            do throws(ControlError) {
                credential = try await control.leases.issue(
                    LeaseRequest(profile: name),
                    by: request.caller
                )
            } catch {
                guard error.code == "profile.not_found" else { throw error }
                throw .invalid("profile.not_found", field: "", "unknown role: \(name)")
            }
            var reply = VaultReply.data(
                .fields([
                    "username": .string(credential.username),
                    "password": .string(credential.password),
                ]),
                mountType: type
            )
            reply.lease = VaultReply.Lease(
                id: credential.name.description,
                seconds: credential.remaining.components.seconds,
                isRenewable: true
            )
            reply.warnings = credential.warnings
            return reply
        }
    }

    // MARK: Shape

    private static func route(
        _ method: Method,
        _ path: String,
        _ name: String,
        _ summary: String,
        operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        .vault(
            method,
            "/v1/database/\(path)",
            "vault\(name)",
            room: room,
            summary,
            operation: operation
        )
    }

    private static func target(_ request: RouteRequest) throws(ControlError) -> TargetName {
        try request.capture("name") { text throws(NameError) in try TargetName(text) }
    }

    private static func profile(_ request: RouteRequest) throws(ControlError) -> ProfileName {
        try request.capture("name") { text throws(NameError) in try ProfileName(text) }
    }

    /// A text; nil when it is absent or empty, which clients send for what they do not know.
    private static func text(
        _ name: String,
        _ fields: VaultFields
    ) throws(ControlError) -> String? {
        try fields.text(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Refuses a field that has a value; empty ones say nothing.
    private static func refuse(
        _ name: String,
        _ fields: VaultFields,
        _ reason: String
    ) throws(ControlError) {
        guard let value = fields.value(name) else { return }
        let isEmpty =
            value.text?.isEmpty ?? value.items?.isEmpty ?? value.entries?.isEmpty ?? false
        guard isEmpty else { throw VaultFields.wrong(name, reason) }
    }

    /// What is not there is deleted.
    private static func gone(
        _ delete: () async throws(ControlError) -> Void
    ) async throws(ControlError) {
        do throws(ControlError) {
            try await delete()
        } catch {
            guard case .notFound = error else { throw error }
        }
    }
}
