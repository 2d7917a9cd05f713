package import Mesh
import Wire

/// What the other hosts of an agent's destinations weigh now, where it is not what the snapshot
/// says; it replaces what was said before.
///
/// It is not signed and need not be: it can only shift connections among the endpoints that signed
/// sections name.
package struct HealthNotice: Equatable, Sendable {
    /// The most services, and hosts of one service, in a notice.
    package static let entriesMax = 2_000

    /// By destination and agent; 0 is a host on which no instance is in order.
    package var weights: [ServiceName: [AgentName: Int]]

    package init(weights: [ServiceName: [AgentName: Int]]) { self.weights = weights }

    var document: Document {
        let services = weights.sorted { $0.key < $1.key }.prefix(Self.entriesMax)
        return .fields([
            "services": .list(
                services.map { service, agents in
                    let hosts = agents.sorted { $0.key < $1.key }.prefix(Self.entriesMax)
                    return .fields([
                        "service": .string(service.description),
                        "endpoints": .list(
                            hosts.map { agent, weight in
                                .fields(["agent": .string(agent.text), "weight": .number(weight)])
                            }
                        ),
                    ])
                }
            )
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        let services = try reader.maps("services", limit: Self.entriesMax) {
            entry throws(FieldError) in
            let service = try entry.required("service").serviceName()
            let hosts = try entry.maps("endpoints", limit: Self.entriesMax) {
                host throws(FieldError) in
                let agent: AgentName = try host.required("agent").label()
                return (agent, try host.int("weight", in: 0...Instance.weightMax))
            }
            return (service, Dictionary(hosts) { first, _ in first })
        }
        self.init(weights: Dictionary(services) { first, _ in first })
    }
}
