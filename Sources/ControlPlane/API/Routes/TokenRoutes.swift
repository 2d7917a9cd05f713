package import Control
import HTTP
import Mesh
import Wire

/// Who may call, by token.
package enum TokenRoutes {
    private static let fields: [Schema.Field] = [
        .required("display_name", .text(example: "ci"), "For people"),
        .required("policies", .list(.text()), "What it may do"),
        .optional("ttl", .text(example: "24h"), "How long it lives, 1m to 8760h; 768h if absent"),
        .readOnly("accessor", .text(format: "uuid"), "Its public name"),
        .readOnly("kind", .text(allowed: ["bootstrap", "service"]), "What it is for"),
        .readOnly("created_at", .text(format: "date-time"), "When it was made"),
        .readOnly("expires_at", .text(format: "date-time"), "When it ends"),
        .readOnly("revoked_at", .text(format: "date-time"), "When it was revoked"),
        .readOnly("created_by", .text(), "Who made it"),
    ]
    private static let shape: Schema = .object(fields)
    private static let created: Schema = .object(
        fields + [.readOnly("token", .text(), "The token itself, shown this once")]
    )

    /// Lists, reads, makes and revokes tokens.
    package static func routes(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/tokens",
                "listTokens",
                room: "tokens",
                "The tokens that the caller may read, in order of creation",
                access: .resource(.list) { _ throws(ControlError) in "tokens" }
            ) { request throws(ControlError) in
                let (limit, after) = try request.page()
                var accessor: UUIDv7?
                if let after { accessor = try parsed(after, field: "after") }
                let page = try await control.tokens.page(
                    after: accessor,
                    limit: limit,
                    for: request.caller
                )
                return .page(page.items, next: page.next)
            }
            .answeringPages(of: shape),
            Route(
                .post,
                "/v1/tokens",
                "createToken",
                room: "tokens",
                "Make a token; its text is shown this once",
                access: .resource(.create) { _ throws(ControlError) in "tokens" }
            ) { request throws(ControlError) in
                let (row, text) = try await control.tokens.create(
                    try request.read(tokenRequest),
                    by: request.caller
                )
                var document = row.document
                document.set("token", .string(text))
                return Answer(document)
            }
            .taking(shape).answering(created, status: .created),
            Route(
                .get,
                "/v1/tokens/self",
                "getOwnToken",
                room: "tokens",
                "The token of this request",
                access: .authenticated
            ) { request throws(ControlError) in
                guard let accessor = request.caller.accessor else {
                    throw .notFound(Complaint("token.not_found", "this caller has no token"))
                }
                return Answer(try await control.tokens.find(accessor).document)
            }
            .answering(shape),
            Route(
                .get,
                "/v1/tokens/{accessor}",
                "getToken",
                room: "tokens",
                "One token",
                access: .resource(.read, path)
            ) { request throws(ControlError) in
                let accessor = try parsed(request.capture("accessor"), field: "accessor")
                return Answer(try await control.tokens.find(accessor).document)
            }
            .answering(shape),
            Route(
                .delete,
                "/v1/tokens/{accessor}",
                "revokeToken",
                room: "tokens",
                "Revoke a token at once and for ever",
                access: .resource(.delete, path)
            ) { request throws(ControlError) in
                let accessor = try parsed(request.capture("accessor"), field: "accessor")
                return Answer(
                    try await control.tokens.revoke(accessor, by: request.caller).document
                )
            }
            .answering(shape),
        ]
    }

    private static let path: RouteRequest.PathDerivation = { request throws(ControlError) in
        "tokens/\(try parsed(request.capture("accessor"), field: "accessor"))"
    }

    private static func parsed(
        _ text: String,
        field: String
    ) throws(ControlError) -> UUIDv7 {
        do {
            return try UUIDv7(parsing: text)
        } catch {
            throw .invalid("token.accessor", field: field, "must be the accessor of a token")
        }
    }

    private static func tokenRequest(_ value: FieldValue) throws(FieldError) -> TokenRequest {
        try value.map { reader throws(FieldError) in
            let name = try reader.string("display_name")
            let policies = try reader.strings("policies", limit: TokenRequest.policiesMax)
            let lifetime = try reader.optionalDuration("ttl", in: TokenRequest.lifetimes)
            return TokenRequest(
                displayName: name,
                policies: policies,
                lifetime: lifetime ?? TokenRequest.lifetimeDefault
            )
        }
    }
}
