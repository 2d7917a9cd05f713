import Crypto
import Ledger
import Mesh
import Observability
import Postgres
import Snapshot
import Store
import Wire

extension Distribution {
    /// Brings configuration and connected agents to the database's revision.
    func catchUp() async throws(ControlError) {
        guard haltReason == nil else { return }
        let before = revision
        let loader = ConfigurationLoader(control: control)
        do throws(ControlError) {
            if let revision {
                if let update = try await loader.update(after: revision) {
                    try await take(update)
                }
            } else {
                try await take(try await loader.load())
            }
        } catch {
            guard case .gone(let complaint) = error else { throw error }
            return await halt(complaint.text)
        }
        unpublished.formUnion(published.filter { isHalfOver($0.value.manifest) }.keys)
        try await publish()
        guard let revision, revision != before else { return }
        control.metrics.gauge(MetricNames.publishedRevision).set(revision)
        let server = control.serverName.text
        try await control.write { database in
            try await AgentStateRepository.published(revision, by: server, in: database)
        }
    }

    private func take(_ update: ConfigurationLoader.Update) async throws(ControlError) {
        if update.hasNewTrust || trust.isEmpty {
            let chain = try await services.trustChain()
            let held = trust.last?.document.version ?? 0
            trust = chain
            for anchor in chain where anchor.document.version > held {
                for session in sessions.values { await session.trustChanged(anchor) }
            }
            unpublished.formUnion(sessions.keys)
        }
        switch update.content {
        case .whole(let configuration):
            compiler.replace(configuration)
            unpublished.formUnion(sessions.keys)
        case .entries(let entries): unpublished.formUnion(compiler.apply(entries))
        }
        revision = update.revision
        // Whoever lost its enrolment loses its stream.
        for agent in update.agents { await sessions[agent]?.checkIdentity() }
    }

    private func isHalfOver(_ manifest: Manifest) -> Bool {
        let life = manifest.expires.duration(since: manifest.issued)
        return control.now().duration(since: manifest.issued) >= life / 2
    }

    /// Signs, stores and shows what the waiting agents need.
    private func publish() async throws(ControlError) {
        unpublished.formIntersection(sessions.keys)
        defer { reportFaults() }
        while !unpublished.isEmpty {
            let batch = unpublished.sorted().prefix(Self.manifestsPerTransactionMax)
            let missing = batch.filter { published[$0] == nil }
            let heads = try await control.audit.heads()
            let stored = try await control.read { database in
                try await PublicationRepository.manifests(of: Array(missing), in: database)
            }
            let key = try await services.snapshotKey()
            guard let revision, let trust = trust.last else { return }
            let plan = ManifestPlan(
                trustDomain: control.trustDomain,
                trust: trust,
                revision: UInt64(clamping: revision),
                auditHeads: heads.map {
                    .init(writer: $0.writer, sequence: $0.sequence, hash: $0.hash)
                },
                now: control.now()
            )
            var work = Work(plan: plan, key: key)
            for agent in batch {
                prepare(agent, stored.first { $0.agent == agent }, &work)
            }
            try await store(work)
            unpublished.subtract(batch)
            for snapshot in work.shown {
                published[snapshot.manifest.agent] = snapshot
                await sessions[snapshot.manifest.agent]?.published(snapshot.publication)
            }
            try await supersede(work.conflicting)
        }
        countLagging()
    }

    /// What one round signs.
    struct Work {
        let plan: ManifestPlan
        let key: SigningKey
        /// To be stored.
        var signed: [PublishedSnapshot] = []
        /// To be shown: what was signed, and what was stored earlier and still holds.
        var shown: [PublishedSnapshot] = []
        var conflicting: [AgentName] = []
    }

    private func prepare(
        _ agent: AgentName,
        _ row: PublishedManifest?,
        _ work: inout Work
    ) {
        guard let sections = compiler.sections(of: agent) else { return }
        let stored = row.flatMap(StoredManifest.init)
        let previous =
            published[agent].map { (manifest: $0.manifest, envelope: $0.envelope) }
            ?? stored.map { (manifest: $0.manifest, envelope: $0.envelope) }
        let outcome = work.plan.next(
            for: agent,
            after: previous.map { ($0.manifest, $0.envelope.payloadHash) },
            floor: floors[agent],
            sections: sections,
            lifetime: compiler.configuration.manifestLifetime(of: agent)
        )
        switch outcome {
        case .keep:
            guard published[agent] == nil, let previous,
                let snapshot = PublishedSnapshot(
                    manifest: previous.manifest,
                    envelope: previous.envelope,
                    sections: sections
                )
            else { return }
            work.shown.append(snapshot)
        case .sign(let manifest):
            guard let envelope = try? manifest.signed(by: work.key),
                let snapshot = PublishedSnapshot(
                    manifest: manifest,
                    envelope: envelope,
                    sections: sections
                )
            else {
                return control.logger.error(
                    "a manifest could not be signed",
                    ["agent": .text(agent.text)]
                )
            }
            work.signed.append(snapshot)
            work.shown.append(snapshot)
        case .supersede: work.conflicting.append(agent)
        }
    }

    /// Nothing is shown that is not stored.
    private func store(_ work: Work) async throws(ControlError) {
        guard !work.signed.isEmpty else { return }
        var rows: [SHA256Digest: PublishedSection] = [:]
        for section in work.signed.flatMap(\.publication.sections)
        where !storedSections.contains(section.reference.hash) {
            rows[section.reference.hash] = section.row
        }
        let sections = Array(rows.values)
        let manifests = work.signed.map { PublicationRepository.put($0.row) }
        try await control.write { database in
            try await PublicationRepository.store(sections, in: database)
            _ = try await database.batch(manifests)
        }
        storedSections.formUnion(rows.keys)
        control.metrics.counter(MetricNames.snapshotsSigned).increment(by: work.signed.count)
    }

    /// Gives agents whose sections changed without a revision one of their own.
    private func supersede(_ agents: [AgentName]) async throws(ControlError) {
        let news = agents.filter { !superseded.contains($0) }
        for agent in agents where superseded.contains(agent) {
            control.logger.error(
                "an agent's sections differ again at one revision; it keeps what it has",
                ["agent": .text(agent.text)]
            )
        }
        guard !news.isEmpty else { return }
        superseded.formUnion(news)
        try await control.change(
            control.server,
            action: "snapshot.supersede",
            resource: "agents"
        ) { change in
            for agent in news { change.record(.agent, key: agent.text, .update) }
        }
        wake()
    }

    private func reportFaults() {
        for fault in compiler.takeFaults() {
            control.metrics.counter(
                MetricNames.sectionFaults,
                labels: [fault.kind.rawValue]
            ).increment()
            control.logger.error(
                "a part of the configuration cannot be enforced and is denied",
                [
                    "kind": .text(fault.kind.rawValue), "name": .text(fault.name),
                    "reason": .text(fault.reason),
                ]
            )
            let resource = "sections/\(fault.kind.rawValue)/\(fault.name)"
            Task {
                _ = try? await control.act(
                    control.server,
                    action: "snapshot.deny",
                    resource: resource
                ) { act in
                    act.conclude(outcome: "alarm", reason: "unenforceable")
                    act.describe(.fields(["reason": .string(fault.reason)]))
                }
            }
        }
    }

    /// Stops publishing for good: what this database says is older than what agents enforce.
    func halt(_ reason: String) async {
        guard haltReason == nil else { return }
        haltReason = reason
        control.metrics.gauge(MetricNames.publishingHalted).set(1)
        control.logger.error("publishing is halted", ["reason": .text(reason)])
        _ = try? await control.act(
            control.server,
            action: "snapshot.halt",
            resource: "snapshots"
        ) { act in
            act.conclude(outcome: "alarm", reason: "database_behind")
            act.describe(.fields(["reason": .string(reason)]))
        }
    }
}
