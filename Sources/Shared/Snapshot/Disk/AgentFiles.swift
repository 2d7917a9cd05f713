package import Mesh
package import Wire

/// Where everything lies in the data directory of an agent, whoever prepares it.
package enum AgentFiles {
    /// The agent's private key, PKCS#8 PEM.
    package static let key = "agent.key"
    /// The agent's certificate chain, PEM.
    package static let certificate = "agent.pem"
    /// Who the agent is and which servers it knows (`AgentEnrolment`).
    package static let enrolment = "enrolment.json"
    /// The directory of manifest, mark and sections (`SnapshotFiles`).
    package static let snapshot = "snapshot"
    /// The directory of the certificates and keys of services.
    package static let leaves = "leaves"
    /// The directory of decisions and flows that no server has acknowledged.
    package static let evidence = "evidence"

    /// Chain and key of a service, in one file so that both change at once.
    package static func leaf(of service: ServiceName) -> String {
        "\(leaves)/\(service.namespace.text).\(service.name.text).pem"
    }
}

/// Who an enrolled agent is, as its data directory says.
package struct AgentEnrolment: Equatable, Sendable {
    /// Its name.
    package var agent: AgentName
    /// Where it belongs.
    package var trustDomain: TrustDomain
    /// `host:port` of the servers' agent ports, as enrolment named them; empty for offline use.
    package var servers: [String]

    package init(agent: AgentName, trustDomain: TrustDomain, servers: [String]) {
        self.agent = agent
        self.trustDomain = trustDomain
        self.servers = servers
    }

    /// The one spelling on disk.
    package var encoded: [UInt8] {
        JSON.canonical(
            .fields([
                "agent": .string(agent.text),
                "trust_domain": .string(trustDomain.text),
                "servers": .list(servers),
            ])
        )
    }

    /// Reads what `encoded` wrote; throws which field is wrong.
    package init(_ document: Document) throws(FieldError) {
        self = try FieldReader.read(document) { reader throws(FieldError) in
            AgentEnrolment(
                agent: try reader.required("agent").label(),
                trustDomain: try reader.required("trust_domain").trustDomain(),
                servers: try reader.list("servers", limit: JoinToken.serversMax) {
                    server throws(FieldError) in
                    try server.string(bytes: 1...JoinToken.serverMaxBytes)
                }
            )
        }
    }
}
