import Control
import HTTP
import Mesh
import Wire

/// One secrets engine: read, and what cannot be done with it yet.
enum SecretMountRoutes {
    private static let room = "vault system"

    static func routes() -> [Route] {
        [
            route(.get, "", "vaultMount", "One secrets engine") { request throws(ControlError) in
                top(try find(request).document)
            },
            route(.get, "/tune", "vaultReadMountTuning", "How a secrets engine is tuned") {
                request throws(ControlError) in
                let mount = try find(request)
                return top(
                    .fields([
                        "default_lease_ttl": 0,
                        "description": .string(mount.summary),
                        "force_no_cache": false,
                        "max_lease_ttl": 0,
                        "options": mount.options.isEmpty ? .null : .map(mount.options),
                    ])
                )
            },
            route(.post, "", "vaultEnableMount", "Refused: the engines are fixed", .sudo) {
                request throws(ControlError) in
                guard let mount = try? find(request) else { return absent }
                throw .invalid(
                    "mount.path_in_use",
                    field: "path",
                    "path is already in use at \(mount.path)"
                )
            },
            route(.post, "/tune", "vaultTuneMount", "Refused: engines are not tuned yet", .sudo) {
                _ throws(ControlError) in absent
            },
            route(.delete, "", "vaultDisableMount", "Refused: the engines are fixed", .sudo) {
                _ throws(ControlError) in absent
            },
        ]
    }

    private static var absent: VaultReply {
        .refusal(
            .notImplemented,
            ["engines cannot be enabled, disabled or tuned yet: secret/ is always there"]
        )
    }

    private static func route(
        _ method: Method,
        _ suffix: String,
        _ name: String,
        _ summary: String,
        _ right: VaultRight = .verb,
        _ operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        .vault(
            method,
            "/v1/sys/mounts/{mount}\(suffix)",
            name,
            room: room,
            summary,
            needs: right,
            operation: operation
        )
    }

    private static func find(_ request: RouteRequest) throws(ControlError) -> VaultMount {
        let path = request.capture("mount") + "/"
        guard let mount = VaultMount.secrets.first(where: { $0.path == path }) else {
            throw .notFound(Complaint("mount.not_found", "nothing is mounted there"))
        }
        return mount
    }

    private static func top(_ data: Document) -> VaultReply {
        var reply = VaultReply.data(data, mountType: "system")
        reply.repeatsAtTop = true
        return reply
    }
}
