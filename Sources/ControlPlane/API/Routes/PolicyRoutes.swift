package import Control
import HTTP
import Mesh
import Wire

/// Rights on the API.
package enum PolicyRoutes {
    private static let shape: Schema = .object(
        [
            .required("name", .text(example: "team-web"), "Its name, a DNS label"),
            .required("paths", .any, "Globs of resource paths, each with its capabilities"),
            .readOnly("version", .integer(nil), "From 1; also the entity tag"),
        ] + Schema.Field.stored.filter { $0.name != "revision" }
    )

    /// Lists, reads, writes and deletes policies.
    package static func routes(_ control: ControlPlane) -> [Route] {
        [
            Route(
                .get,
                "/v1/policies",
                "listPolicies",
                room: "policies",
                "The policies that the caller may read, by name, the built-in ones included",
                access: .resource(.list) { _ throws(ControlError) in "policies" }
            ) { request throws(ControlError) in
                let (limit, after) = try request.page()
                let page = try await control.policies.page(
                    after: after,
                    limit: limit,
                    for: request.caller
                )
                return .page(page.items, next: page.next)
            }
            .answeringPages(of: shape),
            Route(
                .get,
                "/v1/policies/{policy}",
                "getPolicy",
                room: "policies",
                "One policy",
                access: .resource(.read, path)
            ) { request throws(ControlError) in
                let row = try await control.policies.find(request.capture("policy"))
                return Answer(row.document, entityRevision: row.entityVersion)
            }
            .answering(shape),
            Route(
                .put,
                "/v1/policies/{policy}",
                "putPolicy",
                room: "policies",
                "Create or replace a policy",
                access: .resource(.update, path)
            ) { request throws(ControlError) in try await put(request, control) }
            .taking(shape).answering(shape).supporting(.conditional),
            Route(
                .delete,
                "/v1/policies/{policy}",
                "deletePolicy",
                room: "policies",
                "Delete a policy that no live token names",
                access: .resource(.delete, path)
            ) { request throws(ControlError) in
                try await control.policies.delete(
                    request.capture("policy"),
                    if: condition(request),
                    by: request.caller
                )
                return Answer(.fields(["deleted": .bool(true)]))
            }
            .answering(.object([.readOnly("deleted", .boolean, "Always true")]))
            .supporting(.conditional),
        ]
    }

    private static func path(_ request: RouteRequest) throws(ControlError) -> String {
        "policies/\(try request.capture("policy", as: label))"
    }

    private static func label(_ text: String) throws(NameError) -> String {
        try DNSLabel.check(text)
        return text
    }

    private static func condition(_ request: RouteRequest) -> Policies.VersionCondition? {
        guard let condition = request.condition else { return nil }
        return { version in condition.admits(version) }
    }

    private static func put(
        _ request: RouteRequest,
        _ control: ControlPlane
    ) async throws(ControlError) -> Answer {
        let name = request.capture("policy")
        let resource: Resource = try request.read { value throws(FieldError) in
            try decode(value, named: name)
        }
        guard case .policy(let policy) = resource, policy.name == name else {
            throw .invalid("policy.name", field: "name", "must be the name in the path")
        }
        let (row, isNew) = try await control.policies.put(
            policy,
            if: condition(request),
            by: request.caller
        )
        return Answer(
            row.document,
            status: isNew ? .created : .ok,
            entityRevision: row.entityVersion
        )
    }

    /// The name stands in the path; a body that repeats it must agree.
    private static func decode(
        _ value: FieldValue,
        named name: String
    ) throws(FieldError) -> Resource {
        var document = value.document
        if document.entries != nil, document["name"] == nil {
            document.set("name", .string(name))
        }
        return try Resource(.policy, reading: FieldValue(document))
    }
}
