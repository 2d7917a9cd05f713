import Control
import HTTP
import Mesh
import Wire

/// Which ways to log in are mounted, and how long what they give may live.
enum AuthMountRoutes {
    private static let room = "vault system"

    static func routes(_ control: ControlPlane) -> [Route] {
        [list(control)] + single(control) + tuning(control)
    }

    private static func list(_ control: ControlPlane) -> Route {
        Route.vault(
            .get,
            "/v1/sys/auth",
            "vaultAuthMethods",
            room: room,
            "All ways to log in"
        ) { _ throws(ControlError) in
            let mounts = try await control.authMounts.list()
            var data = VaultMount.map(VaultMount.auth)
            for mount in mounts { data.set("\(mount.path)/", document(mount)) }
            var reply = VaultReply.data(data, mountType: "system")
            reply.repeatsAtTop = true
            return reply
        }
    }

    private static func single(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/sys/auth/{mount}",
                "vaultAuthMethod",
                room: room,
                "One way to log in"
            ) { request throws(ControlError) in
                let found = try await find(request, control)
                var reply = VaultReply.data(document(found), mountType: "system")
                reply.repeatsAtTop = true
                return reply
            },
            Route.vault(
                .post,
                "/v1/sys/auth/{mount}",
                "vaultEnableAuthMethod",
                room: room,
                "Mount a way to log in: `type` jwt, cert, approle, userpass, aws or kubernetes",
                needs: .sudo
            ) { request throws(ControlError) in
                let fields = VaultFields(request.body)
                let path = request.capture("mount")
                let type = try fields.text("type") ?? ""
                guard let method = AuthMethod(rawValue: type) else {
                    if let reason = AbsentRoutes.logins[type] {
                        return .refusal(.notImplemented, [reason])
                    }
                    throw VaultFields.wrong("type", "must be a kind of login, such as jwt")
                }
                let (first, most) = try lifetimes(try fields.map("config") ?? .null, nil)
                try await control.authMounts.enable(
                    AuthMount(
                        path: path,
                        method: method,
                        summary: try fields.text("description") ?? "",
                        defaultLifetimeSeconds: first,
                        maxLifetimeSeconds: most
                    ),
                    by: request.caller
                )
                return .nothing
            },
            Route.vault(
                .delete,
                "/v1/sys/auth/{mount}",
                "vaultDisableAuthMethod",
                room: room,
                "Remove a way to log in with its roles; the tokens that it gave end",
                needs: .sudo
            ) { request throws(ControlError) in
                let path = request.capture("mount")
                try AuthMounts.check(path: path)
                try await control.authMounts.disable(path, by: request.caller)
                return .nothing
            },
        ]
    }

    private static func tuning(_ control: ControlPlane) -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/sys/auth/{mount}/tune",
                "vaultReadAuthTuning",
                room: room,
                "How long what a login gives may live",
                needs: .sudo
            ) { request throws(ControlError) in
                let mount = try await find(request, control)
                var reply = VaultReply.data(tuning(mount), mountType: "system")
                reply.repeatsAtTop = true
                return reply
            },
            Route.vault(
                .post,
                "/v1/sys/auth/{mount}/tune",
                "vaultTuneAuthMethod",
                room: room,
                "Say how long what a login gives may live",
                needs: .sudo
            ) { request throws(ControlError) in
                let old = try await find(request, control)
                let fields = VaultFields(request.body)
                let summary = try fields.text("description") ?? old.summary
                let (first, most) = try lifetimes(request.body, old)
                try await control.authMounts.tune(old.path, by: request.caller) { mount in
                    AuthMount(
                        path: mount.path,
                        method: mount.method,
                        summary: summary,
                        defaultLifetimeSeconds: first,
                        maxLifetimeSeconds: most,
                        accessor: mount.accessor
                    )
                }
                return .nothing
            },
        ]
    }

    private static func find(
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> AuthMount {
        guard let mount = try await control.authMounts.find(request.capture("mount")) else {
            throw .notFound(Complaint("auth.no_mount", "nothing is mounted there"))
        }
        return mount
    }

    /// What is not said stays; both as seconds, zero for none of its own.
    private static func lifetimes(
        _ body: Document,
        _ old: AuthMount?
    ) throws(ControlError) -> (first: Int64, most: Int64) {
        let fields = VaultFields(body)
        let range = Duration.zero...TokenGrant.lifetimeMax
        let first = try fields.duration("default_lease_ttl", in: range)?.components.seconds
        let most = try fields.duration("max_lease_ttl", in: range)?.components.seconds
        let type = try fields.text("token_type") ?? ""
        guard ["", "default", "default-service", "service"].contains(type) else {
            throw VaultFields.wrong("token_type", "there are service tokens only, yet")
        }
        let result = (
            first ?? old?.defaultLifetimeSeconds ?? 0, most ?? old?.maxLifetimeSeconds ?? 0
        )
        guard result.1 == 0 || result.0 <= result.1 else {
            throw VaultFields.wrong("default_lease_ttl", "must not be greater than max_lease_ttl")
        }
        return result
    }

    private static func tuning(_ mount: AuthMount) -> Document {
        .fields([
            "default_lease_ttl": .number(mount.defaultLifetimeSeconds),
            "max_lease_ttl": .number(mount.maxLifetimeSeconds),
            "description": .string(mount.summary),
            "force_no_cache": false,
            "token_type": "default-service",
        ])
    }

    private static func document(_ mount: AuthMount) -> Document {
        var document = VaultMount(
            path: "\(mount.path)/",
            type: mount.method.rawValue,
            summary: mount.summary,
            options: [:]
        ).document
        document.set("accessor", .string(mount.accessor))
        document.set("config", tuning(mount))
        return document
    }
}
