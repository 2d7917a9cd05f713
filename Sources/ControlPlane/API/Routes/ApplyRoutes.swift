package import Control
import HTTP
import Mesh
import Wire

/// Many resources at once, in and out.
package enum ApplyRoutes {
    private static let bodyByteCountMax = 1024 * 1024

    /// `apply` and `export`.
    package static func routes(_ control: ControlPlane) -> [Route] {
        [apply(control), export(control)]
    }

    private static func apply(_ control: ControlPlane) -> Route {
        Route(
            .post,
            "/v1/apply",
            "apply",
            room: "apply",
            "Creates and replaces resources in one transaction; deletes nothing",
            access: .objects { request throws(ControlError) in
                Catalog.rights(toApply: try resources(request), dryRun: try dryRun(request))
                    .map { RequiredRight($0.capability, on: $0.path) }
            }
        ) { request throws(ControlError) in
            let resources = try resources(request)
            let outcome =
                try dryRun(request)
                ? try await control.catalog.dryRun(resources, by: request.caller)
                : try await control.catalog.apply(resources, by: request.caller)
            return Answer(document(outcome), changedRevision: outcome.revision)
        }
        .filtered(
            by: Route.Parameter(
                "dry_run",
                .boolean,
                "Says what would change, field by field, and changes nothing; needs read only"
            )
        )
        .taking(
            .object([
                .required("resources", .list(.any), "Resources, each with its `kind`")
            ]),
            limit: bodyByteCountMax
        )
        .answering(
            .object([
                .readOnly("revision", .integer(nil), "What it made; null if nothing changed"),
                .readOnly("dry_run", .boolean, "Whether nothing was done"),
                .readOnly("results", .list(.any), "kind, path, action and differences of each"),
            ])
        )
        .supporting(.waitsEnforced)
    }

    private static func export(_ control: ControlPlane) -> Route {
        Route(
            .get,
            "/v1/export",
            "export",
            room: "apply",
            "Everything that the caller may read, as resources that can be applied again",
            access: .authenticated
        ) { request throws(ControlError) in
            let (revision, resources) = try await control.catalog.export { path in
                request.caller.may(.read, on: path)
            }
            return Answer(
                Document.fields([
                    "revision": .number(revision),
                    "resources": .list(resources.map(\.fileDocument)),
                ])
            )
        }
        .answering(
            .object([
                .readOnly("revision", .integer(nil), "The state that was read"),
                .readOnly("resources", .list(.any), "Resources, each with its `kind`"),
            ])
        )
    }

    private static func dryRun(_ request: RouteRequest) throws(ControlError) -> Bool {
        switch try request.parameter("dry_run") {
        case nil, "false": return false
        case "true": return true
        default: throw .invalid("request.query", field: "dry_run", "must be `true` or `false`")
        }
    }

    /// Reads the whole list and names every resource that does not read, not only the first.
    private static func resources(_ request: RouteRequest) throws(ControlError) -> [Resource] {
        let list = try request.read { value throws(FieldError) in
            try value.map { reader throws(FieldError) in
                try reader.required("resources").list(limit: Catalog.partsMax)
            }
        }
        var resources: [Resource] = []
        var problems: [FieldProblem] = []
        for value in list {
            do {
                resources.append(try Resource(reading: value))
            } catch {
                problems.append(FieldProblem(error))
            }
        }
        guard problems.isEmpty else {
            throw .invalid(
                Complaint("request.field", "\(problems.count) resources do not read"),
                fields: problems
            )
        }
        return resources
    }

    private static func document(_ outcome: ApplyOutcome) -> Document {
        .fields([
            "revision": outcome.revision.map { .number($0) } ?? .null,
            "dry_run": .bool(outcome.isDryRun),
            "results": .list(
                outcome.steps.map { step in
                    .fields([
                        "kind": .string(step.key.kind.rawValue),
                        "path": .string(step.key.path),
                        "action": .string(step.action.rawValue),
                        // Only who may read sees what is: that is what a dry run asks for.
                        "differences": outcome.isDryRun
                            ? .list(step.differences.map(\.document)) : nil,
                    ])
                }
            ),
        ])
    }
}
