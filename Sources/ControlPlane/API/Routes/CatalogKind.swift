import Control
import HTTP
import Mesh
import Wire

/// How one kind of resource stands in paths, queries and bodies.
struct CatalogKind: Sendable {
    let kind: Resource.Kind
    /// The template below the collection, such as `/{namespace}/{service}`.
    let place: String
    /// The fields of a body, for the description.
    let fields: [Schema.Field]
    let filters: [Route.Parameter]
    let key: @Sendable (RouteRequest) throws(ControlError) -> ResourceKey
    let filter: @Sendable (RouteRequest, inout CatalogQuery) throws(ControlError) -> Void

    var word: String { kind.rawValue }
    var room: String { "\(word)s" }
    var title: String { word.prefix(1).uppercased() + word.dropFirst() }
    var collection: String { "/v1/\(room)" }
    var template: String { collection + place }
    var stored: Schema { .object(fields + Schema.Field.stored) }

    static let all: [CatalogKind] = [
        namespace, service, placement, instance, external, upstream, intention,
    ]

    func query(_ request: RouteRequest) throws(ControlError) -> CatalogQuery {
        var query = CatalogQuery(kind)
        try filter(request, &query)
        return query
    }

    /// The body as a resource; what the path says already may be left out of it.
    func resource(_ request: RouteRequest) throws(ControlError) -> Resource {
        let key = try key(request)
        var body = request.body
        if body.entries != nil {
            for (name, value) in key.fields where body[name]?.isNull ?? true {
                body.set(name, value)
            }
        }
        let resource = try read(body, request)
        guard resource.key == key else {
            throw .invalid(
                "request.path",
                field: "",
                "the body names another \(word) than the path: leave these fields away"
            )
        }
        return resource
    }

    /// The body of a creation, which names itself.
    func posted(_ request: RouteRequest) throws(ControlError) -> Resource {
        try read(request.body, request)
    }

    private func read(
        _ body: Document,
        _ request: RouteRequest
    ) throws(ControlError) -> Resource {
        do {
            return try Resource(kind, reading: FieldValue(body))
        } catch {
            throw .invalid(
                Complaint("request.field", error.description),
                fields: [FieldProblem(error)]
            )
        }
    }
}

extension ResourceKey {
    /// The fields of a body that say what the path says.
    fileprivate var fields: [(name: String, value: Document)] {
        switch self {
        case .namespace(let name): [("name", .string(name.text))]
        case .service(let service):
            [
                ("namespace", .string(service.namespace.text)),
                ("name", .string(service.name.text)),
            ]
        case .placement(let service, let agent), .external(let service, let agent):
            [("service", .string(service.description)), ("agent", .string(agent.text))]
        case .instance(let service, let agent, let name):
            [
                ("service", .string(service.description)), ("agent", .string(agent.text)),
                ("name", .string(name.text)),
            ]
        case .upstream(let agent, let port):
            [("agent", .string(agent.text)), ("port", .number(port))]
        case .intention(let destination, let source):
            [
                ("destination", .string(destination.description)),
                ("source", .string(source.description)),
            ]
        }
    }
}

extension RouteRequest {
    fileprivate func label<Name: LabelName>(
        _ name: String,
        as type: Name.Type = Name.self
    ) throws(ControlError) -> Name {
        try capture(name) { text throws(NameError) in try Name(text) }
    }

    fileprivate func service() throws(ControlError) -> ServiceName {
        ServiceName(namespace: try label("namespace"), name: try label("service"))
    }

    fileprivate func pattern(
        _ namespace: String,
        _ name: String
    ) throws(ControlError) -> ServicePattern {
        let namespace = capture(namespace)
        return try capture(name) { text throws(NameError) in
            try ServicePattern(namespace: namespace, name: text)
        }
    }

    fileprivate func serviceFilter(_ name: String) throws(ControlError) -> ServiceName? {
        try parameter(name) { text throws(NameError) in try ServiceName(text) }
    }

    fileprivate func patternFilter(_ name: String) throws(ControlError) -> ServicePattern? {
        try parameter(name) { text throws(NameError) in try ServicePattern(text) }
    }

    fileprivate func agentFilter() throws(ControlError) -> AgentName? {
        try parameter("agent") { text throws(NameError) in try AgentName(text) }
    }
}

/// Why a text is no port.
private enum PortError: Error, CustomStringConvertible {
    case malformed

    var description: String { "must be a number from 1 to 65535" }
}

extension CatalogKind {
    private static let serviceFilter = Route.Parameter(
        "service",
        .text(example: "default/orders-db"),
        "Only those of this service"
    )
    private static let agentFilter = Route.Parameter("agent", .text(), "Only those of this agent")
    private static let description = Schema.Field.optional(
        "description",
        .text(),
        "For people, up to 512 bytes"
    )
    private static let meta = Schema.Field.optional("meta", .textMap, "For people and tools")
    private static let healthCheck = Schema.object([
        .optional(
            "type",
            .text(allowed: HealthCheck.Kind.allCases.map(\.rawValue)),
            "tcp unless given; none counts every instance as up"
        ),
        .optional("interval", .text(example: "5s"), "From one probe to the next, 1s to 10m"),
        .optional("timeout", .text(example: "2s"), "At most the interval"),
        .optional(
            "successes",
            .integer(1...HealthCheck.thresholdMax),
            "In a row, after which an instance is up; 2 unless given"
        ),
        .optional(
            "failures",
            .integer(1...HealthCheck.thresholdMax),
            "In a row, after which an instance is down; 3 unless given"
        ),
    ])
    private static let agent = Schema.Field.optional("agent", .text(), "As in the path")

    static let namespace = CatalogKind(
        kind: .namespace,
        place: "/{namespace}",
        fields: [.optional("name", .text(), "As in the path"), description],
        filters: [],
        key: { request throws(ControlError) in .namespace(try request.label("namespace")) },
        filter: { _, _ in }
    )

    static let service = CatalogKind(
        kind: .service,
        place: "/{namespace}/{service}",
        fields: [
            .optional("namespace", .text(), "As in the path"),
            .optional("name", .text(), "As in the path"),
            .optional(
                "protocol",
                .text(allowed: Service.ApplicationProtocol.allCases.map(\.rawValue)),
                "What its instances speak; tcp unless given"
            ),
            .optional(
                "leaf_ttl",
                .text(example: "1h"),
                "How long its certificates live, 5m to 24h: also its outage budget"
            ),
            .optional("health_check", healthCheck, "How its agents probe its instances"),
            description, meta,
        ],
        filters: [Route.Parameter("namespace", .text(), "Only those of this namespace")],
        key: { request throws(ControlError) in .service(try request.service()) },
        filter: { request, query throws(ControlError) in
            query.namespace = try request.parameter("namespace") { text throws(NameError) in
                try NamespaceName(text)
            }
        }
    )

    static let placement = CatalogKind(
        kind: .placement,
        place: "/{namespace}/{service}/{agent}",
        fields: [.optional("service", .text(), "As in the path"), agent],
        filters: [serviceFilter, agentFilter],
        key: { request throws(ControlError) in
            .placement(try request.service(), try request.label("agent"))
        },
        filter: { request, query throws(ControlError) in
            query.service = try request.serviceFilter("service")
            query.agent = try request.agentFilter()
        }
    )

    static let instance = CatalogKind(
        kind: .instance,
        place: "/{namespace}/{service}/{agent}/{instance}",
        fields: [
            .optional("service", .text(), "As in the path"), agent,
            .optional("name", .text(example: "port-8080"), "As in the path"),
            .optional(
                "address",
                .text(),
                "Where its agent reaches it; outside of loopback needs sudo on the path"
            ),
            .required("port", .integer(1...65_535), "The port there"),
            .optional("weight", .integer(0...65_535), "Its share; 0 takes no new connections"),
            .readOnly(
                "health",
                .text(allowed: ["unknown", "up", "down"]),
                "What its agent's probes find; unknown if it was not seen lately"
            ),
            .readOnly("health_since", .text(format: "date-time"), "Since when"),
            .readOnly("health_problem", .text(), "Why the latest probe failed"),
        ],
        filters: [serviceFilter, agentFilter],
        key: { request throws(ControlError) in
            .instance(
                try request.service(),
                try request.label("agent"),
                try request.label("instance")
            )
        },
        filter: { request, query throws(ControlError) in
            query.service = try request.serviceFilter("service")
            query.agent = try request.agentFilter()
        }
    )

    static let external = CatalogKind(
        kind: .external,
        place: "/{namespace}/{service}/{agent}",
        fields: [
            .optional("service", .text(), "As in the path"), agent,
            .required("host", .text(example: "db.example.com"), "A DNS name or an address"),
            .required("port", .integer(1...65_535), "The port there"),
            .required("tls", tls, "How the outside proves who it is"),
            .optional(
                "allow_local",
                .boolean,
                "Whether addresses of the agent's own host and link count; needs sudo on the path"
            ),
        ],
        filters: [serviceFilter, agentFilter],
        key: { request throws(ControlError) in
            .external(try request.service(), try request.label("agent"))
        },
        filter: { request, query throws(ControlError) in
            query.service = try request.serviceFilter("service")
            query.agent = try request.agentFilter()
        }
    )

    private static let tls = Schema.object([
        .required(
            "mode",
            .text(allowed: ExternalTarget.Mode.allCases.map(\.rawValue)),
            "verify: TLS 1.2 or later; none: plain TCP"
        ),
        .optional("server_name", .text(), "What its certificate must name; the host unless given"),
        .optional("ca", .text(), "PEM certificates of the CAs that may vouch for it"),
        .optional(
            "negotiation",
            .text(allowed: ExternalTarget.Negotiation.allCases.map(\.rawValue)),
            "direct: TLS from the first byte, unless given; postgresql: after an SSLRequest"
        ),
    ])

    static let upstream = CatalogKind(
        kind: .upstream,
        place: "/{agent}/{port}",
        fields: [
            agent,
            .optional("port", .integer(1...65_535), "As in the path"),
            .required("source", .text(), "In whose name local users connect; placed on the agent"),
            .required("destination", .text(example: "default/orders-db"), "Who is reached"),
            .optional(
                "uids",
                .either([.list(.integer(0...4_294_967_294)), .text(allowed: ["any"])]),
                "The local users that may use the port; nobody unless given"
            ),
            .optional(
                "balance",
                .text(allowed: UpstreamTraffic.Balance.allCases.map(\.rawValue)),
                "How the host is chosen; least_request of two unless given"
            ),
            .optional(
                "connections_max",
                .integer(1...UpstreamTraffic.limitMax),
                "Connections that may be open at once; further ones are refused"
            ),
            .optional(
                "pending_max",
                .integer(1...UpstreamTraffic.limitMax),
                "Connections that may wait for the destination at once; further ones are refused"
            ),
            .optional(
                "postgres",
                .object([
                    .required("profile", .text(), "Whose roles are leased; see /v1/profiles"),
                    .optional("strict", .boolean, "Refuse statements that the agent does not know"),
                    .optional("listen", .boolean, "Let sessions listen to notifications"),
                ]),
                "The port speaks PostgreSQL to programs without a password; needs `read` on"
                    + " `database/creds/<profile>`"
            ),
        ],
        filters: [
            agentFilter,
            Route.Parameter("source", .text(), "Only those of this source"),
            Route.Parameter("destination", .text(), "Only those to this destination"),
        ],
        key: { request throws(ControlError) in
            .upstream(
                try request.label("agent"),
                port: try request.capture("port") { text throws(PortError) in
                    guard let port = UInt16(text), port != 0, String(port) == text else {
                        throw .malformed
                    }
                    return port
                }
            )
        },
        filter: { request, query throws(ControlError) in
            query.agent = try request.agentFilter()
            query.source = try request.serviceFilter("source").map(ServicePattern.exact)
            query.destination = try request.serviceFilter("destination").map(ServicePattern.exact)
        }
    )

    static let intention = CatalogKind(
        kind: .intention,
        place: "/{destination_namespace}/{destination}/{source_namespace}/{source}",
        fields: [
            .optional("destination", .text(example: "default/orders-db"), "Who is reached"),
            .optional("source", .text(example: "default/web"), "Who reaches it"),
            .optional("action", .text(allowed: ["allow", "deny"]), "What holds between them"),
            .optional("permissions", .list(.any), "HTTP clauses; refused until enforceable"),
            description, meta,
            .optional("owner", .text(), "Who answers for the rule"),
            .optional("reason", .text(), "Why the rule exists"),
            .optional("not_before", .text(format: "date-time"), "In force from then on"),
            .optional("not_after", .text(format: "date-time"), "In force until then"),
            .readOnly("id", .text(format: "uuid"), "Its identity and last tie-break"),
            .readOnly("precedence", .integer(1...9), "How specific it is"),
        ],
        filters: [
            Route.Parameter("destination", .text(), "Only those to it, compared as written"),
            Route.Parameter("source", .text(), "Only those of it, compared as written"),
        ],
        key: { request throws(ControlError) in
            .intention(
                destination: try request.pattern("destination_namespace", "destination"),
                source: try request.pattern("source_namespace", "source")
            )
        },
        filter: { request, query throws(ControlError) in
            query.destination = try request.patternFilter("destination")
            query.source = try request.patternFilter("source")
        }
    )
}
