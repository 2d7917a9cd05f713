import Mesh
import Store
import Wire

/// What a change will do, or everything that is wrong with it; decided without a database.
struct CatalogPlan {
    private(set) var steps: [CatalogStep] = []
    private(set) var problems: [CatalogProblem] = []
    private(set) var state: CatalogState
    let caller: Caller
    private let isDryRun: Bool
    private let makeRuleID: () -> RuleID

    /// One resource without anything nested, and where it stands in the request.
    struct Part {
        let resource: Resource
        /// Empty when it is the whole request.
        let field: String

        init(_ resource: Resource, at field: String = "") {
            self.resource = resource
            self.field = field
        }

        /// A resource of a list with all that is nested in it, each with its own place.
        static func parts(of resource: Resource, at field: String) -> [Part] {
            guard case .service(let service) = resource else { return [Part(resource, at: field)] }
            func nested(_ list: String, _ items: [Resource]) -> [Part] {
                items.enumerated().map { Part($1, at: "\(field).\(list)[\($0)]") }
            }
            return [Part(.service(ServiceResource(service: service.service)), at: field)]
                + nested("placements", service.placements.map(Resource.placement))
                + nested("instances", service.instances.map(Resource.instance))
                + nested("externals", service.externals.map(Resource.external))
                + nested("upstreams", service.upstreams.map(Resource.upstream))
                + nested("intentions", service.intentions.map(Resource.intention))
        }
    }

    /// Plans to put these resources, in the order in which they depend on each other.
    init(
        _ parts: [Part],
        state: CatalogState,
        caller: Caller,
        isDryRun: Bool = false,
        makeRuleID: @escaping () -> RuleID
    ) {
        self.state = state
        self.caller = caller
        self.isDryRun = isDryRun
        self.makeRuleID = makeRuleID
        for kind in Self.order {
            for part in parts where part.resource.kind == kind { add(part) }
        }
        for part in parts {
            checkPort(part)
            checkHosting(part)
        }
    }

    private static let order: [Resource.Kind] = [
        .policy, .namespace, .service, .placement, .instance, .external, .upstream, .intention,
    ]

    private mutating func add(_ part: Part) {
        guard let key = part.resource.key else {
            return refuse(
                part,
                "apply.policy",
                "kind",
                "policies are written with PUT /v1/policies/<name>, not together with others"
            )
        }
        guard !state.isPending(key) else {
            return refuse(part, "apply.twice", "", "the \(key) is given twice: keep one of them")
        }
        let before = problems.count
        let isComplete = check(part)
        guard isComplete, problems.count == before else { return state.refuse(key) }
        let old = state.row(key)
        let new = stored(part.resource, old: old?.value)
        state.put(new, key)
        steps.append(CatalogStep(key: key, old: old, new: new))
    }

    /// The resource as the database will hold it: under its id, with times that the database can
    /// keep.
    private func stored(_ resource: Resource, old: Resource?) -> Resource {
        guard case .intention(var rule) = resource else { return resource }
        if case .intention(let existing)? = old {
            rule.id = existing.id
        } else {
            rule.id = makeRuleID()
        }
        rule.notBefore = rule.notBefore?.wholeMicroseconds
        rule.notAfter = rule.notAfter?.wholeMicroseconds
        return .intention(rule)
    }

    // MARK: Rules

    /// Checks one resource; false if something that it needs was refused before.
    private mutating func check(_ part: Part) -> Bool {
        switch part.resource {
        case .namespace, .policy: return true
        case .service(let resource): return check(resource.service, part)
        case .placement(let placement): return check(placement, part)
        case .instance(let instance): return check(instance, part)
        case .external(let target): return check(target, part)
        case .upstream(let upstream): return check(upstream, part)
        case .intention(let intention):
            check(intention, part)
            return true
        }
    }

    private mutating func check(_ service: Service, _ part: Part) -> Bool {
        if service.leafLifetime.components.attoseconds != 0 {
            refuse(part, "service.leaf_ttl", "leaf_ttl", "must be whole seconds")
        }
        let namespace = service.name.namespace
        return require(.namespace(namespace), part) { plan in
            plan.refuse(
                part,
                "namespace.unknown",
                "namespace",
                "there is no namespace \(namespace): create it with PUT /v1/namespaces/\(namespace)"
            )
        }
    }

    private mutating func check(_ placement: Placement, _ part: Part) -> Bool {
        if !state.hasAgent(placement.agent) {
            refuse(
                part,
                "agent.unknown",
                "agent",
                "there is no agent \(placement.agent): invite it first"
            )
        }
        return requireService(placement.service, part, "service")
    }

    private mutating func check(_ instance: Instance, _ part: Part) -> Bool {
        if instance.address.isUnspecified {
            refuse(part, "instance.address", "address", "names no host: give its own address")
        } else if !instance.address.isLoopback {
            let path = part.resource.path
            if !caller.may(.sudo, on: path) {
                refuse(
                    part,
                    "instance.address_needs_sudo",
                    "address",
                    "lies outside of the agent's own loopback (127.0.0.0/8, ::1), which needs"
                        + " `sudo` on `\(path)`",
                    .forbidden
                )
            }
        }
        return require(.placement(instance.service, instance.agent), part) { plan in
            plan.refuse(
                part,
                "instance.not_placed",
                "agent",
                "\(instance.service) is not placed on \(instance.agent): write"
                    + " placements/\(instance.service)/\(instance.agent) first"
            )
        }
    }

    private mutating func check(_ upstream: Upstream, _ part: Part) -> Bool {
        let hasDestination = requireService(upstream.destination, part, "destination")
        let hasSource = require(.placement(upstream.source, upstream.agent), part) { plan in
            plan.refuse(
                part,
                "upstream.source_not_placed",
                "source",
                "\(upstream.source) is not placed on \(upstream.agent), so nobody there may"
                    + " speak in its name: write placements/\(upstream.source)/\(upstream.agent)"
                    + " first"
            )
        }
        if let postgres = upstream.postgres { check(postgres, of: upstream, part) }
        return hasDestination && hasSource
    }

    private mutating func check(_ rule: Intention, _ part: Part) {
        if !isDryRun, let reach = part.resource.key?.reach,
            !GrantRule.holds(.update, on: reach, caller.policies),
            !GrantRule.holds(.create, on: reach, caller.policies)
        {
            refuse(part, Catalog.beyondRights, "", Catalog.reachSentence(reach), .forbidden)
        }
        do {
            try rule.validate()
            try rule.checkEnforceable()
        } catch {
            guard error.problem == .notYetEnforceable else {
                return refuse(part, "intention.invalid", error.field, "\(error.problem)")
            }
            if error.field == "permissions", case .exact(let service) = rule.destination,
                case .service(let destination)? = state.resource(.service(service)),
                destination.service.applicationProtocol != .http
            {
                return refuse(
                    part,
                    "intention.permissions_need_http",
                    "permissions",
                    "\(service) speaks \(destination.service.applicationProtocol.rawValue), and"
                        + " permissions judge HTTP requests: give an action, or make its protocol"
                        + " http"
                )
            }
            refuse(
                part,
                "intention.\(error.field)_not_enforceable",
                error.field,
                "no agent can enforce this yet, so it is refused; leave it away"
            )
        }
    }

    private mutating func requireService(
        _ service: ServiceName,
        _ part: Part,
        _ field: String
    ) -> Bool {
        require(.service(service), part) { plan in
            plan.refuse(
                part,
                "service.unknown",
                field,
                "there is no service \(service): create it with PUT /v1/services/\(service)"
            )
        }
    }

    /// Complains about something that must exist and does not, unless it was refused itself.
    mutating func require(
        _ key: ResourceKey,
        _ part: Part,
        complain: (inout CatalogPlan) -> Void
    ) -> Bool {
        if state.resource(key) != nil { return true }
        if !state.wasRefused(key) { complain(&self) }
        return false
    }

    /// Refuses what wants a port of an agent that is taken once the whole change is done.
    private mutating func checkPort(_ part: Part) {
        switch part.resource {
        case .instance(let instance):
            if let other = state.instances.first(where: { other in
                other.agent == instance.agent && other.port == instance.port
                    && other.address == instance.address
                    && (other.service != instance.service || other.name != instance.name)
            }) {
                refuse(
                    part,
                    "instance.port_taken",
                    "port",
                    "\(instance.address) port \(instance.port) on \(instance.agent) is already"
                        + " instance \(other.name) of \(other.service)",
                    .conflict
                )
            } else if instance.address.isLoopback,
                let other = state.upstreams.first(where: {
                    $0.agent == instance.agent && $0.port == instance.port
                })
            {
                refuse(
                    part,
                    "instance.port_taken",
                    "port",
                    "port \(instance.port) on \(instance.agent) is already the upstream of"
                        + " \(other.source) to \(other.destination)",
                    .conflict
                )
            }
        case .upstream(let upstream):
            guard
                let other = state.instances.first(where: {
                    $0.agent == upstream.agent && $0.port == upstream.port && $0.address.isLoopback
                })
            else { return }
            refuse(
                part,
                "upstream.port_taken",
                "port",
                "port \(upstream.port) on \(upstream.agent) is already instance \(other.name) of"
                    + " \(other.service)",
                .conflict
            )
        case .namespace, .service, .placement, .external, .intention, .policy: return
        }
    }

    mutating func refuse(
        _ part: Part,
        _ code: String,
        _ field: String,
        _ text: String,
        _ kind: CatalogProblem.Kind = .invalid
    ) {
        let isTop = part.field.isEmpty || field.isEmpty
        problems.append(
            CatalogProblem(
                kind: kind,
                code: code,
                field: isTop ? part.field + field : "\(part.field).\(field)",
                text: text
            )
        )
    }
}

extension Timestamp {
    /// What the database keeps of a time.
    fileprivate var wholeMicroseconds: Timestamp {
        let rest = nanosecondsSinceEpoch % 1_000
        let floor = rest < 0 ? rest + 1_000 : rest
        let (value, overflow) = nanosecondsSinceEpoch.subtractingReportingOverflow(floor)
        return overflow ? self : Timestamp(nanosecondsSinceEpoch: value)
    }
}
