import Crypto
package import Mesh
package import Wire

/// What one agent enforces: immutable, and made of verified bytes only.
///
/// Whatever a section lacks is denied: a hosted service without inbound rules lets nobody in, an
/// upstream without endpoints reaches nothing.
package struct ValidatedSnapshot: Sendable {
    /// A service that this agent answers for.
    package struct Hosted: Sendable {
        /// The service.
        package let service: ServiceName
        /// Its instances on this host.
        package let instances: [Instance]
        /// How they are probed.
        package let healthCheck: HealthCheck
        /// Where the agent connects outward for it, in place of instances.
        package let external: ExternalTarget?
        /// Who may reach it.
        package let inbound: Inbound
    }

    /// The inbound side of a hosted service.
    package enum Inbound: Sendable {
        case enforced(
            InboundPolicy,
            applicationProtocol: Service.ApplicationProtocol,
            leafLifetime: Duration
        )
        /// Nobody may, and why: the server replaced the section, or named none.
        case denied(String)
    }

    /// An upstream port with where it leads.
    package struct Route: Sendable {
        /// The port and whom it serves.
        package let upstream: Upstream
        /// The name to ask for and to insist on.
        package let destination: MeshName
        /// Where the destination can be reached; empty where it cannot.
        package let endpoints: [Endpoint]
        /// Who may reach the destination, where this agent decides it: for a port that speaks
        /// PostgreSQL, whose destination no other agent answers for.
        package let inbound: Inbound?
    }

    /// The manifest as it was verified and signed.
    package let manifest: VerifiedManifest
    /// Hosted services by the exact name that a client asks for.
    package let hostedByMeshName: [String: Hosted]
    /// Upstream ports of this agent.
    package let routesByPort: [UInt16: Route]
    /// Why the server denied a section of this agent, by kind and name.
    package let denials: [DeniedSection]
    /// Certificates that count no longer, of others and of our own.
    package let revocations: Revocations
    /// What it was made of, for the next snapshot, which mostly names the same.
    let sections: [SHA256Digest: VerifiedSection]

    init(manifest: VerifiedManifest, sections: [VerifiedSection]) {
        self.manifest = manifest
        self.sections = Dictionary(sections.map { ($0.hash, $0) }) { first, _ in first }
        let trustDomain = manifest.manifest.trustDomain
        let agent = manifest.manifest.agent
        var inbound: [ServiceName: Inbound] = [:]
        var endpoints: [ServiceName: [Endpoint]] = [:]
        var hosted: [HostedService] = []
        var upstreams: [Upstream] = []
        var denials: [DeniedSection] = []
        var revocations = Revocations.none
        for section in sections {
            switch section.content {
            case .inbound(let section):
                inbound[section.service] = .enforced(
                    InboundPolicy(
                        destination: section.service,
                        trustDomain: trustDomain,
                        rules: section.rules
                    ),
                    applicationProtocol: section.applicationProtocol,
                    leafLifetime: section.leafLifetime
                )
            case .endpoints(let section): endpoints[section.service] = section.endpoints
            case .hosted(let section) where section.agent == agent: hosted = section.services
            case .upstreams(let section) where section.agent == agent:
                upstreams = section.upstreams
            case .hosted, .upstreams: break
            case .revocations(let section): revocations = Revocations(section)
            case .denied(let section): denials.append(section)
            }
        }
        for denial in denials {
            if denial.replaced == .revocations { revocations = .unknown }
            guard let service = try? ServiceName(denial.name) else { continue }
            switch denial.replaced {
            case .inbound: inbound[service] = .denied(denial.reason)
            case .endpoints: endpoints[service] = []
            case .hosted, .upstreams, .revocations, .denied: break
            }
        }
        self.revocations = revocations
        self.denials = denials
        hostedByMeshName = Dictionary(
            hosted.map { entry in
                (
                    meshName(entry.service, in: trustDomain),
                    Hosted(
                        service: entry.service,
                        instances: entry.instances,
                        healthCheck: entry.healthCheck,
                        external: entry.external,
                        inbound: inbound[entry.service] ?? .denied("no inbound section")
                    )
                )
            }
        ) { first, _ in first }
        routesByPort = Dictionary(
            upstreams.map { upstream in
                (
                    upstream.port,
                    Route(
                        upstream: upstream,
                        destination: MeshName(
                            service: upstream.destination,
                            trustDomain: trustDomain
                        ),
                        endpoints: endpoints[upstream.destination] ?? [],
                        inbound: upstream.postgres.map { _ in
                            inbound[upstream.destination] ?? .denied("no inbound section")
                        }
                    )
                )
            }
        ) { first, _ in first }
    }

    /// What to remember once this is enforced.
    package var mark: SnapshotMark { manifest.mark }
    /// The revision that decisions carry.
    package var revision: UInt64 { manifest.manifest.revision }
    /// The trust domain of all its services.
    package var trustDomain: TrustDomain { manifest.manifest.trustDomain }
    /// Until before when it admits what outlives its leaf.
    package var expires: Timestamp { manifest.manifest.expires }

    /// Hosted services and the sources of upstream ports: all need a certificate here.
    package var servicesWithLeaf: Set<ServiceName> {
        Set(hostedByMeshName.values.map(\.service))
            .union(routesByPort.values.map(\.upstream.source))
    }

    /// Decides a connection or request that asks for `name`, an SNI as it was received.
    package func decide(
        name: String?,
        source: SourceIdentity,
        question: AccessQuestion,
        now: Timestamp
    ) -> Ruling {
        guard let name, let hosted = hostedByMeshName[name] else { return .refused(.unknownSNI) }
        return hosted.inbound.decide(source: source, question: question, now: now)
    }

    /// Decides a session of a local program at a port that speaks PostgreSQL.
    package func decide(programAt port: UInt16, now: Timestamp) -> Ruling {
        guard let route = routesByPort[port], let inbound = route.inbound else {
            return .refused(.noSuchService)
        }
        return inbound.decide(
            source: SourceIdentity(trustDomain: trustDomain, service: route.upstream.source),
            question: .connection(requestsAreJudged: false),
            now: now
        )
    }

    /// The next moment at which time alone may change a decision.
    package func nextTransition(after now: Timestamp) -> Timestamp? {
        let inbound = hostedByMeshName.values.map(\.inbound)
        return (inbound + routesByPort.values.compactMap(\.inbound)).compactMap { side in
            guard case .enforced(let policy, _, _) = side else { return nil }
            return policy.nextTransition(after: now)
        }.min()
    }
}

extension ValidatedSnapshot.Inbound {
    fileprivate func decide(
        source: SourceIdentity,
        question: AccessQuestion,
        now: Timestamp
    ) -> Ruling {
        switch self {
        case .enforced(let policy, _, _):
            policy.decide(source: source, question: question, now: now)
        case .denied: .refused(.serviceDisabled)
        }
    }
}

extension ValidatedSnapshot: Equatable {
    /// Two snapshots of one manifest are the same: the hash covers every section.
    package static func == (left: ValidatedSnapshot, right: ValidatedSnapshot) -> Bool {
        left.manifest == right.manifest
    }
}
