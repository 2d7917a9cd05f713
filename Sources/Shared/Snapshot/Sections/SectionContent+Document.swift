import Mesh
import Wire

extension SectionContent {
    /// The only schema there is, for every kind.
    static let schema = 1
    /// The most entries of any list in a section.
    static let entriesMax = 100_000

    var document: Document {
        var document = Document.fields([
            "schema": .number(Self.schema),
            "kind": .string(kind.rawValue),
        ])
        switch self {
        case .inbound(let section):
            document.set("service", .string(section.service.description))
            document.set("protocol", .string(section.applicationProtocol.rawValue))
            document.set("leaf_ttl", .duration(section.leafLifetime))
            document.set("rules", .list(section.rules.map(\.document)))
        case .endpoints(let section):
            document.set("service", .string(section.service.description))
            document.set("endpoints", .list(section.endpoints.map(\.document)))
        case .hosted(let section):
            document.set("agent", .string(section.agent.text))
            document.set("services", .list(section.services.map(\.document)))
        case .upstreams(let section):
            document.set("agent", .string(section.agent.text))
            document.set("upstreams", .list(section.upstreams.map(\.document)))
        case .revocations(let section):
            document.set("serials", .list(section.serials.map { .string(Hex.encode($0)) }))
            document.set("cutoffs", .list(section.cutoffDocuments))
        case .denied(let section):
            document.set("replaced", .string(section.replaced.rawValue))
            document.set("name", .string(section.name))
            document.set("reason", .string(section.reason))
        }
        return document
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        _ = try reader.int("schema", in: Self.schema...Self.schema)
        switch try reader.choice("kind", as: SectionKind.self) {
        case .inbound: self = .inbound(try InboundSection(from: &reader))
        case .endpoints: self = .endpoints(try EndpointsSection(from: &reader))
        case .hosted: self = .hosted(try HostedSection(from: &reader))
        case .upstreams: self = .upstreams(try UpstreamsSection(from: &reader))
        case .revocations: self = .revocations(try RevocationsSection(from: &reader))
        case .denied: self = .denied(try DeniedSection(from: &reader))
        }
    }
}

extension InboundSection {
    init(from reader: inout FieldReader) throws(FieldError) {
        let service = try reader.required("service").serviceName()
        self.init(
            service: service,
            applicationProtocol: try reader.choice(
                "protocol",
                as: Service.ApplicationProtocol.self
            ),
            leafLifetime: try reader.duration(
                "leaf_ttl",
                in: Service.leafLifetimeMin...Service.leafLifetimeMax
            ),
            ordered: try reader.list("rules", limit: SectionContent.entriesMax) {
                element throws(FieldError) in
                let rule = try Intention(reading: element)
                // Whatever this version cannot enforce must not be taken for enforced.
                try element.check(rule.checkEnforceable)
                guard rule.destination.matches(service) else {
                    throw element.error("the rule is another service's", hint: "leave it out")
                }
                return rule
            }
        )
    }
}

extension EndpointsSection {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            service: try reader.required("service").serviceName(),
            endpoints: try reader.maps("endpoints", limit: SectionContent.entriesMax) {
                entry throws(FieldError) in
                Endpoint(
                    agent: try entry.required("agent").label(),
                    address: try entry.required("address").address(),
                    port: try entry.required("port").port(),
                    weight: try entry.int("weight", in: 0...Instance.weightMax),
                    trustDomain: try entry.required("trust_domain").trustDomain()
                )
            }
        )
    }
}

extension Endpoint {
    var document: Document {
        .fields([
            "agent": .string(agent.text),
            "address": .string(address.description),
            "port": .number(port),
            "weight": .number(weight),
            "trust_domain": .string(trustDomain.text),
        ])
    }
}

extension HostedSection {
    init(from reader: inout FieldReader) throws(FieldError) {
        let agent: AgentName = try reader.required("agent").label()
        let value = reader.value
        let services = try reader.maps("services", limit: SectionContent.entriesMax) {
            entry throws(FieldError) in
            let service = try entry.required("service").serviceName()
            let healthCheck =
                try entry.optionalMap("health_check", HealthCheck.init(from:)) ?? .standard
            try value.check(healthCheck.validate)
            return HostedService(
                service: service,
                healthCheck: healthCheck,
                instances: try entry.maps("instances", limit: SectionContent.entriesMax) {
                    instance throws(FieldError) in
                    Instance(
                        service: service,
                        agent: agent,
                        name: try instance.required("name").label(),
                        address: try instance.required("address").address(),
                        port: try instance.required("port").port(),
                        weight: try instance.int("weight", in: 0...Instance.weightMax)
                    )
                },
                external: try entry.optionalMap("external") { external throws(FieldError) in
                    let place = external.value
                    return try ExternalTarget(
                        service: service,
                        agent: agent,
                        reachedBy: &external,
                        at: place
                    )
                }
            )
        }
        guard Set(services.map(\.service)).count == services.count else {
            throw value.error("a service stands twice", hint: "name each service once")
        }
        self.init(agent: agent, services: services)
    }
}

extension HostedService {
    var document: Document {
        let instances: [Document] = instances.map { instance in
            .fields([
                "name": .string(instance.name.text),
                "address": .string(instance.address.description),
                "port": .number(instance.port),
                "weight": .number(instance.weight),
            ])
        }
        return .fields([
            "service": .string(service.description),
            "health_check": healthCheck.documentUnlessStandard,
            "instances": .list(instances),
            "external": external?.reachDocument,
        ])
    }
}

extension UpstreamsSection {
    init(from reader: inout FieldReader) throws(FieldError) {
        let agent: AgentName = try reader.required("agent").label()
        let value = reader.value
        let upstreams = try reader.list("upstreams", limit: SectionContent.entriesMax) {
            element throws(FieldError) in
            guard
                case .upstream(let upstream) = try Resource(.upstream, reading: element),
                upstream.agent == agent
            else { throw element.error("the port is another agent's", hint: "leave it out") }
            return upstream
        }
        guard Set(upstreams.map(\.port)).count == upstreams.count else {
            throw value.error("a port stands twice", hint: "give each port once")
        }
        self.init(agent: agent, upstreams: upstreams)
    }
}

extension DeniedSection {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            replaced: try reader.choice("replaced", as: SectionKind.self),
            name: try reader.string("name", bytes: 1...255),
            reason: try reader.string("reason", bytes: 1...Self.reasonMaxBytes)
        )
    }
}
