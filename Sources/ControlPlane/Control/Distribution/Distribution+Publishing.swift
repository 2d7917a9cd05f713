import Crypto
import Ledger
import Mesh
import Observability
import Postgres
import Reactor
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
        let now = control.now()
        for (agent, snapshot) in published where Self.isHalfOver(snapshot.manifest, now) {
            unpublished.insert(agent)
        }
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
        // Weights are of the configuration.
        if !downWeights.isEmpty { isHealthStale = true }
        // Whoever lost its enrolment loses its stream.
        for agent in update.agents { await sessions[agent]?.checkIdentity() }
    }

    private static func isHalfOver(_ manifest: Manifest, _ now: Timestamp) -> Bool {
        let life = manifest.expires.duration(since: manifest.issued)
        return now.duration(since: manifest.issued) >= life / 2
    }

    /// Signs, stores and shows what the waiting agents need.
    private func publish() async throws(ControlError) {
        defer { reportFaults() }
        var retried: Set<AgentName> = []
        while haltReason == nil {
            unpublished.formIntersection(sessions.keys)
            guard !unpublished.isEmpty else { break }
            let heads = try await control.audit.heads()
            // Ordered once for all rounds: what comes meanwhile is the next loop's.
            for batch in chunks(of: unpublished.sorted()) where haltReason == nil {
                // Taken out before the work: who connects anew during it asks again and must be
                // heard.
                unpublished.subtract(batch)
                do throws(ControlError) {
                    let refused = try await publish(batch, heads)
                    // What is stored is not what was published here: it is read, and judged, once.
                    for agent in refused where retried.insert(agent).inserted {
                        published[agent] = nil
                        noteLag(of: agent)
                        unpublished.insert(agent)
                    }
                } catch {
                    unpublished.formUnion(batch)
                    throw error
                }
            }
        }
    }

    private func chunks(of agents: [AgentName]) -> [[AgentName]] {
        let step = Self.manifestsPerTransactionMax
        return stride(from: 0, to: agents.count, by: step).map { start in
            Array(agents[start..<min(start + step, agents.count)])
        }
    }

    /// One round of `publish`.
    ///
    /// - Returns: agents whose stored manifest could not be replaced.
    private func publish(
        _ batch: [AgentName],
        _ heads: [AuditHead]
    ) async throws(ControlError) -> [AgentName] {
        let began = control.surroundings.instant()
        // Signing takes a while: who connects anew meanwhile may understand something else, and is
        // looked at in the next round.
        let served = Dictionary(
            batch.compactMap { agent in sessions[agent].map { (agent, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
        let missing = batch.filter { published[$0] == nil }
        let (rows, known) = try await control.read { database in
            (
                try await PublicationRepository.manifests(of: missing, in: database),
                try await RevisionRepository.current(in: database)
            )
        }
        let key = try await services.snapshotKey()
        guard let revision, let newest = trust.last else { return [] }
        let plan = ManifestPlan(
            trustDomain: control.trustDomain,
            trust: newest,
            revision: UInt64(clamping: revision),
            auditHeads: heads.map {
                .init(writer: $0.writer, sequence: $0.sequence, hash: $0.hash)
            },
            now: control.now()
        )
        var work = Work(settling: unsettled.intersection(batch))
        var stored: [AgentName: StoredManifest] = [:]
        let read = await signer.verified(rows, signedBy: snapshotKeys)
        for (row, manifest) in zip(rows, read) {
            if let manifest {
                stored[row.agent] = manifest
            } else {
                work.forged.append(row)
                control.alarms.raise(RowAlarm(table: "manifests", key: row.agent.text))
            }
        }
        let head = (newest.document.epoch, UInt64(clamping: known))
        if let ahead = stored.values.map(\.manifest)
            .first(where: { ($0.epoch, $0.revision) > head })
        {
            await halt(Self.setBack(ahead, epoch: head.0, revision: known))
            return []
        }
        var orders: [ManifestSigner.Order] = []
        for agent in batch where sessions[agent] != nil {
            if let order = order(for: agent, stored[agent]) { orders.append(order) }
            await reactor.breathe()
        }
        for outcome in await signer.outcomes(of: orders, plan, key) { take(outcome, &work) }
        work.settling = work.settling.filter { sessions[$0] === served[$0] }
        let refused = Set(try await store(work))
        // Whoever was stopped on the way may hold what others have replaced meanwhile.
        guard holdsLease else { throw Self.isOutOfTouch }
        lease.renewed(at: began)
        for snapshot in work.shown where !refused.contains(snapshot.manifest.agent) {
            let agent = snapshot.manifest.agent
            guard let session = served[agent], sessions[agent] === session else { continue }
            published[agent] = snapshot
            noteLag(of: agent)
            await session.published(snapshot.publication)
            await reactor.breathe()
        }
        try await supersede(work.conflicting)
        return refused.sorted()
    }

    /// The keys that have ever been good for signing manifests.
    var snapshotKeys: [PublicKey] {
        trust.flatMap { $0.document.snapshotKeys.map(\.key) }
    }

    /// What one round signs.
    struct Work {
        /// Agents that are looked at for the first time since they connected.
        var settling: Set<AgentName>
        /// To be stored.
        var signed: [PublishedSnapshot] = []
        /// To be shown: what was signed, and what was stored earlier and still holds.
        var shown: [PublishedSnapshot] = []
        var conflicting: [AgentName] = []
        /// Rows that no server of this mesh wrote; they go before anything is stored.
        var forged: [PublishedManifest] = []
    }

    /// What there is to be decided for an agent; nil for one that gets nothing.
    private func order(for agent: AgentName, _ stored: StoredManifest?) -> ManifestSigner.Order? {
        guard features[agent] != nil, let sections = compiler.sections(of: agent) else {
            return nil
        }
        let known = published[agent]
        return ManifestSigner.Order(
            agent: agent,
            previous: known.map { ($0.manifest, $0.hash) }
                ?? stored.map { ($0.manifest, $0.envelope.payloadHash) },
            unshown: known == nil ? stored : nil,
            floor: floors[agent],
            sections: sections,
            lifetime: compiler.configuration.manifestLifetime(of: agent)
        )
    }

    private func take(_ outcome: ManifestSigner.Outcome, _ work: inout Work) {
        switch outcome {
        case .nothing: break
        case .shown(let snapshot): work.shown.append(snapshot)
        case .signed(let snapshot):
            work.signed.append(snapshot)
            work.shown.append(snapshot)
        case .conflicting(let agent): work.conflicting.append(agent)
        case .failed(let agent):
            control.logger.error("a manifest could not be signed", ["agent": .text(agent.text)])
        }
    }

    /// Nothing is shown that is not stored.
    ///
    /// - Returns: agents for which something newer is stored than what was signed now.
    private func store(_ work: Work) async throws(ControlError) -> [AgentName] {
        let settling = work.settling.subtracting(work.conflicting).sorted()
        guard !work.signed.isEmpty || !work.forged.isEmpty || !settling.isEmpty else { return [] }
        var rows: [SHA256Digest: PublishedSection] = [:]
        for section in work.signed.flatMap(\.publication.sections)
        where !storedSections.contains(section.reference.hash) {
            rows[section.reference.hash] = section.row
        }
        let sections = Array(rows.values)
        let removals = work.forged.map(PublicationRepository.remove)
        let manifests = work.signed.map(\.row)
        let server = control.serverName.text
        let taken = try await control.write { database in
            try await PublicationRepository.store(sections, in: database)
            if !removals.isEmpty { _ = try await database.batch(removals) }
            let taken = try await PublicationRepository.put(manifests, in: database)
            try await AgentStateRepository.settled(settling, by: server, in: database)
            return taken
        }
        unsettled.subtract(settling)
        storedSections.formUnion(rows.keys)
        control.metrics.counter(MetricNames.snapshotsSigned).increment(by: work.signed.count)
        return work.signed.map(\.manifest.agent).filter { !taken.contains($0) }
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
        ) { change in _ = try await Agents(control).touch(news, in: change) }
        wake()
    }

    private func reportFaults() {
        let faults = compiler.takeFaults()
        for fault in faults {
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
        }
        let entries = faults.prefix(AuditRepository.entriesMax / 2).map { fault in
            var entry = control.server.entry(
                action: "snapshot.deny",
                resource: "sections/\(fault.kind.rawValue)/\(fault.name)",
                outcome: "alarm",
                reason: "unenforceable"
            )
            entry.detail = ["reason": .string(fault.reason)]
            return entry
        }
        guard let first = entries.first else { return }
        Task {
            _ = try? await control.spine.act(first) { act in
                for entry in entries.dropFirst() { act.audit(entry) }
            }
        }
    }

    /// Why nothing is published over a head that the database knows nothing of.
    static func setBack(_ manifest: Manifest, epoch: UInt64, revision: Int64) -> String {
        "agent \(manifest.agent) was given epoch \(manifest.epoch), revision"
            + " \(manifest.revision), but the database is at epoch \(epoch), revision"
            + " \(revision): it was set back. Raise the epoch of the trust document to go on"
            + " from here"
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
