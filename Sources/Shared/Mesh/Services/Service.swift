/// A name that has an identity.
package struct Service: Hashable, Sendable {
    /// The shortest certificate life.
    package static let leafLifetimeMin = Duration.seconds(300)
    /// The longest certificate life.
    package static let leafLifetimeMax = Duration.seconds(86_400)
    /// The certificate life where none is given.
    package static let leafLifetimeDefault = Duration.seconds(3600)

    /// What an instance speaks behind its agent.
    package enum ApplicationProtocol: String, Hashable, Sendable, CaseIterable {
        case tcp
        case http
    }

    /// The name that has the identity.
    package var name: ServiceName
    /// What its instances speak.
    package var applicationProtocol: ApplicationProtocol
    /// How long a certificate of this service lives; also its outage budget.
    package var leafLifetime: Duration
    /// How its instances are probed.
    package var healthCheck: HealthCheck
    package var description: String
    /// Free texts for people and tools.
    package var meta: [String: String]

    package init(
        name: ServiceName,
        applicationProtocol: ApplicationProtocol = .tcp,
        leafLifetime: Duration = Service.leafLifetimeDefault,
        healthCheck: HealthCheck = .standard,
        description: String = "",
        meta: [String: String] = [:]
    ) {
        self.name = name
        self.applicationProtocol = applicationProtocol
        self.leafLifetime = leafLifetime
        self.healthCheck = healthCheck
        self.description = description
        self.meta = meta
    }

    /// Checks lengths, ranges and that the parts fit each other; the error names the field.
    package func validate() throws(InvalidField) {
        guard (Self.leafLifetimeMin...Self.leafLifetimeMax).contains(leafLifetime) else {
            throw InvalidField("leaf_ttl", .wrong("must lie between 5m and 24h"))
        }
        try healthCheck.validate()
        guard description.utf8.count <= IntentionLimits.descriptionMaxBytes else {
            throw InvalidField(
                "description",
                .tooLong(limitBytes: IntentionLimits.descriptionMaxBytes)
            )
        }
        try IntentionLimits.check(meta: meta)
    }
}

/// A space of service names.
package struct Namespace: Hashable, Sendable {
    /// The name of the space.
    package var name: NamespaceName
    package var description: String

    package init(name: NamespaceName, description: String = "") {
        self.name = name
        self.description = description
    }

    /// Checks lengths, ranges and that the parts fit each other; the error names the field.
    package func validate() throws(InvalidField) {
        guard description.utf8.count <= IntentionLimits.descriptionMaxBytes else {
            throw InvalidField(
                "description",
                .tooLong(limitBytes: IntentionLimits.descriptionMaxBytes)
            )
        }
    }
}

/// The right of an agent to host a service.
package struct Placement: Hashable, Sendable {
    /// The service that may be hosted.
    package let service: ServiceName
    /// The agent that may host it.
    package let agent: AgentName

    package init(service: ServiceName, agent: AgentName) {
        self.service = service
        self.agent = agent
    }
}

/// One running copy of a service, as the agent of its host reaches it.
package struct Instance: Hashable, Sendable {
    /// The largest weight.
    package static let weightMax = 65_535

    /// The service this is a copy of.
    package var service: ServiceName
    /// The agent of its host.
    package var agent: AgentName
    /// Tells the instances of a service on one agent apart.
    package var name: InstanceName
    /// Where the agent reaches it; the host's own loopback unless its writer had the right to more.
    package var address: IPAddress
    /// The port there.
    package var port: UInt16
    /// Its share among the service's instances; 0 takes no new connections.
    package var weight: Int

    package init(
        service: ServiceName,
        agent: AgentName,
        name: InstanceName,
        address: IPAddress = .loopback,
        port: UInt16,
        weight: Int = 1
    ) {
        self.service = service
        self.agent = agent
        self.name = name
        self.address = address
        self.port = port
        self.weight = weight
    }

    /// Checks ranges and the address; `allowsOutside` tells whether the writer holds the right to
    /// name one that is not the host's own loopback.
    package func validate(allowsOutside: Bool) throws(InvalidField) {
        guard port != 0 else { throw InvalidField("port", .outOfRange(least: 1, most: 65_535)) }
        guard (0...Self.weightMax).contains(weight) else {
            throw InvalidField("weight", .outOfRange(least: 0, most: Self.weightMax))
        }
        guard address.isLoopback || allowsOutside else {
            throw InvalidField("address", .wrong("must lie in 127.0.0.0/8 or be ::1"))
        }
    }
}

/// The name of an instance among its service's on one agent.
package struct InstanceName: LabelName {
    /// The text as it is written.
    package let text: String

    /// Refuses what is no DNS label.
    package init(_ text: String) throws(NameError) {
        try DNSLabel.check(text)
        self.text = text
    }

    private init(trusted text: String) { self.text = text }

    /// The name where none is given: `port-` and the number.
    package static func ofPort(_ port: UInt16) -> InstanceName {
        InstanceName(trusted: "port-\(port)")
    }
}

/// A loopback port of an agent, through which local users reach a destination as a source.
package struct Upstream: Hashable, Sendable {
    /// The most uids of one port.
    package static let usersMax = 64

    /// Whom the port serves; nobody unless somebody is named.
    package enum Users: Hashable, Sendable {
        /// Written out as `any`; `status` shows it.
        case any
        /// Ascending and unique; empty is nobody.
        case only([UInt32])

        /// Whether the local user may use the port.
        package func allows(uid: UInt32) -> Bool {
            switch self {
            case .any: true
            case .only(let users): users.contains(uid)
            }
        }
    }

    /// The host whose loopback port it is.
    package var agent: AgentName
    /// The service in whose name local users connect.
    package var source: ServiceName
    /// The service that is reached.
    package var destination: ServiceName
    /// The loopback port.
    package var port: UInt16
    /// Whom the port serves.
    package var users: Users
    /// How its connections are shared out and limited.
    package var traffic: UpstreamTraffic
    /// What is leased for its programs, where it speaks PostgreSQL; nil for bytes as they are.
    ///
    /// Only shown to agents that know `Feature.postgres`.
    package var postgres: PostgresAccess?

    package init(
        agent: AgentName,
        source: ServiceName,
        destination: ServiceName,
        port: UInt16,
        users: Users = .only([]),
        traffic: UpstreamTraffic = .standard,
        postgres: PostgresAccess? = nil
    ) {
        self.agent = agent
        self.source = source
        self.destination = destination
        self.port = port
        self.users = users
        self.traffic = traffic
        self.postgres = postgres
    }

    /// Checks lengths, ranges and that the parts fit each other; the error names the field.
    package func validate() throws(InvalidField) {
        guard port != 0 else { throw InvalidField("port", .outOfRange(least: 1, most: 65_535)) }
        try traffic.validate()
        guard case .only(let users) = users else { return }
        guard users.count <= Self.usersMax else {
            throw InvalidField("uids", .tooMany(limit: Self.usersMax))
        }
        guard Set(users).count == users.count else { throw InvalidField("uids", .duplicate) }
        // The kernel's own "no user": an unmapped owner must never count as allowed.
        guard !users.contains(.max), !users.contains(65_534) else {
            throw InvalidField(
                "uids",
                .wrong("must not hold 65534 or 4294967295, which are nobody")
            )
        }
    }
}
