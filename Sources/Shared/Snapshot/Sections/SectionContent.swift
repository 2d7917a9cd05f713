package import Mesh

/// The kinds of sections; an agent that meets another one refuses the whole snapshot.
package enum SectionKind: String, Hashable, Sendable, CaseIterable {
    /// The inbound rules of one destination; shared by all agents that host it.
    case inbound
    /// Where one destination can be reached; shared by all agents that have an upstream to it.
    case endpoints
    /// The services of one agent with the local addresses of their instances.
    case hosted
    /// The upstream ports of one agent.
    case upstreams
    /// Certificates that count no longer although they have not ended; shared by all agents, and
    /// only shown to those that know it (`Feature.revocations`).
    case revocations
    /// Stands for a section that could not be encoded: nothing of what it would say holds.
    case denied
}

/// What a section says.
package enum SectionContent: Hashable, Sendable {
    case inbound(InboundSection)
    case endpoints(EndpointsSection)
    case hosted(HostedSection)
    case upstreams(UpstreamsSection)
    case revocations(RevocationsSection)
    case denied(DeniedSection)

    /// Which kind it is.
    package var kind: SectionKind {
        switch self {
        case .inbound: .inbound
        case .endpoints: .endpoints
        case .hosted: .hosted
        case .upstreams: .upstreams
        case .revocations: .revocations
        case .denied: .denied
        }
    }

    /// What it speaks of: a service or an agent.
    package var name: String {
        switch self {
        case .inbound(let section): section.service.description
        case .endpoints(let section): section.service.description
        case .hosted(let section): section.agent.text
        case .upstreams(let section): section.agent.text
        case .revocations: RevocationsSection.name
        case .denied(let section): section.name
        }
    }
}

/// The inbound rules of one service.
package struct InboundSection: Hashable, Sendable {
    /// The destination.
    package var service: ServiceName
    /// What its instances speak.
    package var applicationProtocol: Service.ApplicationProtocol
    /// How long its certificates live.
    package var leafLifetime: Duration
    /// The rules in the order in which they win, with nothing that is not enforced.
    package let rules: [Intention]

    /// Keeps those of `rules` that speak of the service, in one order and without their free
    /// texts: the same rules give the same bytes on every replica.
    package init(
        service: ServiceName,
        applicationProtocol: Service.ApplicationProtocol,
        leafLifetime: Duration,
        trustDomain: TrustDomain,
        rules: some Sequence<Intention>
    ) {
        let policy = InboundPolicy(destination: service, trustDomain: trustDomain, rules: rules)
        self.init(
            service: service,
            applicationProtocol: applicationProtocol,
            leafLifetime: leafLifetime,
            ordered: policy.rules.map { rule in
                var bare = rule
                bare.description = ""
                bare.meta = [:]
                bare.owner = nil
                bare.reason = nil
                return bare
            }
        )
    }

    init(
        service: ServiceName,
        applicationProtocol: Service.ApplicationProtocol,
        leafLifetime: Duration,
        ordered rules: [Intention]
    ) {
        self.service = service
        self.applicationProtocol = applicationProtocol
        self.leafLifetime = leafLifetime
        self.rules = rules
    }
}

/// Where a service can be reached.
package struct Endpoint: Hashable, Sendable {
    /// The agent that hosts it.
    package var agent: AgentName
    /// The mesh address of that agent.
    package var address: IPAddress
    /// The mesh port of that agent.
    package var port: UInt16
    /// Its share among the endpoints; 0 takes no new connections.
    package var weight: Int
    /// The trust domain that vouches for the service there.
    package var trustDomain: TrustDomain

    package init(
        agent: AgentName,
        address: IPAddress,
        port: UInt16,
        weight: Int,
        trustDomain: TrustDomain
    ) {
        self.agent = agent
        self.address = address
        self.port = port
        self.weight = weight
        self.trustDomain = trustDomain
    }
}

/// All endpoints of one service.
package struct EndpointsSection: Hashable, Sendable {
    /// The destination.
    package var service: ServiceName
    /// In the order of agent, address and port.
    package let endpoints: [Endpoint]

    /// All endpoints of a service, in one order whatever the order they are given in.
    package init(service: ServiceName, endpoints: [Endpoint]) {
        self.service = service
        self.endpoints = endpoints.sorted { left, right in
            (left.agent.text, left.address.description, left.port)
                < (right.agent.text, right.address.description, right.port)
        }
    }
}

/// The services of one agent.
package struct HostedSection: Hashable, Sendable {
    /// Whose they are.
    package var agent: AgentName
    /// In the order of their names, each once.
    package let services: [HostedService]

    /// All services of an agent, in one order whatever the order they are given in.
    package init(agent: AgentName, services: [HostedService]) {
        self.agent = agent
        self.services = services.sorted { $0.service < $1.service }
    }
}

/// A service placed on an agent, with its instances there.
package struct HostedService: Hashable, Sendable {
    /// The service that the agent answers for.
    package var service: ServiceName
    /// How its instances are probed.
    package var healthCheck: HealthCheck
    /// Its instances on this host, in the order of their names; may be empty.
    package let instances: [Instance]
    /// Where the agent reaches it outside of the mesh instead; nil for one that is hosted.
    ///
    /// Only shown to agents that know `Feature.external`.
    package let external: ExternalTarget?

    /// A service and its instances, in one order whatever the order they are given in.
    package init(
        service: ServiceName,
        healthCheck: HealthCheck = .standard,
        instances: [Instance],
        external: ExternalTarget? = nil
    ) {
        self.service = service
        self.healthCheck = healthCheck
        self.external = external
        self.instances = instances.sorted { $0.name < $1.name }
    }
}

/// The upstream ports of one agent.
package struct UpstreamsSection: Hashable, Sendable {
    /// Whose they are.
    package var agent: AgentName
    /// In the order of their ports, each once.
    package let upstreams: [Upstream]

    /// All upstream ports of an agent, in one order whatever the order they are given in.
    package init(agent: AgentName, upstreams: [Upstream]) {
        self.agent = agent
        self.upstreams = upstreams.sorted { $0.port < $1.port }
    }
}

/// The replacement of a section that failed the server's own check.
package struct DeniedSection: Hashable, Sendable {
    /// The most bytes of the reason.
    package static let reasonMaxBytes = 1024

    /// What kind of section it stands for.
    package var replaced: SectionKind
    /// What that section would have spoken of.
    package var name: String
    /// Why, for people.
    package var reason: String

    /// A denial of one section; a longer reason is cut.
    package init(replaced: SectionKind, name: String, reason: String) {
        self.replaced = replaced
        self.name = name
        // A character cut in two becomes one of three bytes.
        self.reason =
            reason.utf8.count <= Self.reasonMaxBytes
            ? reason
            : String(decoding: reason.utf8.prefix(Self.reasonMaxBytes - 3), as: UTF8.self)
    }
}
