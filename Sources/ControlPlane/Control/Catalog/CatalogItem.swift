package import Mesh
import Store
package import Wire

/// A resource as it is stored.
package struct CatalogItem: Equatable, Sendable {
    package let resource: Resource
    package let key: ResourceKey
    /// The revision of its last change: its entity tag.
    package let revision: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let createdBy: String
    /// What its agent says, of an instance whose agent was seen lately.
    var health: InstanceFinding?

    init?(_ row: Stored<Resource>) {
        guard let key = row.value.key else { return nil }
        resource = row.value
        self.key = key
        revision = row.revision
        createdAt = row.createdAt
        updatedAt = row.updatedAt
        createdBy = row.createdBy
    }

    /// The fields in their REST form, those that the server sets included.
    package var document: Document {
        var document = resource.document
        document.set("revision", .number(revision))
        document.set("created_at", .timestamp(createdAt))
        document.set("updated_at", .timestamp(updatedAt))
        document.set("created_by", .string(createdBy))
        if case .instance = resource {
            document.set("health", .string(health.map { $0.isUp ? "up" : "down" } ?? "unknown"))
            document.set("health_since", health.map { .timestamp($0.since) } ?? .null)
            document.set("health_problem", .string(health?.problem ?? ""))
        }
        return document
    }
}

/// A part of a list.
package struct CatalogPage: Equatable, Sendable {
    package let items: [CatalogItem]
    /// Where the next page begins; nil at the end, before which a page may be short.
    package let next: String?
}

/// Which resources a list holds: those of one kind that match every part that is given.
package struct CatalogQuery: Equatable, Sendable {
    package var kind: Resource.Kind
    /// For services.
    package var namespace: NamespaceName?
    /// For placements and instances.
    package var service: ServiceName?
    /// For placements, instances and upstreams.
    package var agent: AgentName?
    /// For upstreams and intentions, compared as it is written.
    package var source: ServicePattern?
    /// For upstreams and intentions, compared as it is written.
    package var destination: ServicePattern?

    package init(_ kind: Resource.Kind) { self.kind = kind }
}

/// One wrong thing of a change.
struct CatalogProblem: Equatable {
    enum Kind { case invalid, conflict, forbidden }

    let kind: Kind
    let code: String
    /// From the top of the request.
    let field: String
    /// What is wrong and what would be right.
    let text: String

    /// The refusal that this problem is when it is alone.
    var error: ControlError {
        switch kind {
        case .invalid: .invalid(code, field: field, text)
        case .conflict: .conflict(Complaint(code, text))
        case .forbidden: .forbidden(Complaint(code, text))
        }
    }
}

/// What a change does to one resource.
package struct CatalogStep: Equatable, Sendable {
    /// What is done with a resource.
    package enum Action: String, Equatable, Sendable { case create, update, unchanged }

    package let key: ResourceKey
    package let action: Action
    /// The fields that change, in the order of the new form and then of the old.
    package let differences: [FieldDifference]
    let old: Stored<Resource>?
    let new: Resource

    init(key: ResourceKey, old: Stored<Resource>?, new: Resource) {
        self.key = key
        self.old = old
        self.new = new
        action = old.map { $0.value == new ? .unchanged : .update } ?? .create
        differences =
            action == .update
            ? FieldDifference.between(old?.value.document ?? .null, new.document) : []
    }
}

/// A field with its two values; null is absence.
package struct FieldDifference: Equatable, Sendable {
    package let field: String
    package let old: Document
    package let new: Document

    package init(field: String, old: Document, new: Document) {
        self.field = field
        self.old = old
        self.new = new
    }

    static func between(_ old: Document, _ new: Document) -> [FieldDifference] {
        var names = (new.entries ?? []).map(\.key)
        names += (old.entries ?? []).map(\.key).filter { new[$0] == nil }
        return names.compactMap { name in
            let (before, after) = (old[name] ?? .null, new[name] ?? .null)
            guard before != after else { return nil }
            return FieldDifference(field: name, old: before, new: after)
        }
    }

    /// As the API shows it.
    package var document: Document {
        .fields(["field": .string(field), "from": old, "to": new])
    }
}
