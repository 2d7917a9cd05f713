import Mesh
import Observability
import Snapshot
import Wire

// The control side probes the instances of this host, tells the servers, and hears from them about
// the instances of others.
extension Subscription {
    /// Probes what a snapshot names.
    func probe(_ snapshot: ValidatedSnapshot) {
        guard !isStopping else { return }
        let subjects = snapshot.hostedByMeshName.values.flatMap { hosted in
            outsideSubjects(of: hosted)
                + hosted.instances.map { instance in
                    HealthMachine.Subject(
                        key: InstanceKey(service: hosted.service, name: instance.name),
                        address: instance.address,
                        port: instance.port,
                        check: hosted.healthCheck
                    )
                }
        }
        let prober = prober ?? makeProber()
        self.prober = prober
        prober.configure(subjects)
        metrics.setInstances(prober.machine.findings)
        followLocalHealth()
    }

    /// The addresses of an external target, each probed as an instance is.
    private func outsideSubjects(of hosted: ValidatedSnapshot.Hosted) -> [HealthMachine.Subject] {
        guard let target = hosted.external else { return [] }
        return (outsideAddresses.admitted(target) ?? []).map { address in
            HealthMachine.Subject(
                key: InstanceKey(outside: address, of: hosted.service),
                address: address,
                port: target.port,
                check: hosted.healthCheck
            )
        }
    }

    private func makeProber() -> HealthProber {
        HealthProber(
            reactor: reactor,
            now: settings.now,
            jitter: settings.jitter
        ) { [weak self] finding in
            self?.assumeIsolated { $0.changed(finding) }
        }
    }

    private func changed(_ finding: HealthMachine.Finding) {
        logger.log(
            finding.state == .down ? .warning : .info,
            finding.state == .down ? "an instance is down" : "an instance is up",
            [
                "service": .text(finding.key.service.description),
                "instance": .text(finding.key.name.text), "problem": .text(finding.problem),
            ]
        )
        metrics.countHealthChange(to: finding.state)
        if let prober { metrics.setInstances(prober.machine.findings) }
        followLocalHealth()
        reportStatus()
    }

    private func followLocalHealth() {
        guard let down = prober?.machine.down, down != health.downInstances else { return }
        health.downInstances = down
        Task { await self.dataPlane.apply(self.health) }
    }

    /// A server says how the hosts of this agent's destinations are.
    func took(_ notice: HealthNotice) async {
        ticksWithoutServer = 0
        guard health.weights != notice.weights else { return }
        health.weights = notice.weights
        await dataPlane.apply(health)
    }

    /// Without a server nobody says when a host is in order again, so after a while all are.
    func forgetStaleHealth() {
        ticksWithoutServer = connection == nil ? ticksWithoutServer + 1 : 0
        guard !health.weights.isEmpty,
            ticksWithoutServer >= SubscriptionLimits.healthLifetime.wholeTicks
        else { return }
        health.weights = [:]
        Task { await self.dataPlane.apply(self.health) }
    }

    /// The findings that a status names: those that are down first.
    var healthFindings: [HealthMachine.Finding] {
        let findings = prober?.machine.findings ?? []
        guard findings.count > SubscriptionLimits.findingsMax else { return findings }
        let down = findings.filter { $0.state == .down }
        let others = findings.filter { $0.state != .down }
        return Array((down + others).prefix(SubscriptionLimits.findingsMax))
    }
}
