import Crypto
import Reactor
package import Mesh
package import Snapshot
package import Wire

/// What an agent says about itself: to its servers, on the status endpoint and to people.
///
/// Holds no secret: names, dates, ports and numbers only.
package struct AgentStatus: Sendable {
    /// A certificate and how long it still lives.
    package struct Certificate: Equatable, Sendable {
        /// The service, or `agent` for the agent's own.
        package var subject: String
        /// The last second; nil while there is none.
        package var notAfter: Timestamp?
        /// What is left of it: the outage that new connections survive.
        package var budget: Duration
        /// `missing`, or the zone of its life.
        package var state: String
    }

    package var software: String
    package var agent: AgentName
    package var trustDomain: TrustDomain
    package var trustVersion: UInt64
    package var mark: SnapshotMark?
    package var manifestExpires: Timestamp?
    package var isManifestExpired = false
    package var denials: [String] = []
    package var servers: [String] = []
    package var connectedServer: String?
    package var linkProblem: String?
    package var lastContact: Timestamp?
    package var lastRefusal: (reason: String, at: Timestamp)?
    package var advice: String?
    package var certificates: [Certificate] = []
    package var spooledBytes = 0
    package var spooledBatches = 0
    package var droppedDecisions: UInt64 = 0
    package var dataPlane: DataPlaneStatus?
    /// Hosted instances as their probes find them.
    package var health: [HealthMachine.Finding] = []

    /// The least budget of all service certificates; zero while one is missing.
    package var budget: Duration? {
        certificates.filter { $0.subject != "agent" }.map(\.budget).min()
    }

    /// The document of `/status` and of status frames.
    package var document: Document {
        .fields([
            "software": .string(software),
            "agent": .string(agent.text),
            "trust_domain": .string(trustDomain.text),
            "trust_version": .number(trustVersion),
            "epoch": mark.map { .number($0.epoch) },
            "revision": mark.map { .number($0.revision) },
            "manifest": mark.map { .string($0.manifestHash.hex) },
            "manifest_expires": manifestExpires.map { .timestamp($0) },
            "manifest_expired": .bool(isManifestExpired),
            "denied_sections": .list(denials),
            "servers": .list(servers),
            "connected_server": connectedServer.map { .string($0) },
            "last_contact": lastContact.map { .timestamp($0) },
            "connection_problem": linkProblem.map { .string($0) },
            "last_refusal": lastRefusal.map { refusal in
                .fields(["reason": .string(refusal.reason), "at": .timestamp(refusal.at)])
            },
            "advice": advice.map { .string($0) },
            "budget_seconds": budget.map { .number($0.components.seconds) },
            "certificates": .list(certificates.map(\.document)),
            "mesh_address": dataPlane?.meshAddress.map { .string($0.description) },
            "connections": dataPlane.map { .number($0.connectionCount) },
            "upstreams": dataPlane.map { .list($0.upstreams.map(\.document)) },
            "ejected": dataPlane.map { .number($0.ejectedCount) },
            "health": health.isEmpty ? nil : .list(health.map(\.document)),
            "evidence": .fields([
                "spooled_bytes": .number(spooledBytes),
                "spooled_batches": .number(spooledBatches),
                "dropped_decisions": .number(droppedDecisions),
            ]),
        ])
    }
}

extension AgentStatus.Certificate {
    var document: Document {
        .fields([
            "subject": .string(subject),
            "not_after": notAfter.map { .timestamp($0) },
            "budget_seconds": .number(budget.components.seconds),
            "state": .string(state),
        ])
    }
}

extension HealthMachine.Finding {
    /// As `/status` shows it and as servers read it.
    var document: Document {
        .fields([
            "service": .string(key.service.description),
            "instance": .string(key.name.text),
            "state": .string(state.rawValue),
            "since": .timestamp(since),
            "problem": problem.isEmpty ? nil : .string(problem),
        ])
    }
}

extension DataPlaneStatus.Upstream {
    var document: Document {
        let users: Document =
            switch declared.users {
            case .any: .string("any")
            case .only(let users): .list(users.map { .number($0) })
            }
        return .fields([
            "port": .number(declared.port),
            "source": .string(declared.source.description),
            "destination": .string(declared.destination.description),
            "uids": users,
            "connections": .number(openCount),
            "pending": .number(pendingCount),
            "balance": .string(declared.traffic.balance.rawValue),
            "connections_max": declared.traffic.connectionsMax.map { .number($0) },
            "pending_max": declared.traffic.pendingMax.map { .number($0) },
            "problem": failure.map { .string("\($0)") },
        ])
    }
}
