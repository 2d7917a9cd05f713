import Mesh
import Observability

/// The metrics of the control side, looked up once.
struct SubscriptionMetrics: Sendable {
    let isConnected: Gauge
    let connectFailures: Counter
    let revision: Gauge
    let refusals: Counter
    let renewals: Counter
    let renewalFailures: Counter
    let spooledBytes: Gauge
    let droppedDecisions: Gauge
    let registry: MetricRegistry

    init(_ registry: MetricRegistry) {
        isConnected = registry.gauge(MetricNames.agentConnected)
        connectFailures = registry.counter(MetricNames.agentConnectFailures)
        revision = registry.gauge(MetricNames.agentRevision)
        refusals = registry.counter(MetricNames.agentSnapshotRefusals)
        renewals = registry.counter(MetricNames.agentRenewals)
        renewalFailures = registry.counter(MetricNames.agentRenewalFailures)
        spooledBytes = registry.gauge(MetricNames.agentSpooledBytes)
        droppedDecisions = registry.gauge(MetricNames.agentDroppedDecisions)
        self.registry = registry
    }

    /// How long a certificate still lives, in seconds.
    func setBudget(_ seconds: Int64, of subject: CertificateSubject) {
        registry.gauge(MetricNames.agentCertificateBudget, labels: [subject.description])
            .set(seconds)
    }

    /// How much of a certificate's life is over, from 0 to 1 and beyond.
    func setLifeUsed(_ share: Double, of subject: CertificateSubject) {
        registry.gauge(MetricNames.agentCertificateLifeUsed, labels: [subject.description])
            .set(Int64(min(max(share, 0), 10) * 100))
    }

    /// How many instances of this host are in which state.
    func setInstances(_ findings: [HealthMachine.Finding]) {
        for state in [HealthMachine.State.unknown, .up, .down] {
            registry.gauge(MetricNames.agentInstances, labels: [state.rawValue])
                .set(Int64(findings.count { $0.state == state }))
        }
    }

    func countHealthChange(to state: HealthMachine.State) {
        registry.counter(MetricNames.agentHealthChanges, labels: [state.rawValue]).increment()
    }

    func forget(_ subject: CertificateSubject) {
        registry.remove(MetricNames.agentCertificateBudget, labels: [subject.description])
        registry.remove(MetricNames.agentCertificateLifeUsed, labels: [subject.description])
    }
}
