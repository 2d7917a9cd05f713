package import Mesh
package import Snapshot

/// Why something could not be put into a section; what it speaks of is denied.
package struct SectionFault: Hashable, Sendable {
    package let kind: SectionKind
    /// The service or the agent that the section speaks of.
    package let name: String
    /// Why, for people.
    package let reason: String
}

/// Compiles a configuration into the sections that agents enforce: the same configuration gives
/// the same bytes, on every replica and offline.
///
/// Sections are compiled when somebody needs them and kept until a change concerns them.
package struct SectionCompiler: Sendable {
    /// The mesh whose identities the sections speak of.
    package let trustDomain: TrustDomain
    /// What the sections are compiled from.
    package private(set) var configuration: Configuration

    private enum SectionID: Hashable, Sendable {
        case inbound(ServiceName)
        case endpoints(ServiceName)
        case hosted(AgentName)
        case upstreams(AgentName)
        case revocations
    }

    private var sections: [SectionID: EncodedSection] = [:]
    /// Agents that do not read everything; the sections of their own leave out what they would
    /// refuse.
    private var features: [AgentName: Set<Feature>] = [:]
    private var faults: Set<SectionFault> = []
    private var newFaults: [SectionFault] = []

    package init(trustDomain: TrustDomain, configuration: Configuration = Configuration()) {
        self.trustDomain = trustDomain
        self.configuration = configuration
    }

    /// Begins anew with another configuration.
    package mutating func replace(_ configuration: Configuration) {
        self.configuration = configuration
        sections = [:]
        faults = []
    }

    /// Takes changes over, in their order.
    ///
    /// - Returns: the agents whose sections may have changed; all others enforce what they did.
    package mutating func apply(_ entries: [Configuration.Entry]) -> Set<AgentName> {
        var stale: Set<SectionID> = []
        var agents: Set<AgentName> = []
        for entry in entries {
            // What the change takes away is known before it, what it brings after it.
            concern(entry, &stale, &agents)
            configuration.set(entry)
            concern(entry, &stale, &agents)
        }
        for id in stale {
            if sections.removeValue(forKey: id) != nil { forgetFaults(of: id) }
            agents.formUnion(readers(of: id))
        }
        return agents
    }

    private func concern(
        _ entry: Configuration.Entry,
        _ stale: inout Set<SectionID>,
        _ agents: inout Set<AgentName>
    ) {
        switch entry {
        case .service(let name, _):
            stale.insert(.inbound(name))
            // Whether it exists decides whether it is hosted anywhere.
            stale.insert(.endpoints(name))
            stale.formUnion(configuration.hosts(of: name).map(SectionID.hosted))
        case .placement(let placement, _):
            stale.insert(.hosted(placement.agent))
            stale.insert(.upstreams(placement.agent))
            stale.insert(.endpoints(placement.service))
        case .instance(let placement, _, _), .external(let placement, _):
            stale.insert(.hosted(placement.agent))
            stale.insert(.endpoints(placement.service))
        case .upstream(let agent, _, _): stale.insert(.upstreams(agent))
        case .intention(let destination, _, _):
            stale.formUnion(
                configuration.hostedServices(matching: destination).map(SectionID.inbound)
            )
        case .agent(let name, _):
            agents.insert(name)
            stale.formUnion(configuration.services(on: name).map(SectionID.endpoints))
        case .revocations(let section):
            // Said twice for one change, before and after; and often without any change.
            if sections[.revocations] == nil || configuration.revocations != section {
                stale.insert(.revocations)
            }
        }
    }

    private func readers(of id: SectionID) -> Set<AgentName> {
        switch id {
        case .inbound(let service):
            configuration.hosts(of: service).union(configuration.judges(of: service))
        case .endpoints(let service): configuration.clients(of: service)
        case .hosted(let agent), .upstreams(let agent): [agent]
        case .revocations: Set(configuration.agents.keys)
        }
    }

    /// An agent says what it can read; who says nothing reads everything.
    ///
    /// - Returns: whether that changed.
    package mutating func understands(_ words: Set<Feature>, _ agent: AgentName) -> Bool {
        let now = words.intersection(Feature.known)
        let before = features[agent] ?? Feature.known
        features[agent] = now == Feature.known ? nil : now
        guard before != now else { return false }
        sections[.hosted(agent)] = nil
        sections[.upstreams(agent)] = nil
        return true
    }

    private func reads(_ feature: Feature, _ agent: AgentName) -> Bool {
        (features[agent] ?? Feature.known).contains(feature)
    }

    /// What an agent shall enforce, in the manifest's order; nil for one that is not enrolled, and
    /// for one with more than a manifest can name, which is a fault.
    ///
    /// An agent that does not know a kind of section would refuse all of its snapshot, so what is
    /// beyond its `features` is left out.
    package mutating func sections(of agent: AgentName) -> [EncodedSection]? {
        guard configuration.agents[agent]?.isEnrolled == true else { return nil }
        let upstreams = configuration.upstreams(of: agent)
        let judged = upstreams.filter { $0.postgres != nil }.map(\.destination)
        var ids: [SectionID] = [.hosted(agent), .upstreams(agent)]
        ids += Set(configuration.services(on: agent) + judged).map(SectionID.inbound)
        ids += Set(upstreams.map(\.destination)).map(SectionID.endpoints)
        if !configuration.revocations.isEmpty, reads(.revocations, agent) {
            ids.append(.revocations)
        }
        guard ids.count <= Manifest.sectionsMax else {
            report(
                .hosted,
                agent.text,
                "the agent would need \(ids.count) sections, a manifest names at most"
                    + " \(Manifest.sectionsMax): spread its services over several hosts"
            )
            return nil
        }
        var sections: [EncodedSection] = []
        var byteCount = 0
        for id in ids {
            let section = section(id)
            sections.append(section)
            byteCount += section.bytes.count
        }
        guard byteCount <= SnapshotVerifier.sectionsByteCountMax else {
            report(.hosted, agent.text, "its sections have \(byteCount) bytes, too many to take")
            return nil
        }
        return Self.once(sections.sorted { $0.reference < $1.reference })
    }

    /// Two denials of one name would make the manifest unreadable; what is left out is denied too.
    private static func once(_ sections: [EncodedSection]) -> [EncodedSection] {
        var last: SectionReference?
        return sections.filter { section in
            defer { last = section.reference }
            return (last?.kind, last?.name) != (section.reference.kind, section.reference.name)
        }
    }

    /// Faults that were not taken before.
    package mutating func takeFaults() -> [SectionFault] {
        defer { newFaults = [] }
        return newFaults
    }

    private mutating func section(_ id: SectionID) -> EncodedSection {
        if let section = sections[id] { return section }
        let content = content(of: id)
        let (section, fault) = EncodedSection.encode(content)
        if let fault { report(content.kind, content.name, fault) }
        sections[id] = section
        return section
    }

    private mutating func content(of id: SectionID) -> SectionContent {
        switch id {
        case .inbound(let name):
            let service = configuration.services[name] ?? Service(name: name)
            return .inbound(
                InboundSection(
                    service: name,
                    applicationProtocol: service.applicationProtocol,
                    leafLifetime: service.leafLifetime,
                    trustDomain: trustDomain,
                    rules: configuration.rules(about: name)
                )
            )
        case .endpoints(let name):
            return .endpoints(EndpointsSection(service: name, endpoints: endpoints(of: name)))
        case .hosted(let agent):
            let services = configuration.services(on: agent).map { name in
                HostedService(
                    service: name,
                    healthCheck: reads(.traffic, agent)
                        ? configuration.services[name]?.healthCheck ?? .standard : .standard,
                    instances: instances(of: name, on: agent),
                    external: external(of: name, on: agent)
                )
            }
            return .hosted(HostedSection(agent: agent, services: services))
        case .upstreams(let agent):
            let upstreams = configuration.upstreams(of: agent).filter { upstream in
                var problem = Self.problem { () throws(InvalidField) in try upstream.validate() }
                if upstream.postgres != nil, !reads(.postgres, agent) {
                    problem = "the agent is too old to speak PostgreSQL: bring it up to date"
                }
                if let problem { report(.upstreams, agent.text, "\(upstream.port): \(problem)") }
                return problem == nil
            }
            return .upstreams(
                UpstreamsSection(
                    agent: agent,
                    upstreams: upstreams.map { upstream in
                        var upstream = upstream
                        if !reads(.traffic, agent) { upstream.traffic = .standard }
                        return upstream
                    }
                )
            )
        case .revocations:
            return .revocations(configuration.revocations)
        }
    }

    /// The instances that can be encoded: a bad one costs its own traffic alone.
    private mutating func instances(of service: ServiceName, on agent: AgentName) -> [Instance] {
        let placement = Placement(service: service, agent: agent)
        return configuration.instances(of: placement).filter { instance in
            let problem = Self.problem { () throws(InvalidField) in
                try instance.validate(allowsOutside: true)
            }
            if let problem { report(.hosted, agent.text, "\(instance.name): \(problem)") }
            return problem == nil
        }
    }

    /// Where the agent connects outward, if it knows how; else it lets nobody through.
    private mutating func external(of service: ServiceName, on agent: AgentName) -> ExternalTarget?
    {
        let placement = Placement(service: service, agent: agent)
        guard let target = configuration.external(of: placement) else { return nil }
        var problem = Self.problem { () throws(InvalidField) in try target.validate() }
        if !reads(.external, agent) {
            problem = "the agent is too old to connect outward: bring it up to date"
        }
        if let problem { report(.hosted, agent.text, "\(service): \(problem)") }
        return problem == nil ? target : nil
    }

    private func endpoints(of service: ServiceName) -> [Endpoint] {
        guard configuration.services[service] != nil else { return [] }
        return configuration.hosts(of: service).compactMap { agent in
            guard let host = configuration.agents[agent], host.isEnrolled,
                let mesh = host.meshAddress
            else { return nil }
            let placement = Placement(service: service, agent: agent)
            var weights = configuration.instances(of: placement).map(\.weight)
            if configuration.external(of: placement) != nil { weights.append(1) }
            guard !weights.isEmpty else { return nil }
            let weight = weights.reduce(0) { min($0 + max($1, 0), Instance.weightMax) }
            return Endpoint(
                agent: agent,
                address: mesh.address,
                port: mesh.port,
                weight: min(weight, Instance.weightMax),
                trustDomain: trustDomain
            )
        }
    }

    private mutating func report(_ kind: SectionKind, _ name: String, _ reason: String) {
        let fault = SectionFault(kind: kind, name: name, reason: reason)
        if faults.insert(fault).inserted { newFaults.append(fault) }
    }

    /// A fault that is mended and comes back is news again.
    private mutating func forgetFaults(of id: SectionID) {
        let (kind, name): (SectionKind, String) =
            switch id {
            case .inbound(let service): (.inbound, service.description)
            case .endpoints(let service): (.endpoints, service.description)
            case .hosted(let agent): (.hosted, agent.text)
            case .upstreams(let agent): (.upstreams, agent.text)
            case .revocations: (.revocations, RevocationsSection.name)
            }
        guard !faults.isEmpty else { return }
        faults = faults.filter { ($0.kind, $0.name) != (kind, name) }
    }

    private static func problem(_ check: () throws(InvalidField) -> Void) -> String? {
        do throws(InvalidField) {
            try check()
            return nil
        } catch {
            return error.description
        }
    }
}
