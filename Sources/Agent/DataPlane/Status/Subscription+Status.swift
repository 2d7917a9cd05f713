import Mesh
import Observability
import Snapshot
import Wire

extension Subscription {
    /// The state as it is now.
    package func status() async -> AgentStatus {
        let dataPlane = await dataPlane.status()
        let now = settings.now()
        var status = AgentStatus(
            software: settings.software,
            agent: enrolment.agent,
            trustDomain: enrolment.trustDomain,
            trustVersion: trust.document.version
        )
        status.mark = snapshot?.mark
        status.manifestExpires = snapshot?.expires
        status.isManifestExpired = snapshot.map { $0.expires <= now } ?? false
        status.denials = (snapshot?.denials ?? []).map { denial in
            "\(denial.replaced.rawValue) \(denial.name): \(denial.reason)"
        }
        status.servers = servers
        status.connectedServer = connectedServer
        status.linkProblem = linkProblem
        status.lastContact = lastContact
        status.lastRefusal = lastRefusal
        if let own = renewals.schedule(of: .agent), own.zone(at: now) == .expired {
            status.advice = expiredAdvice
        }
        status.certificates = certificates(at: now)
        status.spooledBytes = spool.byteCount
        status.spooledBatches = spool.batchCount
        status.droppedDecisions = spool.droppedCount
        status.dataPlane = dataPlane
        status.health = healthFindings
        return status
    }

    /// Whether the agent enforces a snapshot and holds every certificate that it needs.
    package var isReady: Bool {
        guard isEnforced, !isStopping else { return false }
        let now = settings.now()
        return renewals.subjects.allSatisfy { subject in
            guard subject != .agent else { return true }
            return renewals.schedule(of: subject).map { $0.zone(at: now) != .expired } ?? false
        }
    }

    /// Tells the server at once, and again after the usual time.
    func reportStatus() {
        ticksToStatus = SubscriptionLimits.statusInterval.wholeTicks
        guard connection != nil else { return }
        Task {
            let status = await self.status()
            self.send(.status(status.document))
        }
    }

    /// The rest of every certificate's life as metrics.
    func countCertificates() {
        let now = settings.now()
        for subject in renewals.subjects {
            let schedule = renewals.schedule(of: subject)
            let budget = schedule?.budget(at: now) ?? .zero
            metrics.setBudget(budget.components.seconds, of: subject)
            guard let schedule else { continue }
            metrics.setLifeUsed(schedule.share(at: now), of: subject)
            let zone = schedule.zone(at: now)
            guard zones.updateValue(zone, forKey: subject) != zone, zone != .fresh else { continue }
            logger.error(
                "a certificate nears its end and is not renewed",
                ["subject": .describing(subject), "zone": .text(zone.rawValue)]
            )
        }
    }

    private func certificates(at now: Timestamp) -> [AgentStatus.Certificate] {
        renewals.subjects.sorted { $0.description < $1.description }.map { subject in
            let schedule = renewals.schedule(of: subject)
            return AgentStatus.Certificate(
                subject: subject.description,
                notAfter: schedule?.notAfter,
                budget: schedule?.budget(at: now) ?? .zero,
                state: schedule?.zone(at: now).rawValue ?? "missing"
            )
        }
    }
}
