/// A service with everything that its file may nest.
package struct ServiceResource: Hashable, Sendable {
    /// The service itself.
    package var service: Service
    /// The agents that may host it.
    package var placements: [Placement]
    /// Its running copies.
    package var instances: [Instance]
    /// Where egress agents reach it outside of the mesh.
    package var externals: [ExternalTarget]
    /// The loopback ports through which its users reach others in its name.
    package var upstreams: [Upstream]
    /// Its inbound rules.
    package var intentions: [Intention]

    package init(
        service: Service,
        placements: [Placement] = [],
        instances: [Instance] = [],
        externals: [ExternalTarget] = [],
        upstreams: [Upstream] = [],
        intentions: [Intention] = []
    ) {
        self.service = service
        self.placements = placements
        self.instances = instances
        self.externals = externals
        self.upstreams = upstreams
        self.intentions = intentions
    }
}

/// One resource of the kinds that files and the API know.
package enum Resource: Hashable, Sendable {
    case namespace(Namespace)
    case service(ServiceResource)
    case placement(Placement)
    case instance(Instance)
    case external(ExternalTarget)
    case upstream(Upstream)
    case intention(Intention)
    case policy(AccessPolicy)

    /// The word after `kind:`.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case namespace
        case service
        case placement
        case instance
        case external
        case upstream
        case intention
        case policy
    }

    /// What kind of resource this is.
    package var kind: Kind {
        switch self {
        case .namespace: .namespace
        case .service: .service
        case .placement: .placement
        case .instance: .instance
        case .external: .external
        case .upstream: .upstream
        case .intention: .intention
        case .policy: .policy
        }
    }

    /// The path that a policy must allow, without leading slash; of a service without what is
    /// nested in it, whose paths are asked one by one (`parts`).
    package var path: String {
        switch self {
        case .namespace(let namespace): "namespaces/\(namespace.name)"
        case .service(let resource): "services/\(resource.service.name)"
        case .placement(let placement): "placements/\(placement.service)/\(placement.agent)"
        case .instance(let instance):
            "instances/\(instance.service)/\(instance.agent)/\(instance.name)"
        case .external(let target): "externals/\(target.service)/\(target.agent)"
        case .upstream(let upstream): "upstreams/\(upstream.agent)/\(upstream.port)"
        case .intention(let intention): intention.path
        case .policy(let policy): "policies/\(policy.name)"
        }
    }

    /// This resource with nothing nested, followed by all that was nested, in the order in which
    /// they can be written.
    package var parts: [Resource] {
        guard case .service(let resource) = self else { return [self] }
        return [.service(ServiceResource(service: resource.service))]
            + resource.placements.map(Resource.placement)
            + resource.instances.map(Resource.instance)
            + resource.externals.map(Resource.external)
            + resource.upstreams.map(Resource.upstream)
            + resource.intentions.map(Resource.intention)
    }
}

extension Intention {
    /// The path of the rule: `intentions/<dst ns>/<dst>/<src ns>/<src>`.
    package var path: String {
        "intentions/\(destination.namespaceText)/\(destination.nameText)"
            + "/\(source.namespaceText)/\(source.nameText)"
    }
}
