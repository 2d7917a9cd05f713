import Control
import HTTP
import Mesh
import Wire

/// Leases by their names, as clients of Vault look them up, renew and end them.
///
/// A lease may be looked up, renewed and ended with the very token that asked for it, as Vault's
/// policy `default` allows everybody who knows its name; anybody else needs a right.
enum VaultLeaseRoutes {
    private static let room = "vault leases"
    private static let type = "system"
    /// Leases that a list of those which could not be ended shows where the client says nothing.
    private static let stuckMax: Int64 = 10_000

    static func routes(_ control: ControlPlane) -> [Route] {
        [lookup(control)] + lists(control) + renewals(control) + revocations(control)
            + prefixes(control) + [tidy(control)]
    }

    // MARK: Look-up

    private static func lookup(_ control: ControlPlane) -> Route {
        route(.post, "sys/leases/lookup", "LookupLease", "One lease", .anyToken) {
            request throws(ControlError) in
            let found = try await control.leases.held(
                try name(request),
                by: request.caller,
                orWith: "sys/leases/lookup"
            )
            guard let found, found.isOut else { throw unknown }
            return .data(found.lookup, mountType: type)
        }
    }

    private static func lists(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "sys/leases/lookup", "ListLeaseRoots", "What leases there are of", .sudo) {
                _ throws(ControlError) in
                .keys(try await control.leases.names(below: ""), mountType: type)
            },
            route(
                .list,
                "sys/leases/lookup/{prefix...}",
                "ListLeases",
                "The leases below a path",
                .sudo
            ) { request throws(ControlError) in
                .keys(
                    try await control.leases.names(below: request.capture("prefix")),
                    mountType: type
                )
            },
            route(
                .get,
                "sys/leases/count",
                "CountLeases",
                "How many leases could not be ended yet; each is tried for as long as it takes"
            ) { request throws(ControlError) in
                try checkKind(request)
                let stuck = try await control.leases.stuck(limit: 0)
                return .data(counts(stuck.count), mountType: type)
            }
            .filtered(by: kind),
            route(
                .get,
                "sys/leases",
                "StuckLeases",
                "The leases that could not be ended yet, with the reason",
                .sudo
            ) { request throws(ControlError) in
                try checkKind(request)
                let text = try request.parameter("limit") ?? ""
                let limit = text.isEmpty ? stuckMax : Int64(text) ?? (text == "none" ? stuckMax : 0)
                guard (1...stuckMax).contains(limit) else {
                    throw .invalid("request.query", field: "limit", "must be from 1 to \(stuckMax)")
                }
                let stuck = try await control.leases.stuck(limit: Int(limit))
                var data = counts(stuck.count)
                data.set(
                    "leases",
                    .list(
                        stuck.leases.map {
                            Document.fields([
                                "lease_id": .string("\($0.name)"), "mount_id": "database_database",
                                "error": .string($0.error),
                            ])
                        }
                    )
                )
                return .data(data, mountType: type)
            }
            .filtered(by: kind, .init("limit", .integer(1...Int(stuckMax)), "How many at most")),
        ]
    }

    private static let kind = Route.Parameter(
        "type",
        .text(allowed: ["irrevocable"]),
        "Vault's word for what could not be ended",
        isRequired: true
    )

    private static func checkKind(_ request: RouteRequest) throws(ControlError) {
        guard try request.parameter("type") == "irrevocable" else {
            throw .invalid("request.query", field: "type", "must be irrevocable")
        }
    }

    private static func counts(_ count: Int) -> Document {
        .fields([
            "lease_count": .number(count),
            "counts": count == 0
                ? Document.fields([:]) : Document.fields(["database_database": .number(count)]),
        ])
    }

    // MARK: Renewal

    private static func renewals(_ control: ControlPlane) -> [Route] {
        both("renew", "RenewLease", "Let a lease live longer, counted from now") {
            request throws(ControlError) in
            let found = try await control.leases.held(
                try name(request),
                by: request.caller,
                orWith: "sys/leases/renew"
            )
            guard let found, found.isOut else { throw unknownToRenew }
            let increment = try VaultFields(request.body).duration("increment")
            let (_, remaining, warnings) = try await control.leases.renew(
                found.name,
                by: increment == .zero ? nil : increment,
                by: request.caller
            )
            var reply = VaultReply.data(nil, mountType: type)
            reply.lease = VaultReply.Lease(
                id: found.name.description,
                seconds: remaining.components.seconds,
                isRenewable: true
            )
            reply.warnings = warnings
            return reply
        }
    }

    // MARK: End

    private static func revocations(_ control: ControlPlane) -> [Route] {
        both("revoke", "RevokeLease", "End a lease for ever; with sync it is waited for") {
            request throws(ControlError) in
            let isAwaited = try VaultFields(request.body).flag("sync") ?? false
            let found = try await control.leases.held(
                try name(request),
                by: request.caller,
                orWith: "sys/leases/revoke"
            )
            guard let found else { throw unknown }
            let lease = try await control.leases.revoke(
                found.name,
                isAwaited: isAwaited,
                by: request.caller
            )
            return try ended(isAwaited: isAwaited, isOver: lease.isOver)
        }
    }

    private static func prefixes(_ control: ControlPlane) -> [Route] {
        var routes: [Route] = []
        for (base, suffix) in [("sys/leases", ""), ("sys", "Legacy")] {
            routes.append(all("revoke-prefix", "RevokeLeases\(suffix)", below: base, control))
            routes.append(all("revoke-force", "ForceLeases\(suffix)", below: base, control))
        }
        return routes
    }

    private static func all(
        _ verb: String,
        _ name: String,
        below base: String,
        _ control: ControlPlane
    ) -> Route {
        route(
            .post,
            "\(base)/\(verb)/{prefix...}",
            name,
            "End all leases below a path; none is forgotten before its access has ended",
            .rights { request throws(ControlError) in
                let path = "sys/leases/\(verb)/\(request.capture("prefix"))"
                return [RequiredRight(.update, on: path), RequiredRight(.sudo, on: path)]
            }
        ) { request throws(ControlError) in
            let prefix = try request.capture("prefix") { text throws(NameError) in
                try LeasePrefix(text)
            }
            // Whoever uses force wants to know that it is over.
            let isAwaited = try VaultFields(request.body).flag("sync") ?? (verb == "revoke-force")
            let (_, isOver) = try await control.leases.revokeAll(
                below: prefix,
                isAwaited: isAwaited,
                by: request.caller
            )
            return try ended(isAwaited: isAwaited, isOver: isOver)
        }
    }

    /// 204 once nobody has access any more, 202 for whoever does not wait for it.
    private static func ended(isAwaited: Bool, isOver: Bool) throws(ControlError) -> VaultReply {
        if isAwaited, isOver { return .nothing }
        guard !isAwaited else {
            throw .unavailable(
                Complaint(
                    "lease.ending",
                    "the access has not ended yet, because a target does not answer; it is tried for"
                        + " as long as it takes"
                )
            )
        }
        var reply = VaultReply.data(nil, mountType: type)
        reply.status = .accepted
        return reply
    }

    private static func tidy(_ control: ControlPlane) -> Route {
        route(
            .post,
            "sys/leases/tidy",
            "TidyLeases",
            "Compare the leases with the roles of all targets now"
        ) { request throws(ControlError) in
            try await control.leases.tidy(by: request.caller)
            var reply = VaultReply.data(nil, mountType: type)
            reply.status = .accepted
            reply.warnings = ["each target is compared within a minute; see dashboard.targets"]
            return reply
        }
    }

    // MARK: Shape

    private static let unknown = ControlError.invalid("lease.unknown", field: "", "invalid lease")
    private static let unknownToRenew = ControlError.invalid(
        "lease.unknown",
        field: "",
        "lease not found"
    )

    /// The name of a lease from the path, or from the body.
    private static func name(_ request: RouteRequest) throws(ControlError) -> String {
        if let name = request.captures["lease"] { return name }
        let fields = VaultFields(request.body)
        if let name = try fields.text("lease_id"), !name.isEmpty { return name }
        guard let name = try fields.text("url_lease_id"), !name.isEmpty else {
            throw VaultFields.wrong("lease_id", "is required")
        }
        return name
    }

    /// The same operation under the path of today and the old one, with the name in the body or in
    /// the path.
    private static func both(
        _ verb: String,
        _ name: String,
        _ summary: String,
        operation: @escaping RouteRequest.VaultOperation
    ) -> [Route] {
        [("sys/leases", ""), ("sys", "Legacy")].flatMap { base, suffix in
            [
                route(.post, "\(base)/\(verb)", name + suffix, summary, .anyToken, operation),
                route(
                    .post,
                    "\(base)/\(verb)/{lease...}",
                    "\(name)ByPath\(suffix)",
                    summary,
                    .anyToken,
                    operation
                ),
            ]
        }
    }

    private static func route(
        _ method: Method,
        _ path: String,
        _ name: String,
        _ summary: String,
        _ right: VaultRight = .verb,
        _ operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        .vault(
            method,
            "/v1/\(path)",
            "vault\(name)",
            room: room,
            summary,
            needs: right,
            operation: operation
        )
    }
}
