import Mesh
import Wire

/// Namespaces, services, placements, instances, external targets and upstreams.
enum CatalogCommands {
    static let all = [namespace, service, placement, instance, external, upstream].flatMap(
        \.commands
    )

    static let serviceOperand = Command.Operand(
        name: "SERVICE",
        summary: "`name`, or `namespace/name`; `web` is `default/web`"
    )
    static let agentOperand = Command.Operand(
        name: "AGENT",
        summary: "the name of an agent"
    )
    static let serviceFilter = Command.Option(
        name: "--service",
        value: "SERVICE",
        summary: "only those of this service"
    )
    static let agentFilter = Command.Option(
        name: "--agent",
        value: "AGENT",
        summary: "only those of this agent"
    )

    private static func service(_ invocation: Invocation) throws(Failure) -> ServiceName {
        try invocation.operand("SERVICE") { text throws(NameError) in try ServiceName(text) }
    }

    private static func agent(_ invocation: Invocation) throws(Failure) -> AgentName {
        try invocation.operand("AGENT") { text throws(NameError) in try AgentName(text) }
    }

    private static func namespace(_ invocation: Invocation) throws(Failure) -> NamespaceName {
        try invocation.operand("NAME") { text throws(NameError) in try NamespaceName(text) }
    }

    private static let namespace = CatalogNoun(
        word: "namespace",
        phrase: "a namespace",
        collection: "namespaces",
        template: "{namespace}",
        identity: [Command.Operand(name: "NAME", summary: "the name of the namespace")],
        contentOptions: [.description],
        columns: [
            Column("NAMESPACE", "name"), Column("REVISION", "revision"),
            Column("DESCRIPTION", "description"),
        ],
        path: { invocation throws(Failure) in
            APIPath("namespaces", try namespace(invocation).text)
        },
        resource: { invocation throws(Failure) in
            .namespace(
                Namespace(
                    name: try namespace(invocation),
                    description: invocation.option("--description") ?? ""
                )
            )
        }
    )

    private static let service = CatalogNoun(
        word: "service",
        phrase: "a service",
        collection: "services",
        template: "{namespace}/{service}",
        identity: [serviceOperand],
        contentOptions: [
            Command.Option(
                name: "--protocol",
                value: "tcp|http",
                summary: "what its instances speak; tcp unless given",
                choices: Service.ApplicationProtocol.allCases.map(\.rawValue)
            ),
            Command.Option(
                name: "--leaf-ttl",
                value: "DURATION",
                summary: "how long its certificates live, 5m to 24h: also its outage budget"
            ),
            Command.Option(
                name: "--health-check",
                value: "tcp|none",
                summary: "how its instances are probed; tcp unless given",
                choices: HealthCheck.Kind.allCases.map(\.rawValue)
            ),
            Command.Option(
                name: "--health-interval",
                value: "DURATION",
                summary: "from one probe to the next; 5s unless given"
            ),
            Command.Option(
                name: "--health-timeout",
                value: "DURATION",
                summary: "how long a probe may take; 2s unless given"
            ),
            Command.Option(
                name: "--health-successes",
                value: "N",
                summary: "in a row, after which an instance is up; 2 unless given"
            ),
            Command.Option(
                name: "--health-failures",
                value: "N",
                summary: "in a row, after which an instance is down; 3 unless given"
            ),
            .description,
        ],
        filters: [
            Command.Option(
                name: "--namespace",
                value: "NAME",
                summary: "only those of this namespace"
            )
        ],
        columns: [
            Column("SERVICE") { "\($0.shown("namespace"))/\($0.shown("name"))" },
            Column("PROTOCOL", "protocol"), Column("LEAF TTL", "leaf_ttl"),
            Column("REVISION", "revision"), Column("DESCRIPTION", "description"),
        ],
        path: { invocation throws(Failure) in
            let name = try service(invocation)
            return APIPath("services", name.namespace.text, name.name.text)
        },
        resource: { invocation throws(Failure) in
            let service = Service(
                name: try service(invocation),
                applicationProtocol: invocation.option("--protocol")
                    .flatMap(Service.ApplicationProtocol.init(rawValue:)) ?? .tcp,
                leafLifetime: try invocation.duration("--leaf-ttl")
                    ?? Service.leafLifetimeDefault,
                healthCheck: try healthCheck(invocation),
                description: invocation.option("--description") ?? ""
            )
            try Failure.checking { () throws(InvalidField) in try service.validate() }
            return .service(ServiceResource(service: service))
        }
    )

    private static func healthCheck(_ invocation: Invocation) throws(Failure) -> HealthCheck {
        let standard = HealthCheck.standard
        let counts = 1...HealthCheck.thresholdMax
        return HealthCheck(
            kind: invocation.option("--health-check").flatMap(HealthCheck.Kind.init(rawValue:))
                ?? standard.kind,
            interval: try invocation.duration("--health-interval") ?? standard.interval,
            timeout: try invocation.duration("--health-timeout") ?? standard.timeout,
            successes: try invocation.number("--health-successes", in: counts)
                ?? standard.successes,
            failures: try invocation.number("--health-failures", in: counts) ?? standard.failures
        )
    }

    private static let placement = CatalogNoun(
        word: "placement",
        phrase: "the right of an agent to host a service",
        collection: "placements",
        template: "{namespace}/{service}/{agent}",
        identity: [serviceOperand, agentOperand],
        filters: [serviceFilter, agentFilter],
        columns: [
            Column("SERVICE", "service"), Column("AGENT", "agent"),
            Column("REVISION", "revision"), Column("CREATED BY", "created_by"),
        ],
        path: { invocation throws(Failure) in
            APIPath(.placement(try placed(invocation)))
        },
        resource: { invocation throws(Failure) in .placement(try placed(invocation)) }
    )

    static func placed(_ invocation: Invocation) throws(Failure) -> Placement {
        Placement(service: try service(invocation), agent: try agent(invocation))
    }

    private static let instance = CatalogNoun(
        word: "instance",
        phrase: "a running copy of a service on an agent's host",
        collection: "instances",
        template: "{namespace}/{service}/{agent}/{instance}",
        identity: [
            serviceOperand, agentOperand,
            Command.Operand(name: "PORT", summary: "its port, or its name if it has another"),
        ],
        contentOptions: [
            Command.Option(
                name: "--name",
                value: "NAME",
                summary: "its name; `port-` and the port unless given"
            ),
            Command.Option(
                name: "--address",
                value: "IP",
                summary: "where its agent reaches it; 127.0.0.1 unless given"
            ),
            Command.Option(
                name: "--weight",
                value: "N",
                summary: "its share; 0 takes no new connections, 1 unless given"
            ),
        ],
        filters: [serviceFilter, agentFilter],
        columns: [
            Column("SERVICE", "service"), Column("AGENT", "agent"), Column("NAME", "name"),
            Column("ADDRESS") { "\($0.shown("address")):\($0.shown("port"))" },
            Column("WEIGHT", "weight"), Column("HEALTH", "health"),
            Column("SINCE", "health_since"), Column("PROBLEM", "health_problem"),
            Column("REVISION", "revision"),
        ],
        path: { invocation throws(Failure) in
            let text = try invocation.operand("PORT")
            let name = try Invocation.value(text, of: "PORT") {
                text throws(NameError) -> InstanceName in
                if let port = UInt16(text) { return InstanceName.ofPort(port) }
                return try InstanceName(text)
            }
            return APIPath(
                .instance(
                    Instance(
                        service: try service(invocation),
                        agent: try agent(invocation),
                        name: name,
                        port: 0
                    )
                )
            )
        },
        resource: { invocation throws(Failure) in
            let port = UInt16(clamping: try invocation.operandNumber("PORT", in: 1...65_535))
            return .instance(
                Instance(
                    service: try service(invocation),
                    agent: try agent(invocation),
                    name: try invocation.value("--name") { text throws(NameError) in
                        try InstanceName(text)
                    } ?? .ofPort(port),
                    address: try invocation.value("--address") { text throws(NameError) in
                        try IPAddress(text)
                    } ?? .loopback,
                    port: port,
                    weight: try invocation.number("--weight", in: 0...Instance.weightMax) ?? 1
                )
            )
        }
    )

    private static let upstream = CatalogNoun(
        word: "upstream",
        phrase: "a loopback port through which local users reach a destination",
        collection: "upstreams",
        template: "{agent}/{port}",
        identity: [
            agentOperand, Command.Operand(name: "PORT", summary: "the loopback port"),
        ],
        content: [
            Command.Operand(name: "SOURCE", summary: "the service in whose name they connect"),
            Command.Operand(name: "DESTINATION", summary: "the service that is reached"),
        ],
        contentOptions: [
            Command.Option(
                name: "--uid",
                value: "UID",
                summary: "a local user that may use the port; nobody unless given",
                isRepeatable: true
            ),
            Command.Option(
                name: "--any-uid",
                value: nil,
                summary: "every local user may use the port"
            ),
            Command.Option(
                name: "--balance",
                value: "least_request|round_robin",
                summary: "how the host is chosen; least_request of two unless given",
                choices: UpstreamTraffic.Balance.allCases.map(\.rawValue)
            ),
            Command.Option(
                name: "--connections-max",
                value: "N",
                summary: "connections that may be open at once; no limit of its own unless given"
            ),
            Command.Option(
                name: "--pending-max",
                value: "N",
                summary: "connections that may wait for the destination at once"
            ),
            Command.Option(
                name: "--postgres-profile",
                value: "PROFILE",
                summary: "speak PostgreSQL to programs without a password, as leased roles of it"
            ),
            Command.Option(
                name: "--strict",
                value: nil,
                summary: "refuse statements that the agent does not know; for --postgres-profile"
            ),
            Command.Option(
                name: "--listen",
                value: nil,
                summary: "let sessions listen to notifications; for --postgres-profile"
            ),
        ],
        filters: [
            agentFilter,
            Command.Option(
                name: "--source",
                value: "SERVICE",
                summary: "only those of this source"
            ),
            Command.Option(
                name: "--destination",
                value: "SERVICE",
                summary: "only those to this destination"
            ),
        ],
        columns: [
            Column("AGENT", "agent"), Column("PORT", "port"), Column("SOURCE", "source"),
            Column("DESTINATION", "destination"), Column("UIDS", "uids"),
            Column("REVISION", "revision"),
        ],
        path: { invocation throws(Failure) in
            let port = try invocation.operandNumber("PORT", in: 1...65_535)
            return APIPath("upstreams", try agent(invocation).text, "\(port)")
        },
        resource: { invocation throws(Failure) in .upstream(try opened(invocation)) }
    )

    private static func opened(_ invocation: Invocation) throws(Failure) -> Upstream {
        let users = invocation.all("--uid")
        guard !(invocation.has("--any-uid") && !users.isEmpty) else {
            throw .usage("--uid and --any-uid contradict each other", hint: "keep one of them")
        }
        var uids: [UInt32] = []
        for user in users {
            guard let uid = UInt32(user) else {
                throw .usage("--uid must be a number", hint: "`id -u NAME` prints it")
            }
            uids.append(uid)
        }
        let profile = try invocation.value("--postgres-profile") { text throws(NameError) in
            try ProfileName(text)
        }
        guard profile != nil || !(invocation.has("--strict") || invocation.has("--listen")) else {
            throw .usage(
                "--strict and --listen are about statements",
                hint: "give --postgres-profile as well"
            )
        }
        let upstream = Upstream(
            agent: try agent(invocation),
            source: try invocation.operand("SOURCE") { text throws(NameError) in
                try ServiceName(text)
            },
            destination: try invocation.operand("DESTINATION") { text throws(NameError) in
                try ServiceName(text)
            },
            port: UInt16(clamping: try invocation.operandNumber("PORT", in: 1...65_535)),
            users: invocation.has("--any-uid") ? .any : .only(uids.sorted()),
            traffic: UpstreamTraffic(
                balance: invocation.option("--balance")
                    .flatMap(UpstreamTraffic.Balance.init(rawValue:)) ?? .leastRequest,
                connectionsMax: try invocation.number(
                    "--connections-max",
                    in: 1...UpstreamTraffic.limitMax
                ),
                pendingMax: try invocation.number("--pending-max", in: 1...UpstreamTraffic.limitMax)
            ),
            postgres: profile.map {
                PostgresAccess(
                    profile: $0,
                    isStrict: invocation.has("--strict"),
                    mayListen: invocation.has("--listen")
                )
            }
        )
        try Failure.checking { () throws(InvalidField) in try upstream.validate() }
        return upstream
    }
}

extension Invocation {
    /// An option as a value of the vocabulary; nil when it is absent.
    func value<Value>(
        _ option: String,
        as make: (String) throws(NameError) -> Value
    ) throws(Failure) -> Value? {
        guard let text = self.option(option) else { return nil }
        return try Self.value(text, of: option, as: make)
    }
}

extension Failure {
    /// Runs a check of the vocabulary; its error is wrong usage.
    static func checking(_ body: () throws(InvalidField) -> Void) throws(Failure) {
        do {
            try body()
        } catch {
            throw .usage(error.description)
        }
    }
}
