package import Control
import HTTP
import Mesh
import Wire

/// Identities that are put out before their certificates end.
package enum RevocationRoutes {
    private static let reason: Schema.Field = .optional(
        "reason",
        .text(example: "key found in a public repository"),
        "Why, for people and the audit trail"
    )
    static let outcome: Schema = .object([
        .readOnly("revision", .integer(nil), "From which on it is enforced"),
        .readOnly("certificates", .integer(nil), "How many certificates are denied by it"),
        .readOnly(
            "cannot_enforce",
            .list(.text()),
            "Live agents that are too old to be told of revocations: they go on believing"
        ),
    ])
    private static let revoked: Schema = .object([
        .readOnly("service", .text(), "Whose identity it is"),
        .readOnly("reason", .text(), "Why"),
        .readOnly("revoked_at", .text(format: "date-time"), "Since when"),
        .readOnly("revoked_by", .text(), "Who did it"),
    ])

    /// Lists, revokes and allows again.
    package static func routes(_ control: ControlPlane, _ agents: Agents) -> [Route] {
        let revocations = Revocations(control)
        return [
            list(revocations), revokeService(revocations), allowService(revocations),
            revokeAgent(agents),
        ]
    }

    private static func list(_ revocations: Revocations) -> Route {
        Route(
            .get,
            "/v1/ca/revocations",
            "listRevocations",
            room: "authority",
            "The services that nothing is signed for",
            access: .resource(.read) { _ throws(ControlError) in "ca/revocations" }
        ) { _ throws(ControlError) in
            .page(try await revocations.documents(), next: nil)
        }
        .answering(
            .object([
                .readOnly("items", .list(revoked), "All of them"),
                .readOnly("next", .text(), "Always null"),
            ])
        )
    }

    private static func revokeService(_ revocations: Revocations) -> Route {
        Route(
            .put,
            "/v1/ca/revocations/services/{namespace}/{service}",
            "revokeIdentity",
            room: "authority",
            "Signs no more for a service, denies all that was signed for it and cuts connections",
            access: .resource(.update, path)
        ) { request throws(ControlError) in
            let outcome = try await revocations.revoke(
                try service(request),
                reason: try readReason(request),
                by: request.caller
            )
            return answer(outcome)
        }
        .taking(.object([reason]))
        .answering(outcome)
        .supporting(.waitsEnforced)
    }

    private static func allowService(_ revocations: Revocations) -> Route {
        Route(
            .delete,
            "/v1/ca/revocations/services/{namespace}/{service}",
            "allowIdentity",
            room: "authority",
            "Signs for a service again; certificates that were denied stay denied",
            access: .resource(.delete, path)
        ) { request throws(ControlError) in
            let revision = try await revocations.allow(
                try service(request),
                by: request.caller
            )
            return Answer(.fields(["revision": .number(revision)]), changedRevision: revision)
        }
        .answering(.object([.readOnly("revision", .integer(nil), "From which on it counts")]))
        .supporting(.waitsEnforced)
    }

    private static func revokeAgent(_ agents: Agents) -> Route {
        Route(
            .put,
            "/v1/ca/revocations/agents/{agent}",
            "revokeAgentIdentity",
            room: "authority",
            "Puts an agent out and denies every certificate that it holds, of services too",
            access: .resource(.delete) { request throws(ControlError) in
                "agents/\(try AgentRoutes.name(request))"
            }
        ) { request throws(ControlError) in
            answer(
                try await agents.putOut(
                    try AgentRoutes.name(request),
                    reason: try readReason(request),
                    by: request.caller
                )
            )
        }
        .taking(.object([reason]))
        .answering(outcome)
        .supporting(.waitsEnforced)
    }

    /// What every way to put an identity out answers.
    static func answer(_ outcome: Revocations.Outcome) -> Answer {
        var answer = Answer(
            .fields([
                "revision": .number(outcome.revision),
                "certificates": .number(outcome.certificateCount),
                "cannot_enforce": .list(outcome.cannotEnforce.map(\.text)),
            ]),
            changedRevision: outcome.revision
        )
        answer.cannotEnforce = outcome.cannotEnforce
        return answer
    }

    private static func readReason(_ request: RouteRequest) throws(ControlError) -> String {
        try request.read { value throws(FieldError) in
            try value.map { reader throws(FieldError) in
                try reader.optionalString("reason") ?? Revocations.reasonDefault
            }
        }
    }

    private static func service(_ request: RouteRequest) throws(ControlError) -> ServiceName {
        ServiceName(
            namespace: try request.capture("namespace") { text throws(NameError) in
                try NamespaceName(text)
            },
            name: try request.capture("service") { text throws(NameError) in
                try ServiceLabel(text)
            }
        )
    }

    private static let path: RouteRequest.PathDerivation = { request throws(ControlError) in
        "ca/revocations/services/\(try service(request))"
    }
}
