package import Mesh
import Postgres
import Store
import Wire

/// Namespaces, services, placements, instances, external targets, upstreams and
/// intentions.
///
/// Every change goes through one plan (`CatalogPlan`), whether it is of one resource or of many.
package struct Catalog: Sendable {
    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    // MARK: Reading

    /// One resource.
    package func find(_ key: ResourceKey) async throws(ControlError) -> CatalogItem {
        let row = try await control.look { database in
            try await CatalogRepository.find([key], guardedBy: control.rowGuard, in: database)[key]
        }
        guard let item = row.flatMap(CatalogItem.init) else { throw Self.notFound(key) }
        return try await withHealth([item]).first ?? item
    }

    /// One page of a list in order of the keys; `limit` is at most 1000.
    package func list(
        _ query: CatalogQuery,
        after: String? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> CatalogPage {
        let page = try await control.read { database in
            try await list(query, after: after, limit: limit, in: database)
        }
        return CatalogPage(
            items: try await withHealth(page.items.compactMap(CatalogItem.init)),
            next: page.next
        )
    }

    /// The same items, instances with what their agents say of them.
    private func withHealth(_ items: [CatalogItem]) async throws(ControlError) -> [CatalogItem] {
        let agents = items.compactMap { item -> AgentName? in
            if case .instance(let instance) = item.resource { instance.agent } else { nil }
        }
        guard !agents.isEmpty else { return items }
        let findings = try await control.read { database in
            try await HealthRepository.findings(onAgents: Set(agents), in: database)
        }
        return items.map { item in
            var item = item
            item.health = findings[item.key]
            return item
        }
    }

    func list(
        _ query: CatalogQuery,
        after: String?,
        limit: Int,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> Page<Stored<Resource>> {
        switch query.kind {
        case .policy: return Page(items: [], next: nil)
        case .namespace:
            return try await NamespaceRepository.list(after: after, limit: limit, in: database)
                .map { row in row.map(Resource.namespace) }
        case .service:
            return try await ServiceRepository.list(
                namespace: query.namespace,
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            ).map { row in row.map { .service(ServiceResource(service: $0)) } }
        case .placement:
            return try await PlacementRepository.list(
                service: query.service,
                agent: query.agent,
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            ).map { row in row.map(Resource.placement) }
        case .instance:
            return try await InstanceRepository.list(
                service: query.service,
                agent: query.agent,
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            ).map { row in row.map(Resource.instance) }
        case .external:
            return try await ExternalRepository.list(
                service: query.service,
                agent: query.agent,
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            ).map { row in row.map(Resource.external) }
        case .upstream:
            return try await UpstreamRepository.list(
                agent: query.agent,
                source: query.source?.exactService,
                destination: query.destination?.exactService,
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            ).map { row in row.map(Resource.upstream) }
        case .intention:
            return try await IntentionRepository.list(
                destination: query.destination,
                source: query.source,
                after: after,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            ).map { row in row.map(Resource.intention) }
        }
    }

    // MARK: Changing

    /// Creates or replaces one resource; unchanged content makes no new revision.
    ///
    /// A service must not have anything nested: each part has rights of its own, so it comes with
    /// `apply`.
    package func put(
        _ resource: Resource,
        if condition: RevisionCondition = .none,
        by caller: Caller
    ) async throws(ControlError) -> (item: CatalogItem, action: CatalogStep.Action) {
        let key = try Self.key(of: resource)
        let action = "\(key.kind.rawValue).put"
        return try await control.change(caller, action: action, resource: key.path) { change in
            try await perform(resource, key, by: caller, in: change) {
                old throws(ControlError) in
                try condition.check(old?.revision, of: "\(key)")
            }
        }
    }

    /// Creates one resource that must not exist; the answer to a claimed key commits with it.
    package func create(
        _ resource: Resource,
        once creation: (key: CreationKey, status: Int)? = nil,
        by caller: Caller
    ) async throws(ControlError) -> CatalogItem {
        let key = try Self.key(of: resource)
        let action = "\(key.kind.rawValue).create"
        return try await control.change(caller, action: action, resource: key.path) { change in
            let item = try await perform(resource, key, by: caller, in: change) {
                old throws(ControlError) in
                guard let old else { return }
                throw .conflict(Self.duplicate(key, old.revision))
            }.item
            if let creation {
                let answer = StoredAnswer(
                    status: creation.status,
                    body: JSON.compact(item.document)
                )
                try await creation.key.keep(answer, in: change.database)
            }
            return item
        }
    }

    private static func duplicate(_ key: ResourceKey, _ revision: Int64) -> Complaint {
        Complaint(
            "\(key.kind.rawValue).duplicate",
            "the \(key) exists already, at revision \(revision): change it with PUT"
                + " /v1/\(key.path)"
        )
    }

    /// Deletes a resource that nothing refers to, and gives the revision of that change.
    @discardableResult
    package func delete(
        _ key: ResourceKey,
        if condition: RevisionCondition = .none,
        by caller: Caller
    ) async throws(ControlError) -> Int64 {
        guard key != .namespace(.default) else {
            throw .conflict(
                Complaint(
                    "namespace.default",
                    "the namespace default is that of every name without one, so it stays"
                )
            )
        }
        if let reach = key.reach, !GrantRule.holds(.delete, on: reach, caller.policies) {
            throw .forbidden(Complaint(Self.beyondRights, Self.reachSentence(reach)))
        }
        return try await control.change(
            caller,
            action: "\(key.kind.rawValue).delete",
            resource: key.path
        ) { change in
            let rows = try await CatalogRepository.find(
                [key],
                guardedBy: control.rowGuard,
                in: change.database
            )
            guard let old = rows[key] else { throw Self.notFound(key) }
            try condition.check(old.revision, of: "\(key)")
            let users = try await dependents(of: key, in: change.database)
            guard users.isEmpty else { throw Self.inUse(key, by: users) }
            try await change.database.execute(CatalogRepository.delete(key))
            change.record(key.changeKind, key: key.changeKey, .delete)
            change.describe(["was": old.value.document])
            return change.revision
        }
    }

    private func perform(
        _ resource: Resource,
        _ key: ResourceKey,
        by caller: Caller,
        in change: ChangeTransaction,
        check: (Stored<Resource>?) throws(ControlError) -> Void
    ) async throws -> (item: CatalogItem, action: CatalogStep.Action) {
        let plan = try await plan([.init(resource)], by: caller, in: change.database)
        if let problem = plan.problems.first, plan.problems.count == 1 { throw problem.error }
        try Self.refuse(plan.problems, code: "\(key.kind.rawValue).invalid")
        guard let step = plan.steps.first else { throw Self.notFound(key) }
        try check(step.old)
        let items = try await carryOut([step], by: caller, in: change)
        guard let item = items.first else { throw Self.notFound(key) }
        if step.action == .unchanged { change.audited.conclude(outcome: "unchanged") }
        change.describe(step.detail)
        return (item: item, action: step.action)
    }

    /// Decides what putting these resources does; reads only.
    func plan(
        _ parts: [CatalogPlan.Part],
        by caller: Caller,
        isDryRun: Bool = false,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> CatalogPlan {
        let state = try await CatalogState.load(
            for: parts.map(\.resource),
            guardedBy: control.rowGuard,
            in: database
        )
        return CatalogPlan(parts, state: state, caller: caller, isDryRun: isDryRun) {
            (try? RuleID(control.makeID().description)) ?? .unassigned
        }
    }

    /// Writes what a plan without problems decided, and gives the resources as they now are.
    func carryOut(
        _ steps: [CatalogStep],
        by caller: Caller,
        in change: ChangeTransaction
    ) async throws(PostgresError) -> [CatalogItem] {
        var statements: [SQL] = []
        var items: [CatalogItem] = []
        for step in steps {
            guard step.action != .unchanged else {
                items += step.old.flatMap(CatalogItem.init).map { [$0] } ?? []
                continue
            }
            let row = Stored(
                step.new,
                revision: change.revision,
                createdAt: step.old?.createdAt ?? change.at,
                updatedAt: change.at,
                createdBy: step.old?.createdBy ?? caller.principal
            )
            statements.append(CatalogRepository.put(row, guardedBy: control.rowGuard))
            change.record(
                step.key.changeKind,
                key: step.key.changeKey,
                step.action == .create ? .create : .update
            )
            items += CatalogItem(row).map { [$0] } ?? []
        }
        while !statements.isEmpty {
            try await change.database.batch(Array(statements.prefix(Self.statementsPerBatch)))
            statements.removeFirst(min(Self.statementsPerBatch, statements.count))
        }
        return items
    }

    private static let statementsPerBatch = 500

    private static func key(of resource: Resource) throws(ControlError) -> ResourceKey {
        guard let key = resource.key else {
            throw .invalid("policy.elsewhere", field: "kind", "policies are no part of the catalog")
        }
        guard resource.parts.count == 1 else {
            throw .invalid(
                "service.nested",
                field: "",
                "a service is written without what belongs to it: write placements, instances,"
                    + " externals, upstreams and intentions one by one, or all with POST /v1/apply"
            )
        }
        return key
    }
}

extension ControlPlane {
    /// Namespaces, services, placements, instances, upstreams and intentions.
    package var catalog: Catalog { Catalog(self) }
}
