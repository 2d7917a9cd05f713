/// What names one resource of the catalog: everything that people configure but policies.
package enum ResourceKey: Hashable, Sendable {
    case namespace(NamespaceName)
    case service(ServiceName)
    case placement(ServiceName, AgentName)
    case instance(ServiceName, AgentName, InstanceName)
    case external(ServiceName, AgentName)
    case upstream(AgentName, port: UInt16)
    case intention(destination: ServicePattern, source: ServicePattern)

    /// What kind of resource it names.
    package var kind: Resource.Kind {
        switch self {
        case .namespace: .namespace
        case .service: .service
        case .placement: .placement
        case .instance: .instance
        case .external: .external
        case .upstream: .upstream
        case .intention: .intention
        }
    }

    /// The path without its first segment: the key in the change feed, the place in a list.
    package var text: String {
        switch self {
        case .namespace(let name): name.text
        case .service(let service): service.description
        case .placement(let service, let agent), .external(let service, let agent):
            "\(service)/\(agent)"
        case .instance(let service, let agent, let name): "\(service)/\(agent)/\(name)"
        case .upstream(let agent, let port): "\(agent)/\(port)"
        case .intention(let destination, let source):
            "\(destination.namespaceText)/\(destination.nameText)"
                + "/\(source.namespaceText)/\(source.nameText)"
        }
    }

    /// The canonical resource path, such as `services/default/web`: what policies speak of.
    package var path: String { "\(kind.rawValue)s/\(text)" }
}

extension ResourceKey: CustomStringConvertible {
    /// For people, such as `service default/web`.
    package var description: String {
        switch self {
        case .namespace(let name): "namespace \(name)"
        case .service(let service): "service \(service)"
        case .placement(let service, let agent): "placement of \(service) on \(agent)"
        case .instance(let service, let agent, let name):
            "instance \(name) of \(service) on \(agent)"
        case .external(let service, let agent): "external target of \(service) on \(agent)"
        case .upstream(let agent, let port): "upstream \(port) of \(agent)"
        case .intention(let destination, let source): "intention from \(source) to \(destination)"
        }
    }
}

extension Resource {
    /// The key of this resource, without what is nested in it; nil for a policy.
    package var key: ResourceKey? {
        switch self {
        case .namespace(let namespace): .namespace(namespace.name)
        case .service(let resource): .service(resource.service.name)
        case .placement(let placement): .placement(placement.service, placement.agent)
        case .instance(let instance):
            .instance(instance.service, instance.agent, instance.name)
        case .external(let target): .external(target.service, target.agent)
        case .upstream(let upstream): .upstream(upstream.agent, port: upstream.port)
        case .intention(let intention):
            .intention(destination: intention.destination, source: intention.source)
        case .policy: nil
        }
    }
}
