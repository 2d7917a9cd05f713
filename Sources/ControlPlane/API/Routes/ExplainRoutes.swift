package import Control
import HTTP
import Mesh
import Wire

/// Who may reach whom, and why.
package enum ExplainRoutes {
    /// `explain`.
    package static func routes(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/explain",
                "explain",
                room: "intentions",
                "Why a source may or may not reach a destination, or what became of a decision or a"
                    + " request",
                access: .objects { request throws(ControlError) in
                    guard case .pair(_, let destination) = try question(request) else {
                        // The destination is known only to storage: see `decision`.
                        return []
                    }
                    return [RequiredRight(.read, on: path(destination))]
                }
            ) { request throws(ControlError) in
                switch try question(request) {
                case .pair(let source, let destination):
                    let explanation = try await control.explainer.explain(
                        source: source,
                        destination: destination
                    ) { name in
                        name == destination || request.caller.may(.read, on: "services/\(name)")
                    }
                    return Answer(explanation.document)
                case .decision(let id):
                    return Answer(try await decision(id, request.caller, control))
                }
            }
            .filtered(
                by: Route.Parameter("source", .text(), "`service` or `namespace/service`"),
                Route.Parameter("destination", .text(), "`service` or `namespace/service`"),
                Route.Parameter("id", .text(format: "uuid"), "A decision, connection or request")
            )
            .answering(.any)
        ]
    }

    private enum Question {
        case pair(source: ServiceName, destination: ServiceName)
        case decision(UUIDv7)
    }

    private static func question(_ request: RouteRequest) throws(ControlError) -> Question {
        let source = try request.parameter("source") { text throws(NameError) in
            try ServiceName(text)
        }
        let destination = try request.parameter("destination") { text throws(NameError) in
            try ServiceName(text)
        }
        let id = try request.parameter("id") { text throws(WireError) in
            try UUIDv7(parsing: text)
        }
        switch (source, destination, id) {
        case (let source?, let destination?, nil):
            return .pair(source: source, destination: destination)
        case (nil, nil, let id?):
            return .decision(id)
        case (_, _, nil), (_, _, _?):
            throw .invalid(
                "request.query",
                field: "",
                "give source and destination, or the id of a decision or a request"
            )
        }
    }

    /// A decision whose destination the caller may read, or a request of the caller's own; to all
    /// others it looks the same whether or not it exists.
    private static func decision(
        _ id: UUIDv7,
        _ caller: Caller,
        _ control: ControlPlane
    ) async throws(ControlError) -> Document {
        let denied = ControlError.forbidden(
            Complaint(
                "access.denied",
                "this id is of no request of \(caller.principal), which lacks `read` on the"
                    + " destination of a decision of this id, under `explain/`"
            )
        )
        let seesAll = caller.may(.read, on: "explain/decisions/\(id)")
        do throws(ControlError) {
            let decision = try await control.explainer.explain(decision: id)
            let isVisible = decision.destination.map { caller.may(.read, on: path($0)) }
            guard isVisible ?? seesAll else { throw denied }
            return decision.document
        } catch {
            guard case .notFound = error else { throw error }
            if let request = try await control.explainer.explain(request: id) {
                guard request.isVisible(to: caller) else { throw denied }
                return request.document
            }
            throw seesAll ? error : denied
        }
    }

    private static func path(_ destination: ServiceName) -> String { "explain/\(destination)" }
}
