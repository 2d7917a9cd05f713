package import Control
import HTTP
import Mesh
import Wire

/// The hosts: inviting, listing and putting them out.
package enum AgentRoutes {
    private static let fields: [Schema.Field] =
        [
            .optional("description", .text(), "For people"),
            .readOnly("name", .text(), "The agent's name"),
            .readOnly(
                "state",
                .text(allowed: ["invited", "enrolled", "revoked"]),
                "Where it stands"
            ),
            .readOnly("mesh_address", .text(), "Where others reach it, as it says itself"),
            .readOnly("key_sha256", .text(), "Hash of the public key that it is enrolled with"),
            .readOnly("enrolled_at", .text(format: "date-time"), "When that key was enrolled"),
            .readOnly("connected_server", .text(), "The replica that it is connected to"),
            .readOnly("last_seen", .text(format: "date-time"), "When it was last connected"),
            .readOnly("version", .text(), "The version of its program"),
            .readOnly("epoch", .integer(nil), "Of the snapshot that it enforces"),
            .readOnly("enforced_revision", .integer(nil), "The revision that it enforces"),
            .readOnly("published_revision", .integer(nil), "The last one signed for it"),
            .readOnly("lag", .integer(nil), "How many revisions lie between the two"),
            .readOnly("acknowledged_at", .text(format: "date-time"), "When it said so last"),
            .readOnly("errors", .list(.text()), "Why it refused the last snapshot"),
            .readOnly("budget_seconds", .integer(nil), "How long it outlives an outage of ours"),
        ] + Schema.Field.stored
    private static let shape: Schema = .object(fields)

    /// Lists, reads, makes and revokes agents.
    package static func routes(_ agents: Agents) -> [Route] {
        [list(agents), get(agents), put(agents), revoke(agents)]
    }

    private static func list(_ agents: Agents) -> Route {
        Route(
            .get,
            "/v1/agents",
            "listAgents",
            room: "agents",
            "Lists the agents that the caller may read",
            access: .authenticated
        ) { request throws(ControlError) in
            let (limit, after) = try request.page()
            let page = try await agents.views(after: after, limit: limit)
            let visible = page.items.filter { request.caller.may(.read, on: "agents/\($0.name)") }
            return .page(visible.map(\.document), next: page.next)
        }
        .answeringPages(of: shape)
    }

    private static func get(_ agents: Agents) -> Route {
        Route(
            .get,
            "/v1/agents/{agent}",
            "getAgent",
            room: "agents",
            "Reads one agent and what it says of itself",
            access: .resource(.read, path)
        ) { request throws(ControlError) in
            let agent = try await agents.view(try name(request))
            return Answer(agent.document, entityRevision: agent.revision)
        }
        .answering(shape)
    }

    private static func put(_ agents: Agents) -> Route {
        Route(
            .put,
            "/v1/agents/{agent}",
            "putAgent",
            room: "agents",
            "Makes an agent or changes its description; unchanged content makes no new revision",
            access: .resource(.update, path)
        ) { request throws(ControlError) in
            let name = try name(request)
            let description = try request.read { value throws(FieldError) in
                try value.map { reader throws(FieldError) in
                    try reader.optionalString("description") ?? ""
                }
            }
            let (revision, isNew) = try await agents.write(
                name,
                description: description,
                if: RevisionCondition(request.condition),
                by: request.caller
            )
            return Answer(
                try await agents.view(name).document,
                status: isNew ? .created : .ok,
                entityRevision: revision,
                changedRevision: revision
            )
        }
        .taking(shape)
        .answering(shape)
        .supporting(.conditional, .waitsEnforced)
    }

    private static func revoke(_ agents: Agents) -> Route {
        Route(
            .delete,
            "/v1/agents/{agent}",
            "revokeAgent",
            room: "agents",
            "Puts an agent out: its certificates and its join tokens count no longer",
            access: .resource(.delete, path)
        ) { request throws(ControlError) in
            RevocationRoutes.answer(
                try await agents.putOut(
                    try name(request),
                    if: RevisionCondition(request.condition),
                    by: request.caller
                )
            )
        }
        .answering(RevocationRoutes.outcome)
        .supporting(.conditional, .waitsEnforced)
    }

    private static let path: RouteRequest.PathDerivation = { request throws(ControlError) in
        "agents/\(try name(request))"
    }

    static func name(_ request: RouteRequest) throws(ControlError) -> AgentName {
        try request.capture("agent") { text throws(NameError) in try AgentName(text) }
    }
}
