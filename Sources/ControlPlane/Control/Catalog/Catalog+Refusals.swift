import Mesh
import Postgres
import Store
import Wire

extension Catalog {
    /// How many users of a resource a refusal names.
    private static let usersShownMax = 5

    static func notFound(_ key: ResourceKey) -> ControlError {
        .notFound(Complaint("\(key.kind.rawValue).not_found", "there is no \(key)"))
    }

    /// Refuses a change for everything that is wrong with it.
    static func refuse(_ problems: [CatalogProblem], code: String) throws(ControlError) {
        guard let first = problems.first else { return }
        if let denied = problems.first(where: { $0.kind == .forbidden }) {
            throw .forbidden(Complaint(denied.code, "\(denied.field): \(denied.text)"))
        }
        let text = problems.count == 1 ? first.text : "\(problems.count) things are wrong"
        throw .invalid(
            Complaint(problems.count == 1 ? first.code : code, text),
            fields: problems.map { FieldProblem(field: $0.field, problem: $0.text) }
        )
    }

    /// What would lose its footing without a resource.
    func dependents(
        of key: ResourceKey,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> [ResourceKey] {
        var queries: [CatalogQuery] = []
        switch key {
        case .namespace(let name):
            var services = CatalogQuery(.service)
            services.namespace = name
            queries = [services]
        case .service(let service):
            var placements = CatalogQuery(.placement)
            placements.service = service
            var upstreams = CatalogQuery(.upstream)
            upstreams.destination = .exact(service)
            queries = [placements, upstreams]
        case .placement(let service, let agent):
            var instances = CatalogQuery(.instance)
            instances.service = service
            instances.agent = agent
            var upstreams = CatalogQuery(.upstream)
            upstreams.agent = agent
            upstreams.source = .exact(service)
            var externals = CatalogQuery(.external)
            externals.service = service
            externals.agent = agent
            queries = [instances, externals, upstreams]
        case .instance, .external, .upstream, .intention: break
        }
        var users: [ResourceKey] = []
        for query in queries {
            let page = try await list(
                query,
                after: nil,
                limit: Self.usersShownMax + 1,
                in: database
            )
            users += page.items.compactMap(\.value.key)
        }
        return users
    }

    static func inUse(_ key: ResourceKey, by users: [ResourceKey]) -> ControlError {
        let shown = users.prefix(usersShownMax).map(\.path).joined(separator: ", ")
        let more = users.count > usersShownMax ? " and more" : ""
        return .conflict(
            Complaint(
                "\(key.kind.rawValue).in_use",
                "the \(key) is used by \(shown)\(more): delete these first"
            )
        )
    }
}

extension Catalog {
    static let beyondRights = "intention.beyond_own_rights"

    /// Why a rule with wildcards is more than its writer may say.
    static func reachSentence(_ reach: PathGlob) -> String {
        "a wildcard speaks for every service, so it needs the right everywhere under `\(reach)`;"
            + " write the rules of the services that are yours"
    }
}

extension ResourceKey {
    /// The rules whose place a rule with wildcards takes; nil for one between two services.
    ///
    /// Who has no right on one of them must not get round that by speaking of all.
    var reach: PathGlob? {
        guard case .intention(let destination, let source) = self else { return nil }
        let names = [
            destination.namespaceText, destination.nameText, source.namespaceText,
            source.nameText,
        ]
        guard names.contains("*") else { return nil }
        let segments = names.map { $0 == "*" ? "+" : $0 }
        return try? PathGlob("intentions/\(segments.joined(separator: "/"))")
    }
    /// The word for this kind of resource in the change feed.
    var changeKind: Change.Kind {
        switch self {
        case .namespace: .namespace
        case .service: .service
        case .placement: .placement
        // The words of the feed are those that the first servers knew.
        case .instance, .external: .instance
        case .upstream: .upstream
        case .intention: .intention
        }
    }

    /// The key in the change feed.
    ///
    /// An earlier server, which knows no external targets, finds a name there that no instance has,
    /// and reads everything anew.
    var changeKey: String {
        if case .external = self { "\(text)/\(ExternalRepository.feedName)" } else { text }
    }
}

extension ServicePattern {
    /// The service, if the pattern names one.
    var exactService: ServiceName? {
        if case .exact(let service) = self { service } else { nil }
    }
}

extension CatalogStep {
    /// What an audit record says about this step.
    var detail: Document {
        switch action {
        case .create: ["change": "create", "is": new.document]
        case .update: ["change": "update", "differences": .list(differences.map(\.document))]
        case .unchanged: ["change": "unchanged"]
        }
    }
}
