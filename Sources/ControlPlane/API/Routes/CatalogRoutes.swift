package import Control
import HTTP
import Mesh
import Wire

/// Namespaces, services, placements, instances, external targets, upstreams and intentions: one shape
/// of routes for every kind.
package enum CatalogRoutes {
    /// The routes of all kinds.
    package static func routes(_ control: ControlPlane) -> [Route] {
        CatalogKind.all.flatMap { kind in
            [
                list(kind, control), get(kind, control), put(kind, control),
                delete(kind, control),
            ]
        } + [createIntention(control)]
    }

    private static func list(_ kind: CatalogKind, _ control: ControlPlane) -> Route {
        var route = Route(
            .get,
            kind.collection,
            "list\(kind.title)s",
            room: kind.room,
            "Lists the \(kind.room) that the caller may read",
            access: .authenticated
        ) { request throws(ControlError) in
            let page = try request.page()
            let found = try await control.catalog.list(
                try kind.query(request),
                after: page.after,
                limit: page.limit
            )
            let visible = found.items.filter { request.caller.may(.read, on: $0.key.path) }
            return .page(visible.map(\.document), next: found.next)
        }
        .answeringPages(of: kind.stored)
        route.parameters += kind.filters
        return route
    }

    private static func get(_ kind: CatalogKind, _ control: ControlPlane) -> Route {
        Route(
            .get,
            kind.template,
            "get\(kind.title)",
            room: kind.room,
            "Reads one \(kind.word)",
            access: .resource(.read) { request throws(ControlError) in
                try kind.key(request).path
            }
        ) { request throws(ControlError) in
            let item = try await control.catalog.find(try kind.key(request))
            return Answer(item.document, entityRevision: item.revision)
        }
        .answering(kind.stored)
    }

    private static func put(_ kind: CatalogKind, _ control: ControlPlane) -> Route {
        Route(
            .put,
            kind.template,
            "put\(kind.title)",
            room: kind.room,
            "Creates or replaces one \(kind.word); unchanged content makes no new revision",
            access: .resource(.update) { request throws(ControlError) in
                try kind.key(request).path
            }
        ) { request throws(ControlError) in
            let resource = try kind.resource(request)
            let (item, action) = try await control.catalog.put(
                resource,
                if: RevisionCondition(request.condition),
                by: request.caller
            )
            return Answer(
                item.document,
                status: action == .create ? .created : .ok,
                entityRevision: item.revision,
                changedRevision: item.revision
            )
        }
        .taking(.object(kind.fields))
        .answering(kind.stored)
        .supporting(.conditional, .waitsEnforced)
    }

    private static func delete(_ kind: CatalogKind, _ control: ControlPlane) -> Route {
        Route(
            .delete,
            kind.template,
            "delete\(kind.title)",
            room: kind.room,
            "Deletes one \(kind.word) that nothing refers to",
            access: .resource(.delete) { request throws(ControlError) in
                try kind.key(request).path
            }
        ) { request throws(ControlError) in
            let revision = try await control.catalog.delete(
                try kind.key(request),
                if: RevisionCondition(request.condition),
                by: request.caller
            )
            return Answer(
                Document.fields(["revision": .number(revision)]),
                changedRevision: revision
            )
        }
        .answering(.object([.readOnly("revision", .integer(nil), "The revision it made")]))
        .supporting(.conditional, .waitsEnforced)
    }

    private static func createIntention(_ control: ControlPlane) -> Route {
        let kind = CatalogKind.intention
        return Route(
            .post,
            kind.collection,
            "createIntention",
            room: kind.room,
            "Creates an intention between two that have none yet",
            access: .objects { request throws(ControlError) in
                [RequiredRight(.create, on: try kind.posted(request).path)]
            }
        ) { request throws(ControlError) in
            let item = try await control.catalog.create(
                try kind.posted(request),
                once: request.creation.map { ($0, HTTP.Status.created.code) },
                by: request.caller
            )
            var answer = Answer(
                item.document,
                entityRevision: item.revision,
                changedRevision: item.revision
            )
            answer.isKept = request.creation != nil
            return answer
        }
        .taking(.object(kind.fields))
        .answering(kind.stored, status: .created)
        .supporting(.idempotencyKey, .waitsEnforced)
    }
}

extension RevisionCondition {
    /// What `If-Match` asks for.
    init(_ condition: RouteRequest.Condition?) {
        switch condition {
        case nil: self = .none
        case .exists: self = .exists
        case .revisions(let revisions): self = .revisions(revisions)
        }
    }
}
