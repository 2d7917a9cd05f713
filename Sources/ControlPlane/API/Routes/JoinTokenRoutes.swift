package import Control
import HTTP
import Mesh
import Wire

/// The rights to enrol hosts.
package enum JoinTokenRoutes {
    private static let fields: [Schema.Field] = [
        .optional("ttl", .text(example: "15m"), "How long it counts, 1m to 1h; 1h if absent"),
        .optional(
            "placements",
            .list(.text(example: "default/web")),
            "Services that are placed on the agent in the same change"
        ),
    ]
    private static let shown: [Schema.Field] = [
        .readOnly("id", .text(format: "uuid"), "Its public name"),
        .readOnly("agent", .text(), "The agent that it enrols, and no other"),
        .readOnly("created_at", .text(format: "date-time"), "When it was made"),
        .readOnly("expires_at", .text(format: "date-time"), "When it ends"),
        .readOnly("revoked_at", .text(format: "date-time"), "When it was revoked"),
        .readOnly("redeemed_at", .text(format: "date-time"), "When a key redeemed it first"),
        .readOnly("created_by", .text(), "Who made it"),
    ]

    /// Makes, lists and revokes join tokens.
    package static func routes(_ tokens: JoinTokens) -> [Route] {
        [create(tokens), list(tokens), revoke(tokens)]
    }

    private static func create(_ tokens: JoinTokens) -> Route {
        Route(
            .post,
            "/v1/agents/{agent}/join-tokens",
            "createJoinToken",
            room: "agents",
            "Makes a join token, shown this once, and the agent if there is none",
            access: .objects { request throws(ControlError) in
                let path = try path(request)
                let agent = try AgentRoutes.name(request)
                let services = try request.read(JoinTokenRequest.init(from:)).services
                return [RequiredRight(.update, on: path)]
                    + services.map { RequiredRight(.update, on: "placements/\($0)/\(agent)") }
            }
        ) { request throws(ControlError) in
            let (row, text) = try await tokens.create(
                for: try AgentRoutes.name(request),
                try request.read(JoinTokenRequest.init(from:)),
                by: request.caller
            )
            var document = row.document
            document.set("token", .string(text))
            return Answer(document)
        }
        .taking(.object(fields))
        .answering(
            .object(shown + [.readOnly("token", .text(), "What the host's owner gets")]),
            status: .created
        )
    }

    private static func list(_ tokens: JoinTokens) -> Route {
        Route(
            .get,
            "/v1/agents/{agent}/join-tokens",
            "listJoinTokens",
            room: "agents",
            "Lists the last thousand join tokens of an agent, the latest first",
            access: .resource(.read, path)
        ) { request throws(ControlError) in
            let rows = try await tokens.list(for: try AgentRoutes.name(request))
            return .page(rows.map(\.document), next: nil)
        }
        .answering(
            .object([
                .readOnly("items", .list(.object(shown)), "All of them"),
                .readOnly("next", .text(), "Always null"),
            ])
        )
    }

    private static func revoke(_ tokens: JoinTokens) -> Route {
        Route(
            .delete,
            "/v1/agents/{agent}/join-tokens/{id}",
            "revokeJoinToken",
            room: "agents",
            "Ends a join token before its time; an agent that it enrolled stays enrolled",
            access: .resource(.update, path)
        ) { request throws(ControlError) in
            let row = try await tokens.revoke(
                try request.capture("id") { text throws(WireError) in try UUIDv7(parsing: text) },
                of: try AgentRoutes.name(request),
                by: request.caller
            )
            return Answer(row.document)
        }
        .answering(.object(shown))
    }

    private static let path: RouteRequest.PathDerivation = { request throws(ControlError) in
        "agents/\(try AgentRoutes.name(request))/join-tokens"
    }
}
