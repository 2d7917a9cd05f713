import Control
import HTTP
import Mesh
import Wire

/// What the token of a request keeps for itself, at `cubbyhole/`.
enum CubbyholeRoutes {
    private static let room = "vault secrets"
    private static let type = "cubbyhole"
    /// A value and what is around it.
    private static let bodyByteCountMax = 128 * 1024

    static func routes(_ control: ControlPlane) -> [Route] {
        [
            route(.list, "", "vaultListCubbyhole", "The names that this token keeps") {
                request throws(ControlError) in
                .keys(
                    try await control.cubbyholes.names(below: "", by: request.caller),
                    mountType: type
                )
            },
            route(.list, "/{path...}", "vaultListCubbyholeFolder", "The names in a folder of it") {
                request throws(ControlError) in
                .keys(
                    try await control.cubbyholes.names(
                        below: request.capture("path"),
                        by: request.caller
                    ),
                    mountType: type
                )
            },
            route(.get, "/{path...}", "vaultReadCubbyhole", "What this token keeps") {
                request throws(ControlError) in
                let path = request.capture("path")
                guard let found = try await control.cubbyholes.read(path, by: request.caller) else {
                    throw .notFound(Complaint("cubbyhole.not_found", "it keeps nothing there"))
                }
                return .data(found, mountType: type)
            },
            route(.post, "/{path...}", "vaultWriteCubbyhole", "Keep something with this token") {
                request throws(ControlError) in
                guard request.body.entries?.isEmpty == false else {
                    throw .invalid("request.body", field: "", "missing data fields")
                }
                try await control.cubbyholes.write(
                    request.body,
                    to: request.capture("path"),
                    by: request.caller
                )
                return .nothing
            },
            route(.delete, "/{path...}", "vaultDeleteCubbyhole", "Forget what this token keeps") {
                request throws(ControlError) in
                try await control.cubbyholes.remove(request.capture("path"), by: request.caller)
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
        var route = Route.vault(
            method,
            "/v1/cubbyhole\(suffix)",
            name,
            room: room,
            summary,
            needs: .anyToken,
            operation: operation
        )
        if method == .post { route.bodyByteCountMax = bodyByteCountMax }
        return route
    }
}
