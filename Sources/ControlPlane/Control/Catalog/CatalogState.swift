import Mesh
import Postgres
import Snapshot
import Store

/// The part of the catalog that a change must know, with what the change puts into it.
struct CatalogState {
    private let rows: [ResourceKey: Stored<Resource>]
    private let agents: Set<AgentName>
    private let agentsWithoutExternal: Set<AgentName>
    private let agentsWithoutPostgres: Set<AgentName>
    private let profiles: Set<ProfileName>
    private var pending: [ResourceKey: Resource] = [:]
    private var refused: Set<ResourceKey> = []

    /// - Parameters:
    ///   - rows: everything that the change puts or refers to, as far as it exists, and every
    ///     instance, external target and upstream of the agents that it names.
    ///   - agents: those of the agents it names that exist.
    ///   - agentsWithoutExternal: those that said that they cannot connect outward.
    ///   - agentsWithoutPostgres: those that said that they do not speak PostgreSQL.
    ///   - profiles: those that upstreams name and that exist.
    init(
        rows: [ResourceKey: Stored<Resource>],
        agents: Set<AgentName>,
        agentsWithoutExternal: Set<AgentName> = [],
        agentsWithoutPostgres: Set<AgentName> = [],
        profiles: Set<ProfileName> = []
    ) {
        self.rows = rows
        self.agents = agents
        self.agentsWithoutExternal = agentsWithoutExternal
        self.agentsWithoutPostgres = agentsWithoutPostgres
        self.profiles = profiles
    }

    /// Reads what the rules about these resources ask for.
    static func load(
        for resources: [Resource],
        guardedBy rowGuard: RowGuard,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> CatalogState {
        var keys: Set<ResourceKey> = []
        var hosts: Set<AgentName> = []
        var portOwners: Set<AgentName> = []
        var egress: Set<AgentName> = []
        var programs: Set<AgentName> = []
        var profiles: Set<ProfileName> = []
        for resource in resources {
            guard let key = resource.key else { continue }
            keys.insert(key)
            keys.formUnion(resource.references)
            if case .upstream(let upstream) = resource, let postgres = upstream.postgres {
                programs.insert(upstream.agent)
                profiles.insert(postgres.profile)
            }
            switch key {
            case .placement(_, let agent): hosts.insert(agent)
            case .instance(_, let agent, _), .upstream(let agent, _): portOwners.insert(agent)
            case .external(_, let agent):
                portOwners.insert(agent)
                egress.insert(agent)
            case .namespace, .service, .intention: break
            }
        }
        let rows = try await CatalogRepository.find(
            keys,
            withPortsOf: portOwners,
            guardedBy: rowGuard,
            in: database
        )
        let existing = try await PlacementRepository.existingAgents(hosts.sorted(), in: database)
        let old = try await AgentStateRepository.without(
            Feature.external.word,
            among: egress.sorted(),
            in: database
        )
        let silent = try await AgentStateRepository.without(
            Feature.postgres.word,
            among: programs.sorted(),
            in: database
        )
        var known: Set<ProfileName> = []
        for name in profiles {
            let row = try await ProfileRepository.find(name, guardedBy: rowGuard, in: database)
            if row != nil { known.insert(name) }
        }
        return CatalogState(
            rows: rows,
            agents: existing,
            agentsWithoutExternal: old,
            agentsWithoutPostgres: silent,
            profiles: known
        )
    }

    /// Whether the agent said, when it was last connected, that it does not speak PostgreSQL.
    func lacksPostgres(_ agent: AgentName) -> Bool { agentsWithoutPostgres.contains(agent) }

    func hasProfile(_ name: ProfileName) -> Bool { profiles.contains(name) }

    /// Whether the agent said, when it was last connected, that it cannot connect outward.
    func lacksExternal(_ agent: AgentName) -> Bool { agentsWithoutExternal.contains(agent) }

    func hasAgent(_ agent: AgentName) -> Bool { agents.contains(agent) }

    func row(_ key: ResourceKey) -> Stored<Resource>? { rows[key] }

    /// The resource as it will be after the change.
    func resource(_ key: ResourceKey) -> Resource? { pending[key] ?? rows[key]?.value }

    /// Whether something was to be put but was refused, so that nobody need complain about its
    /// absence once more.
    func wasRefused(_ key: ResourceKey) -> Bool { refused.contains(key) }

    /// Whether the change holds this resource already.
    func isPending(_ key: ResourceKey) -> Bool {
        pending[key] != nil || refused.contains(key)
    }

    mutating func put(_ resource: Resource, _ key: ResourceKey) { pending[key] = resource }

    mutating func refuse(_ key: ResourceKey) { refused.insert(key) }

    /// Every instance as it will be after the change.
    var instances: [Instance] {
        everything.compactMap { if case .instance(let value) = $0 { value } else { nil } }
    }

    /// Every external target as it will be after the change.
    var externals: [ExternalTarget] {
        everything.compactMap { if case .external(let value) = $0 { value } else { nil } }
    }

    /// Every upstream as it will be after the change.
    var upstreams: [Upstream] {
        everything.compactMap { if case .upstream(let value) = $0 { value } else { nil } }
    }

    private var everything: [Resource] {
        rows.compactMap { pending[$0.key] == nil ? $0.value.value : nil } + pending.values
    }
}

extension Resource {
    /// What must exist for this resource to be written, and what else its rules look at.
    var references: [ResourceKey] {
        switch self {
        case .namespace, .policy: []
        case .service(let resource): [.namespace(resource.service.name.namespace)]
        case .placement(let placement): [.service(placement.service)]
        case .instance(let instance): [.placement(instance.service, instance.agent)]
        case .external(let target): [.placement(target.service, target.agent)]
        case .upstream(let upstream):
            [
                .placement(upstream.source, upstream.agent), .service(upstream.destination),
            ]
        case .intention(let intention):
            if case .exact(let service) = intention.destination { [.service(service)] } else { [] }
        }
    }
}
