package import Mesh

/// What names one row of the catalog.
package enum CatalogKey: Hashable, Sendable {
    case namespace(NamespaceName)
    case service(ServiceName)
    case placement(ServiceName, AgentName)
    case instance(ServiceName, AgentName, InstanceName)
    case upstream(AgentName, port: UInt16)
    case intention(destination: ServicePattern, source: ServicePattern)

    /// The key of a resource, without what is nested in it; nil for a policy, which is no part of
    /// the catalog.
    package init?(_ resource: Resource) {
        switch resource {
        case .namespace(let namespace): self = .namespace(namespace.name)
        case .service(let resource): self = .service(resource.service.name)
        case .placement(let placement): self = .placement(placement.service, placement.agent)
        case .instance(let instance):
            self = .instance(instance.service, instance.agent, instance.name)
        case .upstream(let upstream): self = .upstream(upstream.agent, port: upstream.port)
        case .intention(let intention):
            self = .intention(destination: intention.destination, source: intention.source)
        case .policy: return nil
        }
    }

    /// What kind of thing it is in the change feed.
    package var kind: Change.Kind {
        switch self {
        case .namespace: .namespace
        case .service: .service
        case .placement: .placement
        case .instance: .instance
        case .upstream: .upstream
        case .intention: .intention
        }
    }

    /// The resource path without its first segment: the key in the change feed, the place in a
    /// list.
    package var text: String {
        switch self {
        case .namespace(let name): name.text
        case .service(let service): service.description
        case .placement(let service, let agent): "\(service)/\(agent)"
        case .instance(let service, let agent, let name): "\(service)/\(agent)/\(name)"
        case .upstream(let agent, let port): "\(agent)/\(port)"
        case .intention(let destination, let source):
            "\(destination.namespaceText)/\(destination.nameText)"
                + "/\(source.namespaceText)/\(source.nameText)"
        }
    }

    /// The canonical resource path, such as `services/default/web`; what policies name.
    package var path: String { "\(kind.rawValue)s/\(text)" }
}
