import Control
import HTTP
import Mesh
import Wire

/// Tokens as clients of Vault make, read, renew and end them; they are the same rows as `/v1/tokens`.
enum VaultTokenRoutes {
    private static let room = "vault tokens"

    static func routes(_ control: ControlPlane) -> [Route] {
        lookups(control) + renewals(control) + ends(control) + creations(control)
    }

    // MARK: Look-up

    private static func lookups(_ control: ControlPlane) -> [Route] {
        let own: RouteRequest.VaultOperation = { request throws(ControlError) in
            let (row, at) = try await control.tokens.look(at: accessor(request), isOwn: true)
            return token(row.lookup(id: request.token?.secret ?? "", at: at))
        }
        return [
            route(.get, "lookup-self", "LookupSelf", "The token of this request", .anyToken, own),
            route(.post, "lookup-self", "LookupOwn", "The token of this request", .anyToken, own),
            route(.post, "lookup", "Lookup", "Another token") { request throws(ControlError) in
                let text = try VaultFields(request.body).requiredText("token")
                let accessor = try await control.tokens.accessor(of: text)
                try admit(request, to: accessor, control)
                let (row, at) = try await control.tokens.look(at: accessor)
                return token(row.lookup(id: text, at: at))
            },
            route(.post, "lookup-accessor", "LookupAccessor", "The token with an accessor") {
                request throws(ControlError) in
                let accessor = try VaultFields(request.body).accessor()
                try admit(request, to: accessor, control)
                let (row, at) = try await control.tokens.look(at: accessor)
                return token(row.lookup(id: "", at: at))
            },
            Route.vault(
                .list,
                "/v1/auth/token/accessors",
                "vaultListAccessors",
                room: room,
                "The accessors of all live tokens",
                needs: .sudo
            ) { request throws(ControlError) in
                let all = try await control.tokens.accessors().map(\.description)
                return .keys(
                    all.filter { !request.caller.isDenied(on: "tokens/\($0)") },
                    mountType: "token"
                )
            },
        ]
    }

    // MARK: Renewal

    private static func renewals(_ control: ControlPlane) -> [Route] {
        @Sendable func renew(
            _ accessor: UUIDv7,
            _ text: String,
            _ request: RouteRequest
        ) async throws(ControlError) -> VaultReply {
            let increment = try VaultFields(request.body).duration("increment")
            if accessor != request.caller.accessor { try admit(request, to: accessor, control) }
            return granted(
                try await control.tokens.renew(
                    accessor,
                    increment: increment == .zero ? nil : increment,
                    by: request.caller
                ),
                text
            )
        }
        return [
            route(.post, "renew-self", "RenewSelf", "Renew the token of this request", .anyToken) {
                request throws(ControlError) in
                try await renew(accessor(request), request.token?.secret ?? "", request)
            },
            route(.post, "renew", "Renew", "Renew another token") { request throws(ControlError) in
                let text = try VaultFields(request.body).requiredText("token")
                return try await renew(control.tokens.accessor(of: text), text, request)
            },
            route(.post, "renew-accessor", "RenewAccessor", "Renew the token with an accessor") {
                request throws(ControlError) in
                try await renew(VaultFields(request.body).accessor(), "", request)
            },
        ]
    }

    // MARK: End

    private static func ends(_ control: ControlPlane) -> [Route] {
        [
            route(
                .post,
                "revoke-self",
                "RevokeSelf",
                "End the token of this request and all below it",
                .anyToken
            ) { request throws(ControlError) in
                try await control.tokens.revoke(accessor(request), by: request.caller)
                return .nothing
            },
            route(.post, "revoke", "Revoke", "End another token and all below it") {
                request throws(ControlError) in
                let text = try VaultFields(request.body).requiredText("token")
                let accessor = try await control.tokens.accessor(of: text)
                try admit(request, to: accessor, control)
                try await control.tokens.revoke(accessor, by: request.caller)
                return .nothing
            },
            route(
                .post,
                "revoke-accessor",
                "RevokeAccessor",
                "End the token with an accessor and all below it"
            ) { request throws(ControlError) in
                let accessor = try VaultFields(request.body).accessor()
                try admit(request, to: accessor, control)
                try await control.tokens.revoke(accessor, by: request.caller)
                return .nothing
            },
        ]
    }

    // MARK: Creation

    private static func creations(_ control: ControlPlane) -> [Route] {
        [
            route(.post, "create", "CreateToken", "Make a token that ends with that of its maker") {
                request throws(ControlError) in
                var wanted = try self.wanted(request)
                if wanted.isOrphan, !request.caller.may(.sudo, on: "auth/token/create") {
                    throw .forbidden(
                        Complaint(
                            "token.orphan",
                            "an orphan needs sudo on auth/token/create, or auth/token/create-orphan"
                        )
                    )
                }
                wanted.path = "auth/token/create"
                let made = try await control.tokens.create(wanted, by: request.caller)
                return granted(made, made.text)
            },
            route(.post, "create-orphan", "CreateOrphan", "Make a token that outlives its maker") {
                request throws(ControlError) in
                var wanted = try self.wanted(request)
                wanted.isOrphan = true
                wanted.path = "auth/token/create-orphan"
                let made = try await control.tokens.create(wanted, by: request.caller)
                return granted(made, made.text)
            },
        ]
    }

    static func wanted(_ request: RouteRequest) throws(ControlError) -> ChildTokenRequest {
        let fields = VaultFields(request.body)
        try refuseAbsent(fields)
        var wanted = ChildTokenRequest()
        if let name = try fields.text("display_name"), !name.isEmpty {
            wanted.displayName = "token-" + name
        }
        if let policies = try fields.texts("policies"), !policies.isEmpty {
            wanted.policies = policies
        }
        // Clients write nothing, an empty text or 0 for "as it is usual".
        let range = Duration.zero...ChildTokenRequest.lifetimes.upperBound
        for name in ["ttl", "lease"] where wanted.lifetime == nil {
            let lifetime = try fields.duration(name, in: range)
            wanted.lifetime = lifetime == .zero ? nil : lifetime
        }
        let longest = try fields.duration("explicit_max_ttl", in: range)
        wanted.explicitMaxLifetime = longest == .zero ? nil : longest
        wanted.isRenewable = try fields.flag("renewable") ?? true
        wanted.uses = try fields.integer("num_uses", in: 0...ChildTokenRequest.usesMax) ?? 0
        wanted.boundCIDRs = try fields.texts("bound_cidrs") ?? []
        wanted.isOrphan = try fields.flag("no_parent") ?? false
        for entry in try fields.map("meta")?.entries ?? [] {
            guard let text = entry.value.text else {
                throw VaultFields.wrong("meta", "must hold strings only")
            }
            wanted.meta[entry.key] = text
        }
        return wanted
    }

    /// What would make another token than the one that is asked for.
    private static func refuseAbsent(_ fields: VaultFields) throws(ControlError) {
        if let period = try fields.duration("period"), period > .zero {
            throw VaultFields.wrong("period", "there are no periodic tokens here: renew a token")
        }
        if let type = try fields.text("type"), !["", "service", "default"].contains(type) {
            throw VaultFields.wrong("type", "there are service tokens only, yet")
        }
        if let id = try fields.text("id"), !id.isEmpty {
            throw VaultFields.wrong("id", "a token's text is made here and never chosen")
        }
        if let alias = try fields.text("entity_alias"), !alias.isEmpty {
            throw VaultFields.wrong("entity_alias", "there are no entities here")
        }
    }

    // MARK: Shape

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
            "/v1/auth/token/\(path)",
            "vault\(name)",
            room: room,
            summary,
            needs: right,
            operation: operation
        )
    }

    private static func accessor(_ request: RouteRequest) throws(ControlError) -> UUIDv7 {
        guard let accessor = request.caller.accessor else {
            throw .forbidden(Complaint("token.unknown", "this caller has no token"))
        }
        return accessor
    }

    /// Refuses whoever is denied the token by its native path, whichever way it is named.
    private static func admit(
        _ request: RouteRequest,
        to accessor: UUIDv7,
        _ control: ControlPlane
    ) throws(ControlError) {
        let path = "tokens/\(accessor)"
        guard request.caller.isDenied(on: path) else { return }
        control.identity.recordDenial(of: request.caller, .read, on: path)
        throw .forbidden(Complaint("access.denied", "\(path) is denied"))
    }

    private static func token(_ data: Document) -> VaultReply { .data(data, mountType: "token") }

    static func granted(_ token: GrantedToken, _ text: String) -> VaultReply {
        var reply = VaultReply.data(nil, mountType: "token")
        reply.auth = token.auth(text)
        reply.warnings = token.warnings
        return reply
    }
}
