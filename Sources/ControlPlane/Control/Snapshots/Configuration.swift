package import Mesh
package import Snapshot

/// Everything that snapshots are compiled from, at one revision, with the look-ups that a change
/// needs to find who is concerned.
package struct Configuration: Sendable {
    /// What is known of an agent.
    package struct Agent: Hashable, Sendable {
        /// Whether it may be given snapshots and be named to others.
        package var isEnrolled: Bool
        /// Nil as long as it has not said where it is reached.
        package var meshAddress: MeshAddress?

        package init(isEnrolled: Bool, meshAddress: MeshAddress?) {
            self.isEnrolled = isEnrolled
            self.meshAddress = meshAddress
        }
    }

    /// One thing as it is now; nil or false is one that does not exist any more.
    package enum Entry: Hashable, Sendable {
        case service(ServiceName, Service?)
        case placement(Placement, exists: Bool)
        case instance(Placement, InstanceName, Instance?)
        case external(Placement, ExternalTarget?)
        case upstream(AgentName, port: UInt16, Upstream?)
        case intention(destination: ServicePattern, source: ServicePattern, Intention?)
        case agent(AgentName, Agent?)
        /// Every certificate that is denied by its serial number, and what else is out.
        case revocations(RevocationsSection)
    }

    private(set) var services: [ServiceName: Service] = [:]
    private(set) var revocations = RevocationsSection(serials: [])
    private(set) var agents: [AgentName: Agent] = [:]
    private var hosts: [ServiceName: Set<AgentName>] = [:]
    private var placed: [AgentName: Set<ServiceName>] = [:]
    private var instances: [Placement: [InstanceName: Instance]] = [:]
    private var externals: [Placement: ExternalTarget] = [:]
    private var upstreams: [AgentName: [UInt16: Upstream]] = [:]
    private var clients: [ServiceName: Set<AgentName>] = [:]
    private var rules: [ServicePattern: [ServicePattern: Intention]] = [:]

    /// Nothing at all.
    package init() {}

    /// The resources of files, for agents at addresses; what else the resources name is unknown.
    package init(resources: [Resource], agents: [AgentName: MeshAddress?]) {
        for (name, address) in agents {
            set(.agent(name, Agent(isEnrolled: true, meshAddress: address)))
        }
        for resource in resources.flatMap(\.parts) {
            switch resource {
            case .namespace, .policy: break
            case .service(let resource):
                set(.service(resource.service.name, resource.service))
            case .placement(let placement): set(.placement(placement, exists: true))
            case .instance(let instance):
                let placement = Placement(service: instance.service, agent: instance.agent)
                set(.instance(placement, instance.name, instance))
            case .external(let target): set(.external(target.placement, target))
            case .upstream(let upstream):
                set(.upstream(upstream.agent, port: upstream.port, upstream))
            case .intention(let rule):
                set(.intention(destination: rule.destination, source: rule.source, rule))
            }
        }
    }

    /// Puts one thing in its present state.
    package mutating func set(_ entry: Entry) {
        switch entry {
        case .service(let name, let service): services[name] = service
        case .agent(let name, let agent): agents[name] = agent
        case .revocations(let section): revocations = section
        case .placement(let placement, let exists):
            if exists {
                hosts[placement.service, default: []].insert(placement.agent)
                placed[placement.agent, default: []].insert(placement.service)
            } else {
                hosts[placement.service]?.remove(placement.agent)
                placed[placement.agent]?.remove(placement.service)
            }
        case .instance(let placement, let name, let instance):
            instances[placement, default: [:]][name] = instance
        case .external(let placement, let target): externals[placement] = target
        case .upstream(let agent, let port, let upstream):
            setUpstream(upstream, of: agent, port: port)
        case .intention(let destination, let source, let rule):
            rules[destination, default: [:]][source] = rule
        }
    }

    private mutating func setUpstream(_ upstream: Upstream?, of agent: AgentName, port: UInt16) {
        let before = upstreams[agent]?[port]?.destination
        upstreams[agent, default: [:]][port] = upstream
        if let upstream { clients[upstream.destination, default: []].insert(agent) }
        guard let before, before != upstream?.destination else { return }
        let isStillClient = upstreams[agent]?.values.contains { $0.destination == before } ?? false
        if !isStillClient { clients[before]?.remove(agent) }
    }

    /// The agents that may host a service.
    package func hosts(of service: ServiceName) -> Set<AgentName> { hosts[service] ?? [] }

    /// The services that an agent may host and that exist.
    package func services(on agent: AgentName) -> [ServiceName] {
        (placed[agent] ?? []).filter { services[$0] != nil }
    }

    /// As long as the shortest leaf that the agent holds: what is denied ends no later than that,
    /// even where nobody can tell the agent.
    package func manifestLifetime(of agent: AgentName) -> Duration {
        let life = services(on: agent).compactMap { services[$0]?.leafLifetime }.min()
        return min(
            max(life ?? Service.leafLifetimeDefault, Service.leafLifetimeMin),
            Manifest.lifetimeMax
        )
    }

    /// The agents with an upstream port to a service.
    package func clients(of service: ServiceName) -> Set<AgentName> { clients[service] ?? [] }

    /// The agents that decide by a service's rules who reaches it from them, since they speak
    /// PostgreSQL to programs.
    package func judges(of service: ServiceName) -> Set<AgentName> {
        clients(of: service).filter { agent in
            upstreams[agent]?.values.contains {
                $0.destination == service && $0.postgres != nil
            } ?? false
        }
    }

    /// The instances of a service on an agent; none unless it is placed there.
    package func instances(of placement: Placement) -> [Instance] {
        guard placed[placement.agent]?.contains(placement.service) == true else { return [] }
        return instances[placement].map { Array($0.values) } ?? []
    }

    /// Where an agent connects outward for a service; nil unless it is placed there.
    package func external(of placement: Placement) -> ExternalTarget? {
        guard placed[placement.agent]?.contains(placement.service) == true else { return nil }
        return externals[placement]
    }

    /// The upstream ports of an agent whose source is placed there.
    package func upstreams(of agent: AgentName) -> [Upstream] {
        let placed = placed[agent] ?? []
        return (upstreams[agent]?.values).map { Array($0) }?
            .filter { placed.contains($0.source) } ?? []
    }

    /// The rules that speak of a destination.
    package func rules(about service: ServiceName) -> [Intention] {
        [ServicePattern.exact(service), .namespace(service.namespace), .any]
            .flatMap { rules[$0].map { Array($0.values) } ?? [] }
    }

    /// The services that a rule's destination speaks of, of those that are hosted or reached.
    package func hostedServices(matching pattern: ServicePattern) -> [ServiceName] {
        switch pattern {
        case .exact(let service): [service]
        case .namespace, .any:
            Set(hosts.keys).union(clients.keys).filter { pattern.matches($0) }
        }
    }
}
