import Control
import HTTP
import Transport
import Wire

/// Everything of a request that is read before any rule is asked: query, conditions, body.
struct RequestPreamble {
    let query: QueryParameters
    let body: Document
    let condition: RouteRequest.Condition?
    let idempotencyKey: IdempotencyKey?
    /// How long to wait for enforcement; nil without `wait=enforced`.
    let wait: Duration?

    /// Longest wait for enforcement.
    static let waitMax: Duration = .seconds(60)
    static let waitDefault: Duration = .seconds(5)

    init(_ request: HTTPRequest, _ route: Route) throws(ControlError) {
        query = try Self.query(request, route)
        condition = try Self.condition(request.head.fields, route)
        idempotencyKey = try Self.idempotencyKey(request.head.fields, route)
        wait = try Self.wait(query, route)
        body = try Self.body(request, route)
    }

    private static func query(
        _ request: HTTPRequest,
        _ route: Route
    ) throws(ControlError) -> QueryParameters {
        let query: QueryParameters
        do {
            query = try QueryParameters(request.head.query)
        } catch {
            throw .invalid("request.query", field: "", error.sentence)
        }
        var known = Set(route.parameters.map(\.name))
        if route.features.contains(.paged) { known.formUnion(["limit", "after"]) }
        if route.features.contains(.waitsEnforced) { known.formUnion(["wait", "timeout"]) }
        if let name = query.firstName(notIn: known) {
            let list = known.isEmpty ? "none" : known.sorted().joined(separator: ", ")
            throw .invalid("request.query", field: name, "unknown parameter; known here: \(list)")
        }
        for parameter in route.parameters
        where parameter.isRequired && query.values(parameter.name).isEmpty {
            throw .invalid("request.query", field: parameter.name, "this parameter is required")
        }
        return query
    }

    private static func condition(
        _ fields: HeaderFields,
        _ route: Route
    ) throws(ControlError) -> RouteRequest.Condition? {
        let condition: EntityCondition?
        do {
            condition = try EntityCondition.ifMatch(fields)
        } catch {
            throw .invalid("request.if_match", field: "If-Match", error.sentence)
        }
        guard let condition else { return nil }
        // A condition that nobody would look at must not pass as one that held.
        guard route.features.contains(.conditional) else {
            throw .invalid("request.if_match", field: "If-Match", "not supported on this path")
        }
        switch condition {
        case .any: return .exists
        case .tags(let tags): return .revisions(tags.compactMap { Int64($0.opaque) })
        }
    }

    private static func idempotencyKey(
        _ fields: HeaderFields,
        _ route: Route
    ) throws(ControlError) -> IdempotencyKey? {
        let name = "Idempotency-Key"
        guard fields.count(of: .idempotencyKey) <= 1 else {
            throw .invalid("request.idempotency_key", field: name, "may occur once only")
        }
        guard let text = fields.first(.idempotencyKey) else { return nil }
        guard route.features.contains(.idempotencyKey) else {
            throw .invalid("request.idempotency_key", field: name, "not supported on this path")
        }
        guard let key = IdempotencyKey(text) else {
            throw .invalid(
                "request.idempotency_key",
                field: name,
                "must be 1 to \(IdempotencyKey.byteCountMax) visible characters"
            )
        }
        return key
    }

    private static func wait(
        _ query: QueryParameters,
        _ route: Route
    ) throws(ControlError) -> Duration? {
        guard route.features.contains(.waitsEnforced) else { return nil }
        guard let text = query.values("wait").first else {
            guard query.values("timeout").isEmpty else {
                throw .invalid("request.query", field: "timeout", "only with wait=enforced")
            }
            return nil
        }
        guard text == "enforced", query.values("wait").count == 1 else {
            throw .invalid("request.query", field: "wait", "must be `enforced`")
        }
        guard let timeout = query.values("timeout").first else { return waitDefault }
        guard let duration = try? DurationText.parse(timeout), duration > .zero,
            duration <= waitMax, query.values("timeout").count == 1
        else {
            throw .invalid("request.query", field: "timeout", "must be a duration up to 60s")
        }
        return duration
    }

    private static func body(
        _ request: HTTPRequest,
        _ route: Route
    ) throws(ControlError) -> Document {
        guard route.request != nil else {
            guard request.body.isEmpty else {
                throw .invalid("request.body", field: "", "this operation takes no body")
            }
            return .null
        }
        guard !request.body.isEmpty else {
            throw .invalid("request.body", field: "", "a JSON body is required")
        }
        guard request.body.count <= route.bodyByteCountMax else {
            throw .invalid(
                "request.body",
                field: "",
                "the body is longer than \(route.bodyByteCountMax) bytes"
            )
        }
        let fields = request.head.fields
        guard !fields.contains(.contentType) || fields.isContentJSON else {
            throw .invalid(
                "request.content_type",
                field: "Content-Type",
                "must be application/json"
            )
        }
        do {
            return try JSON.parse(request.body, source: "body", limits: .request)
        } catch {
            throw .invalid("request.body", field: "", error.description)
        }
    }
}
