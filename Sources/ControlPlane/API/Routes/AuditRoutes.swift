package import Control
import HTTP
import Mesh
import Wire

/// What happened, by whom, and proof that nobody changed it afterwards.
package enum AuditRoutes {
    private static let record: Schema = .object([
        .readOnly("id", .text(format: "uuid"), "Its own id"),
        .readOnly("at", .text(format: "date-time"), "When it happened"),
        .readOnly("writer", .text(), "Whose chain it is in"),
        .readOnly("sequence", .integer(nil), "Its place in that chain"),
        .readOnly("actor", .text(), "Who acted"),
        .readOnly("action", .text(), "What was done"),
        .readOnly("resource", .text(), "To what"),
        .readOnly("outcome", .text(), "How it ended"),
        .readOnly("reason", .text(), "Why"),
        .readOnly("source_address", .text(), "Where the call came from"),
        .readOnly("request_id", .text(), "The request that caused it"),
        .readOnly("revision", .integer(nil), "The revision that it made"),
        .readOnly("detail", .any, "What else a reader needs"),
        .readOnly("previous_hash", .text(), "The hash of the record before"),
        .readOnly("hash", .text(), "The hash of this record"),
    ])

    private static let head: Schema = .object([
        .readOnly("writer", .text(), "Whose chain it is"),
        .readOnly("sequence", .integer(nil), "Its last record"),
        .readOnly("hash", .text(), "The hash of that record"),
    ])

    private static let verdict: Schema = .object([
        .readOnly("writer", .text(), "Whose chain was checked"),
        .readOnly("intact", .boolean, "Whether it is as it was written"),
        .readOnly("records", .integer(nil), "How many records were checked"),
        .readOnly("sequence", .integer(nil), "The last good record"),
        .readOnly("hash", .text(), "The hash of that record"),
        .readOnly("fault", .text(), "What is wrong, and where"),
    ])

    /// Reads and checks the audit trail.
    package static func routes(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/audit",
                "listAudit",
                room: "audit",
                "The audit trail, newest first",
                access: .resource(.read, path)
            ) { request throws(ControlError) in
                let page = try await control.audit.search(try search(request))
                return .page(page.items, next: page.next)
            }
            .answeringPages(of: record)
            .filtered(
                by: Route.Parameter("actor", .text(), "Who acted, such as token/<accessor>"),
                Route.Parameter("action", .text(), "What was done, such as token.create"),
                Route.Parameter("resource", .text(), "The beginning of the resource's path"),
                Route.Parameter("outcome", .text(), "How it ended, such as success"),
                Route.Parameter("request", .text(), "The request that caused it"),
                Route.Parameter("since", .text(format: "date-time"), "From this time on"),
                Route.Parameter("until", .text(format: "date-time"), "Before this time")
            ),
            Route(
                .get,
                "/v1/audit/heads",
                "listAuditHeads",
                room: "audit",
                "The end of every chain, to be kept outside of the database",
                access: .resource(.read, path)
            ) { _ throws(ControlError) in
                .page(try await control.audit.headDocuments(), next: nil)
            }
            .answering(.object([.readOnly("items", .list(head), "All chains")])),
            Route(
                .get,
                "/v1/audit/verification",
                "verifyAudit",
                room: "audit",
                "Recompute a chain and compare it with its end",
                access: .resource(.read, path)
            ) { request throws(ControlError) in
                let writer = try request.parameter("writer") ?? ""
                return Answer(try await control.audit.verify(writer: writer).document)
            }
            .answering(verdict)
            .filtered(
                by: Route.Parameter("writer", .text(), "Whose chain", isRequired: true)
            ),
        ]
    }

    private static let path: RouteRequest.PathDerivation = { _ throws(ControlError) in "audit" }

    private static func search(_ request: RouteRequest) throws(ControlError) -> AuditSearch {
        var search = AuditSearch()
        (search.limit, search.after) = try request.page()
        search.actor = try request.parameter("actor")
        search.action = try request.parameter("action")
        search.resourcePrefix = try request.parameter("resource")
        search.outcome = try request.parameter("outcome")
        search.requestID = try request.parameter("request")
        search.since = try request.parameter("since", as: Timestamp.init(rfc3339:))
        search.until = try request.parameter("until", as: Timestamp.init(rfc3339:))
        return search
    }
}
