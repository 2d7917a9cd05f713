import Control
import HTTP
import Mesh
import Wire

/// Wrapped answers: made by `X-Vault-Wrap-TTL` on any call, and opened once by whoever has their token.
enum WrappingRoutes {
    private static let room = "vault wrapping"

    static func routes(_ control: ControlPlane) -> [Route] {
        [
            route("wrap", "Wrap", "Wrap the body, for as long as X-Vault-Wrap-TTL says", .anyToken)
            {
                request throws(ControlError) in
                // The answer is wrapped like any other; without the header there is nothing to wrap.
                guard request.isWrapped else {
                    throw .invalid(
                        "wrapping.not_asked",
                        field: "X-Vault-Wrap-TTL",
                        "endpoint requires response wrapping to be used"
                    )
                }
                return .data(request.body, mountType: "system")
            },
            route("unwrap", "Unwrap", "Open a wrapped answer, once") {
                request throws(ControlError) in
                let token = try token(request)
                return .bare(try await control.wrapping.unwrap(token, by: request.caller))
            },
            route("lookup", "LookupWrapping", "What a token would open, without opening it") {
                request throws(ControlError) in
                let found = try await control.wrapping.look(token(request), by: request.caller)
                return .data(
                    .fields([
                        "creation_path": .string(found.creationPath),
                        "creation_time": .timestamp(found.createdAt),
                        "creation_ttl": .number(found.lifetimeSeconds),
                    ]),
                    mountType: "system"
                )
            },
            route("rewrap", "Rewrap", "Open a wrapped answer and wrap it again") {
                request throws(ControlError) in
                let made = try await control.wrapping.rewrap(token(request), by: request.caller)
                var reply = VaultReply.data(nil, mountType: "")
                reply.wrapInfo = made.document
                return reply
            },
        ]
    }

    /// The token that opens an answer is all that is needed: in the body, or as the token of the request.
    private static func token(_ request: RouteRequest) throws(ControlError) -> String {
        if let text = try VaultFields(request.body).text("token"), !text.isEmpty { return text }
        guard let shown = request.token?.secret else {
            throw VaultFields.wrong("token", "is required")
        }
        return shown
    }

    private static func route(
        _ path: String,
        _ name: String,
        _ summary: String,
        _ right: VaultRight = .open,
        _ operation: @escaping RouteRequest.VaultOperation
    ) -> Route {
        .vault(
            .post,
            "/v1/sys/wrapping/\(path)",
            "vault\(name)",
            room: room,
            summary,
            needs: right,
            operation: operation
        )
    }
}
