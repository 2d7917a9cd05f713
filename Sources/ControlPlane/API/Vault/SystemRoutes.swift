import Control
import HTTP
import Mesh
import Wire

/// What clients of Vault ask of a server before they trust it with a token: health, seal, leader.
enum SystemRoutes {
    private static let room = "vault system"

    static func routes(_ control: ControlPlane, _ services: APIServices) -> [Route] {
        health(control, services) + seal(control) + [leader]
    }

    // MARK: Health

    /// A query that overrides a status, with the status it overrides.
    private static let overrides: [Route.Parameter] =
        [
            "activecode", "standbycode", "sealedcode", "uninitcode", "drsecondarycode",
            "performancestandbycode", "haunhealthycode",
        ].map { Route.Parameter($0, .integer(200...599), "Status to answer in that case") }
        + ["standbyok", "perfstandbyok"].map {
            Route.Parameter($0, .boolean, "Taken and without effect: every replica is active")
        }

    private static func health(_ control: ControlPlane, _ services: APIServices) -> [Route] {
        var route = Route.vault(
            .get,
            "/v1/sys/health",
            "vaultHealth",
            room: room,
            "Health: 200 where this replica serves, 503 where it does not",
            needs: .open
        ) { request throws(ControlError) in
            var isReady = true
            for check in services.readiness where await check.problem() != nil { isReady = false }
            let code =
                try isReady
                ? status(request, "activecode", default: 200)
                : status(request, "sealedcode", default: 503)
            var fields = state(control)
            fields.set("standby", false)
            fields.set("performance_standby", false)
            fields.set("replication_performance_mode", "disabled")
            fields.set("replication_dr_mode", "disabled")
            fields.set("server_time_utc", .number(control.now().secondsSinceEpoch))
            return .bare(fields, status: code)
        }
        route.parameters = overrides
        return [route]
    }

    private static func status(
        _ request: RouteRequest,
        _ name: String,
        default code: Int
    ) throws(ControlError) -> HTTP.Status {
        guard let text = try request.parameter(name) else { return HTTP.Status(code) ?? .ok }
        guard let number = Int(text), (200...599).contains(number), let status = HTTP.Status(number)
        else {
            throw .invalid("request.query", field: name, "must be a status from 200 to 599")
        }
        return status
    }

    private static func state(_ control: ControlPlane) -> Document {
        .fields([
            "initialized": true,
            "sealed": false,
            "version": .string(control.version),
            "cluster_name": .string(control.trustDomain.text),
            "cluster_id": .string(control.clusterID.description),
        ])
    }

    // MARK: Seal

    private static func seal(_ control: ControlPlane) -> [Route] {
        let answer: RouteRequest.VaultOperation = { _ in
            .bare(sealStatus(control))
        }
        return [
            Route.vault(
                .get,
                "/v1/sys/seal-status",
                "vaultSealStatus",
                room: room,
                "The seal: a server that answers holds its keys",
                needs: .open,
                operation: answer
            ),
            Route.vault(
                .post,
                "/v1/sys/unseal",
                "vaultUnseal",
                room: room,
                "There is nothing to unseal: answers the state of the seal",
                needs: .open,
                operation: answer
            ),
            Route.vault(
                .get,
                "/v1/sys/init",
                "vaultInitialization",
                room: room,
                "Whether the cluster was founded, which it was before it answers",
                needs: .open
            ) { _ throws(ControlError) in .bare(.fields(["initialized": true])) },
            Route.vault(
                .post,
                "/v1/sys/init",
                "vaultInitialize",
                room: room,
                "Refused: a cluster is founded once, at its first start",
                needs: .open
            ) { _ throws(ControlError) in
                throw .invalid(
                    "vault.initialized",
                    field: "",
                    "the cluster is initialized already; its first token is in the bootstrap file"
                )
            },
        ]
    }

    private static func sealStatus(_ control: ControlPlane) -> Document {
        var fields = state(control)
        fields.set("type", "static")
        fields.set("t", 1)
        fields.set("n", 1)
        fields.set("progress", 0)
        fields.set("nonce", "")
        fields.set("build_date", "")
        fields.set("migration", false)
        fields.set("recovery_seal", false)
        fields.set("storage_type", "postgresql")
        return fields
    }

    private static let leader = Route.vault(
        .get,
        "/v1/sys/leader",
        "vaultLeader",
        room: room,
        "Every replica serves, so the one that is asked is the leader",
        needs: .open
    ) { _ throws(ControlError) in
        .bare(
            .fields([
                "ha_enabled": true,
                "is_self": true,
                "leader_address": "",
                "leader_cluster_address": "",
                "performance_standby": false,
                "performance_standby_last_remote_wal": 0,
            ])
        )
    }
}
