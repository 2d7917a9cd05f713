import Control
import HTTP
import Mesh
package import Wire

/// What is mounted where: fixed, so that no request can move it.
package struct VaultMount: Equatable, Sendable {
    /// With the slash at its end, such as `secret/`.
    package let path: String
    package let type: String
    package let summary: String
    package let options: [String: String]

    /// Secrets engines; a room that serves one has its line here.
    package static let secrets = [
        VaultMount(
            path: "database/",
            type: "database",
            summary: "Database accounts on lease",
            options: [:]
        ),
        VaultMount(
            path: "secret/",
            type: "kv",
            summary: "Static secrets with versions",
            options: ["version": "2"]
        ),
        VaultMount(
            path: "cubbyhole/",
            type: "cubbyhole",
            summary: "What a token keeps for itself",
            options: [:]
        ),
        VaultMount(path: "sys/", type: "system", summary: "The server itself", options: [:]),
    ]

    /// Ways to log in that are always there.
    package static let auth = [
        VaultMount(path: "token/", type: "token", summary: "By token", options: [:])
    ]

    /// The mount in Vault's words.
    package var document: Document {
        .fields([
            "accessor": .string("\(type)_\(path.dropLast())"),
            "config": .fields([
                "default_lease_ttl": 0,
                "force_no_cache": false,
                "max_lease_ttl": 0,
            ]),
            "description": .string(summary),
            "external_entropy_access": false,
            "local": false,
            "options": options.isEmpty ? .null : .map(options),
            "seal_wrap": false,
            "type": .string(type),
            "uuid": .string(""),
        ])
    }

    static func map(_ mounts: [VaultMount]) -> Document {
        .map(Dictionary(mounts.map { ($0.path, $0.document) }) { first, _ in first })
    }
}

/// Which engines are mounted where; the command line of Vault asks before each `kv` command.
enum MountRoutes {
    private static let room = "vault system"

    static func routes() -> [Route] {
        [
            Route.vault(
                .get,
                "/v1/sys/internal/ui/mounts",
                "vaultVisibleMounts",
                room: room,
                "The mounts below which the caller may do anything",
                needs: .anyToken
            ) { request throws(ControlError) in
                .data(
                    .fields([
                        "secret": VaultMount.map(
                            VaultMount.secrets.filter { mayBelow($0.path, request.caller) }
                        ),
                        "auth": VaultMount.map(
                            VaultMount.auth.filter { mayBelow("auth/\($0.path)", request.caller) }
                        ),
                    ]),
                    mountType: "system"
                )
            },
            Route.vault(
                .get,
                "/v1/sys/internal/ui/mounts/{path...}",
                "vaultVisibleMount",
                room: room,
                "The mount of a path, for whoever may do anything below it",
                needs: .anyToken
            ) { request throws(ControlError) in
                let path = request.capture("path") + "/"
                // The same answer for a mount that is not there: nobody learns which there are.
                guard let mount = VaultMount.secrets.first(where: { path.hasPrefix($0.path) }),
                    mayBelow(mount.path, request.caller)
                else {
                    throw .forbidden(
                        Complaint(
                            "access.mount",
                            "preflight capability check returned 403, please ensure client's"
                                + " policies grant access to path \"\(path)\""
                        )
                    )
                }
                var data = mount.document
                data.set("path", .string(mount.path))
                return .data(data, mountType: "system")
            },
            Route.vault(
                .get,
                "/v1/sys/mounts",
                "vaultMounts",
                room: room,
                "All secrets engines"
            ) { _ throws(ControlError) in list(VaultMount.secrets) },
        ]
    }

    private static func list(_ mounts: [VaultMount]) -> VaultReply {
        var reply = VaultReply.data(VaultMount.map(mounts), mountType: "system")
        reply.repeatsAtTop = true
        return reply
    }

    private static func mayBelow(_ prefix: String, _ caller: Caller) -> Bool {
        caller.mayDoAnything(below: prefix)
    }
}
