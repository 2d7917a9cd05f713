import Mesh
import Snapshot
import Wire

/// What this replica knows about an agent that asks for a lease.
struct LeaseRight: Sendable {
    let upstream: Upstream
    /// Whether an intention lets the port's source reach its destination now.
    let ruling: Ruling
    let revision: Int64
}

extension Distribution {
    /// What the rules say about the ports of an agent that lease from a profile: the one with a
    /// number, or all.
    ///
    /// Only of services that are placed on the agent; one that is allowed comes first.
    func leaseRights(
        of agent: AgentName,
        profile: ProfileName,
        port: UInt16?
    ) throws(ControlError) -> [LeaseRight] {
        guard let revision, haltReason == nil else {
            throw .unavailable(
                Complaint("not_ready", "this server does not publish its configuration now")
            )
        }
        guard features[agent]?.contains(.postgres) == true else {
            throw .conflict(
                Complaint("lease.no_feature", "the agent has not said that it speaks PostgreSQL")
            )
        }
        let now = control.now()
        let ports = compiler.configuration.upstreams(of: agent).filter {
            $0.postgres?.profile == profile && port == nil || $0.port == port
        }
        return ports.filter { $0.postgres?.profile == profile }.map { upstream in
            let policy = InboundPolicy(
                destination: upstream.destination,
                trustDomain: control.trustDomain,
                rules: compiler.configuration.rules(about: upstream.destination)
            )
            return LeaseRight(
                upstream: upstream,
                ruling: policy.decide(
                    source: SourceIdentity(
                        trustDomain: control.trustDomain,
                        service: upstream.source
                    ),
                    question: .connection(requestsAreJudged: false),
                    now: now
                ),
                revision: revision
            )
        }.sorted { $0.ruling.isAllowed && !$1.ruling.isAllowed }
    }
}
