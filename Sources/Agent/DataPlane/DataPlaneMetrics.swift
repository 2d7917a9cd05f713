import Mesh
import Observability

/// The counters of the data path, looked up once; any thread may count.
struct DataPlaneMetrics: Sendable {
    let openInbound: Gauge
    let openOutbound: Gauge
    let inbound: Counter
    let outbound: Counter
    let bytesSent: Counter
    let bytesReceived: Counter
    let handshakeFailures: Counter
    let verifiedLeafHits: Counter
    let cuts: Counter
    let retries: Counter
    let ejections: Counter
    let acceptFailures: Counter
    private let refusals: [DecisionReason: Counter]

    init(_ registry: MetricRegistry) {
        openInbound = registry.gauge(MetricNames.agentConnectionsOpen, labels: ["inbound"])
        openOutbound = registry.gauge(MetricNames.agentConnectionsOpen, labels: ["outbound"])
        inbound = registry.counter(MetricNames.agentConnections, labels: ["inbound"])
        outbound = registry.counter(MetricNames.agentConnections, labels: ["outbound"])
        bytesSent = registry.counter(MetricNames.agentRelayedBytes, labels: ["to_destination"])
        bytesReceived = registry.counter(MetricNames.agentRelayedBytes, labels: ["to_source"])
        handshakeFailures = registry.counter(MetricNames.agentHandshakeFailures)
        verifiedLeafHits = registry.counter(MetricNames.agentVerifiedLeafHits)
        cuts = registry.counter(MetricNames.agentConnectionsCut)
        retries = registry.counter(MetricNames.agentConnectRetries)
        ejections = registry.counter(MetricNames.agentEjections)
        acceptFailures = registry.counter(MetricNames.agentAcceptFailures)
        var refusals: [DecisionReason: Counter] = [:]
        for reason in DecisionReason.allCases {
            refusals[reason] = registry.counter(
                MetricNames.agentRefusals,
                labels: [reason.rawValue]
            )
        }
        self.refusals = refusals
    }

    func countRefusal(_ reason: DecisionReason) {
        refusals[reason]?.increment()
    }
}
