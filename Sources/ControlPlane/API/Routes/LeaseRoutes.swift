import Control
import HTTP
import Mesh
import Wire

/// Credentials on lease: where, for what, and who holds them.
enum LeaseRoutes {
    private static let targetShape: Schema = .object([
        .readOnly("name", .text(), "Its name"),
        .required(
            "host",
            .text(example: "db.example.com"),
            "A DNS name in lower case, or an address"
        ),
        .optional("port", .integer(1...65_535), "5432 if absent"),
        .optional("tls", .any, "`{mode: verify, ca: PEM}`; only for this machine `{mode: none}`"),
        .required("database", .text(), "Where the administrator logs in"),
        .required("username", .text(), "Who makes and ends roles there"),
        .optional(
            "rotation_username",
            .text(),
            "A second administrator like the first: the two take turns at each rotation"
        ),
        .optional("password", .text(), "Sealed and never shown again; kept if absent"),
        .optional("allowed_profiles", .list(.text()), "Globs; all if absent"),
        .optional("leases_max", .integer(LeaseTarget.leasesRange), "Open leases; 1000 if absent"),
        .readOnly(
            "decommissioned_at",
            .text(format: "date-time"),
            "Since when it is gone for good"
        ),
        .readOnly("version", .integer(nil), "From 1; also the entity tag"),
        .readOnly("created_at", .text(format: "date-time"), "When it was made"),
        .readOnly("updated_at", .text(format: "date-time"), "When it was last changed"),
        .readOnly("created_by", .text(), "Who made it"),
    ])
    private static let profileShape: Schema = .object([
        .readOnly("name", .text(), "Its name"),
        .required("target", .text(), "Where roles are made"),
        .optional("group_role", .text(), "The role that leased ones are members of"),
        .optional("owner_role", .text(), "Who owns afterwards what they made; the group if absent"),
        .optional("settings", .textMap, "Settings of their sessions, such as statement_timeout"),
        .optional("connection_limit", .integer(LeaseProfile.connectionRange), "10 if absent"),
        .optional(
            "creation_statements",
            .list(.text()),
            "Instead of group_role: with {{name}}, {{password}} (a SCRAM verifier), {{expiration}}"
        ),
        .optional("revocation_statements", .list(.text()), "Before what is done in any case"),
        .optional("default_ttl", .text(example: "15m"), "15m if absent"),
        .optional("max_ttl", .text(example: "1h"), "At most 1h"),
        .optional("leases_max", .integer(LeaseTarget.leasesRange), "Open leases; 500 if absent"),
        .readOnly("preflighted_at", .text(format: "date-time"), "When a trial lease went through"),
        .readOnly("version", .integer(nil), "From 1; also the entity tag"),
        .readOnly("created_at", .text(format: "date-time"), "When it was made"),
        .readOnly("updated_at", .text(format: "date-time"), "When it was last changed"),
        .readOnly("created_by", .text(), "Who made it"),
    ])
    private static let deleted: Schema = .object([.readOnly("deleted", .boolean, "Always true")])

    /// Targets, profiles and leases.
    static func routes(_ control: ControlPlane) -> [Route] {
        targets(control) + profiles(control) + LeaseHolderRoutes.routes(control)
    }

    // MARK: Targets

    private static func targets(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/targets",
                "listTargets",
                room: "leases",
                "The targets, by name",
                access: .resource(.list) { _ throws(ControlError) in "database/config" }
            ) { request throws(ControlError) in
                let (limit, after) = try request.page()
                let page = try await control.targets.page(
                    after: after,
                    limit: limit,
                    for: request.caller
                )
                return .page(page.items, next: page.next)
            }
            .answeringPages(of: targetShape),
            Route(
                .get,
                "/v1/targets/{target}",
                "getTarget",
                room: "leases",
                "One target; its password is never shown",
                access: .resource(.read, targetPath)
            ) { request throws(ControlError) in
                let row = try await control.targets.find(try targetName(request))
                return Answer(row.document, entityRevision: row.entityVersion)
            }
            .answering(targetShape),
            Route(
                .put,
                "/v1/targets/{target}",
                "putTarget",
                room: "leases",
                "Create or replace a target, once its administrator was seen to be one",
                access: .resource(.update, targetPath)
            ) { request throws(ControlError) in try await putTarget(request, control) }
            .taking(targetShape).answering(targetShape).supporting(.conditional),
            Route(
                .delete,
                "/v1/targets/{target}",
                "deleteTarget",
                room: "leases",
                "Delete a target without profiles and open leases",
                access: .resource(.delete, targetPath)
            ) { request throws(ControlError) in
                try await control.targets.delete(try targetName(request), by: request.caller)
                return Answer(.fields(["deleted": .bool(true)]))
            }
            .answering(deleted),
            Route(
                .post,
                "/v1/targets/{target}/decommission",
                "decommissionTarget",
                room: "leases",
                "Say that a target is gone for good: its leases end without anybody going there",
                access: .resource(.sudo, targetPath)
            ) { request throws(ControlError) in
                let reason = try request.read { value throws(FieldError) in
                    try value.map { reader throws(FieldError) in
                        try reader.string("reason", bytes: 1...512)
                    }
                }
                let count = try await control.targets.decommission(
                    try targetName(request),
                    because: reason,
                    by: request.caller
                )
                return Answer(.fields(["leases": .number(count)]))
            }
            .taking(.object([.required("reason", .text(), "Why, for the audit trail")]))
            .answering(.object([.readOnly("leases", .integer(nil), "How many end by it")])),
            Route(
                .post,
                "/v1/targets/{target}/rotate",
                "rotateTarget",
                room: "leases",
                "Let the second administrator take over, under a password that nobody has seen",
                access: .resource(.update) { request throws(ControlError) in
                    "database/rotate-root/\(try targetName(request))"
                }
            ) { request throws(ControlError) in
                let row = try await control.targetRotations.rotate(
                    try targetName(request),
                    by: request.caller
                )
                return Answer(row.document, entityRevision: row.entityVersion)
            }
            .answering(targetShape),
        ]
    }

    private static func targetName(_ request: RouteRequest) throws(ControlError) -> TargetName {
        try request.capture("target") { text throws(NameError) in try TargetName(text) }
    }

    private static let targetPath: RouteRequest.PathDerivation = { request throws(ControlError) in
        Targets.path(try targetName(request))
    }

    private static func putTarget(
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> Answer {
        let name = try targetName(request)
        let (target, password) = try request.read { value throws(FieldError) in
            try value.map { reader throws(FieldError) in
                let password = try reader.optionalString(
                    "password",
                    bytes: 1...Targets.passwordBytesMax
                )
                return (try LeaseTarget(name: name, from: &reader, at: value), password)
            }
        }
        let (row, isNew) = try await control.targets.put(
            target,
            passwordText: password,
            if: condition(request),
            by: request.caller
        )
        return Answer(
            row.document,
            status: isNew ? .created : .ok,
            entityRevision: row.entityVersion
        )
    }

    // MARK: Profiles

    private static func profiles(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/profiles",
                "listProfiles",
                room: "leases",
                "The profiles, by name",
                access: .resource(.list) { _ throws(ControlError) in "database/roles" }
            ) { request throws(ControlError) in
                let (limit, after) = try request.page()
                let page = try await control.profiles.page(
                    after: after,
                    limit: limit,
                    for: request.caller
                )
                return .page(page.items, next: page.next)
            }
            .answeringPages(of: profileShape),
            Route(
                .get,
                "/v1/profiles/{profile}",
                "getProfile",
                room: "leases",
                "One profile",
                access: .resource(.read, profilePath)
            ) { request throws(ControlError) in
                let row = try await control.profiles.find(try profileName(request))
                return Answer(row.document, entityRevision: row.entityVersion)
            }
            .answering(profileShape),
            Route(
                .put,
                "/v1/profiles/{profile}",
                "putProfile",
                room: "leases",
                "Create or replace a profile, once a lease of it was issued, used and revoked",
                access: .resource(.update, profilePath)
            ) { request throws(ControlError) in
                let name = try profileName(request)
                let profile = try request.read { value throws(FieldError) in
                    try value.map { reader throws(FieldError) in
                        try LeaseProfile(name: name, from: &reader, at: value)
                    }
                }
                let (row, isNew) = try await control.profiles.put(
                    profile,
                    if: condition(request),
                    by: request.caller
                )
                return Answer(
                    row.document,
                    status: isNew ? .created : .ok,
                    entityRevision: row.entityVersion
                )
            }
            .taking(profileShape, limit: 1 << 20).answering(profileShape).supporting(.conditional),
            Route(
                .delete,
                "/v1/profiles/{profile}",
                "deleteProfile",
                room: "leases",
                "Delete a profile; its leases live on as long as they were given",
                access: .resource(.delete, profilePath)
            ) { request throws(ControlError) in
                try await control.profiles.delete(try profileName(request), by: request.caller)
                return Answer(.fields(["deleted": .bool(true)]))
            }
            .answering(deleted),
        ]
    }

    static func profileName(_ request: RouteRequest) throws(ControlError) -> ProfileName {
        try request.capture("profile") { text throws(NameError) in try ProfileName(text) }
    }

    private static let profilePath: RouteRequest.PathDerivation = { request throws(ControlError) in
        Profiles.path(try profileName(request))
    }

    private static func condition(_ request: RouteRequest) -> Policies.VersionCondition? {
        guard let condition = request.condition else { return nil }
        return { version in condition.admits(version) }
    }
}
