package import Mesh
package import Postgres

/// The rows of the catalog by their keys, whatever their kinds.
package enum CatalogRepository {
    /// The statement that stores a resource, new or changed, without what is nested in it.
    package static func put(_ row: Stored<Resource>, guardedBy rowGuard: RowGuard) -> SQL {
        switch row.value {
        case .namespace(let value): NamespaceRepository.put(row.map { _ in value })
        case .service(let value):
            ServiceRepository.put(row.map { _ in value.service }, guardedBy: rowGuard)
        case .placement(let value):
            PlacementRepository.put(row.map { _ in value }, guardedBy: rowGuard)
        case .instance(let value):
            InstanceRepository.put(row.map { _ in value }, guardedBy: rowGuard)
        case .external(let value):
            ExternalRepository.put(row.map { _ in value }, guardedBy: rowGuard)
        case .upstream(let value):
            UpstreamRepository.put(row.map { _ in value }, guardedBy: rowGuard)
        case .intention(let value):
            IntentionRepository.put(row.map { _ in value }, guardedBy: rowGuard)
        case .policy: preconditionFailure("policies are no part of the catalog")
        }
    }

    /// The statement that removes a resource.
    package static func delete(_ key: ResourceKey) -> SQL {
        switch key {
        case .namespace(let name): NamespaceRepository.delete(name)
        case .service(let service): ServiceRepository.delete(service)
        case .placement(let service, let agent): PlacementRepository.delete(service, agent)
        case .instance(let service, let agent, let name):
            InstanceRepository.delete(service, agent, name)
        case .external(let service, let agent): ExternalRepository.delete(service, agent)
        case .upstream(let agent, let port): UpstreamRepository.delete(agent, port: port)
        case .intention(let destination, let source):
            IntentionRepository.delete(.init(destination: destination, source: source))
        }
    }

    /// Those of these resources that exist, and every instance, external target and upstream of these
    /// agents.
    package static func find(
        _ keys: some Sequence<ResourceKey>,
        withPortsOf agents: Set<AgentName> = [],
        guardedBy rowGuard: RowGuard,
        in transaction: some PostgresReading
    ) async throws(PostgresError) -> [ResourceKey: Stored<Resource>] {
        let sorted = SortedKeys(keys)
        var found: [Stored<Resource>] = []
        found += try await NamespaceRepository.find(sorted.namespaces, in: transaction)
            .map { row in row.map(Resource.namespace) }
        found += try await ServiceRepository.find(
            sorted.services,
            guardedBy: rowGuard,
            in: transaction
        ).map { row in row.map { .service(ServiceResource(service: $0)) } }
        found += try await PlacementRepository.find(
            sorted.placements,
            guardedBy: rowGuard,
            in: transaction
        ).map { row in row.map(Resource.placement) }
        found += try await InstanceRepository.find(
            onAgents: sorted.instanceAgents.union(agents).sorted(),
            guardedBy: rowGuard,
            in: transaction
        ).map { row in row.map(Resource.instance) }
        found += try await ExternalRepository.find(
            onAgents: sorted.externalAgents.union(agents).sorted(),
            guardedBy: rowGuard,
            in: transaction
        ).map { row in row.map(Resource.external) }
        found += try await UpstreamRepository.find(
            onAgents: sorted.upstreamAgents.union(agents).sorted(),
            guardedBy: rowGuard,
            in: transaction
        ).map { row in row.map(Resource.upstream) }
        found += try await IntentionRepository.find(
            sorted.intentions,
            guardedBy: rowGuard,
            in: transaction
        ).map { row in row.map(Resource.intention) }
        var byKey: [ResourceKey: Stored<Resource>] = [:]
        for row in found {
            if let key = row.value.key { byKey[key] = row }
        }
        return byKey
    }
}

/// Keys by what they are looked up with.
private struct SortedKeys {
    var namespaces: [NamespaceName] = []
    var services: [ServiceName] = []
    var placements: [Placement] = []
    var instanceAgents: Set<AgentName> = []
    var externalAgents: Set<AgentName> = []
    var upstreamAgents: Set<AgentName> = []
    var intentions: [IntentionRepository.Key] = []

    init(_ keys: some Sequence<ResourceKey>) {
        for key in keys {
            switch key {
            case .namespace(let name): namespaces.append(name)
            case .service(let service): services.append(service)
            case .placement(let service, let agent):
                placements.append(Placement(service: service, agent: agent))
            case .instance(_, let agent, _): instanceAgents.insert(agent)
            case .external(_, let agent): externalAgents.insert(agent)
            case .upstream(let agent, _): upstreamAgents.insert(agent)
            case .intention(let destination, let source):
                intentions.append(.init(destination: destination, source: source))
            }
        }
    }
}
