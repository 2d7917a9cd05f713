import Crypto
import Mesh
import Observability
import Postgres
import Reactor
import Snapshot
import Store
package import Transport
import Wire

extension Distribution {
    /// How long acknowledgements gather before they are stored together.
    private static let flushDelay = Duration.milliseconds(10)

    /// Serves one stream of port 7401 until it ends.
    ///
    /// From any task. The peer's certificate has led to a root of the mesh; whether it is an agent
    /// of ours is asked here.
    package nonisolated func serve(_ connection: StreamConnection, peer: AgentPeer) async {
        // Asked for first, since it costs nothing: at a start everybody comes at once.
        guard let chain = await trustIfPublishing() else {
            return await AgentSession.refuse(
                connection,
                "not_ready",
                "this server has not read its configuration yet; try another"
            )
        }
        let agent: AgentName
        do throws(ControlError) {
            agent = try await connection.reactor.aside { [services] () async throws(ControlError) in
                try await services.agentIdentity(peer)
            }
        } catch {
            control.logger.warning(
                "a peer was refused on the agents' port",
                ["peer": .text(peer.spiffeID), "error": .describing(error)]
            )
            return await AgentSession.refuse(connection, error.code, error.description)
        }
        let session = AgentSession(
            connection,
            agent: agent,
            peer: peer,
            trustChain: chain,
            distribution: self
        )
        await attach(session)
        await session.run()
        await detach(session, isGone: await session.isGone)
    }

    private func trustIfPublishing() -> [TrustAnchor]? {
        revision == nil || trust.isEmpty || !holdsLease ? nil : trust
    }

    /// One stream per agent: a newer one replaces the older, which may be dead without knowing.
    private func attach(_ session: AgentSession) async {
        let older = sessions.updateValue(session, forKey: session.agent)
        opened.count += 1
        published[session.agent] = nil
        floors[session.agent] = nil
        features[session.agent] = nil
        shownHealth[session.agent] = nil
        reported[session.agent] = nil
        departed[session.agent] = nil
        unsettled.remove(session.agent)
        noteLag(of: session.agent)
        control.metrics.gauge(MetricNames.connectedAgents).set(Int64(sessions.count))
        // A dead peer takes its time to be told, which is no reason for the living one to wait.
        if let older {
            Task {
                await older.close(
                    StreamRefusal(code: "replaced", text: "the agent has a newer connection")
                )
            }
        }
        // Trust that changed while the stream was being made.
        if let newest = trust.last { await session.trustChanged(newest) }
    }

    private func detach(_ session: AgentSession, isGone: Bool) {
        guard sessions[session.agent] === session else { return }
        sessions[session.agent] = nil
        published[session.agent] = nil
        floors[session.agent] = nil
        features[session.agent] = nil
        shownHealth[session.agent] = nil
        reported[session.agent] = nil
        unpublished.remove(session.agent)
        unsettled.remove(session.agent)
        departed[session.agent] = isGone
        control.metrics.remove(MetricNames.agentPendingBytes, labels: [session.agent.text])
        control.metrics.gauge(MetricNames.connectedAgents).set(Int64(sessions.count))
        noteLag(of: session.agent)
        flushSoon()
    }

    /// An agent has introduced itself: from now on snapshots are made for it.
    func greeted(_ session: AgentSession, _ hello: Hello) async throws(ControlError) {
        let agent = session.agent
        guard sessions[agent] === session else { return }
        try await enter(
            AgentGreeting(
                agent: agent,
                version: hello.software,
                features: hello.features.map(\.word).sorted()
            )
        )
        if let mark = hello.mark {
            answers[agent] = Self.answer(
                of: agent,
                mark: mark,
                errors: [],
                trustVersion: hello.trustVersion
            )
            flushSoon()
        }
        if let text = hello.meshAddress { try await learn(text, of: agent, session.peer) }
        guard sessions[agent] === session else { return }
        unsettled.insert(agent)
        floors[agent] = hello.mark
        features[agent] = hello.features
        // Another version of the agent may need other sections at the same revision.
        if compiler.understands(hello.features, agent) { superseded.remove(agent) }
        noteLag(of: agent)
        if features[agent]?.contains(.revocations) != true,
            !compiler.configuration.revocations.isEmpty
        {
            control.logger.error(
                "an agent is too old to enforce revocations: bring it up to date",
                ["agent": .text(agent.text), "version": .text(hello.software)]
            )
        }
        unpublished.insert(agent)
        wake()
        await showHealth(to: agent)
        if let head = hello.head { try await compareAuditHeads(head, of: agent) }
    }

    /// Brings a greeting to the database, together with those that came while others were on their
    /// way: at a start everybody comes at once.
    private func enter(_ greeting: AgentGreeting) async throws(ControlError) {
        let failure: ControlError? = await withCheckedContinuation { continuation in
            greetings.append((greeting, continuation))
            guard !isEntering else { return }
            isEntering = true
            Task { await enterGreetings() }
        }
        if let failure { throw failure }
    }

    private func enterGreetings() async {
        let server = control.serverName.text
        while !greetings.isEmpty {
            let batch = greetings
            greetings = []
            // Of two connections of one agent the later one counts.
            let newest = Dictionary(batch.map { ($0.0.agent, $0.0) }) { _, later in later }
            let entries = newest.values.sorted { $0.agent < $1.agent }
            var failure: ControlError?
            do throws(ControlError) {
                try await control.write { database in
                    try await AgentStateRepository.connected(entries, to: server, in: database)
                }
            } catch {
                failure = error
            }
            for (_, continuation) in batch { continuation.resume(returning: failure) }
        }
        isEntering = false
    }

    /// Where an agent is reached is its own to say, and a change of configuration.
    private func learn(
        _ text: String,
        of agent: AgentName,
        _ peer: AgentPeer
    ) async throws(ControlError) {
        let address: MeshAddress
        do throws(NameError) {
            address = try MeshAddress(reported: text, seenFrom: peer.address)
        } catch {
            return control.logger.warning(
                "an agent's mesh address is not usable, so nobody is sent to it",
                [
                    "agent": .text(agent.text), "address": .text(text),
                    "error": .describing(error),
                ]
            )
        }
        guard compiler.configuration.agents[agent]?.meshAddress != address else { return }
        let now = control.surroundings.instant()
        let lately = (moves[agent] ?? []).filter { $0.duration(to: now) < Self.movesPeriod }
        guard lately.count < Self.movesMax else {
            return control.logger.warning(
                "an agent moves too often, so its new mesh address is not taken yet",
                ["agent": .text(agent.text), "address": .text(text)]
            )
        }
        moves[agent] = lately + [now]
        try await Agents(control).reportAddress(
            address.description,
            of: agent,
            from: peer.address
        )
    }

    /// An agent has applied or refused a snapshot.
    func acknowledged(_ session: AgentSession, _ answer: Acknowledgement) {
        guard sessions[session.agent] === session else { return }
        if !answer.errors.isEmpty {
            control.metrics.counter(MetricNames.snapshotRefusals).increment()
            control.logger.error(
                "an agent has refused its snapshot",
                [
                    "agent": .text(session.agent.text),
                    "errors": .text(answer.errors.joined(separator: "; ")),
                ]
            )
        }
        if let mark = answer.mark { floors[session.agent] = mark }
        answers[session.agent] = Self.answer(
            of: session.agent,
            mark: answer.mark,
            errors: answer.errors,
            trustVersion: answer.trustVersion
        )
        noteLag(of: session.agent)
        flushSoon()
    }

    private static func answer(
        of agent: AgentName,
        mark: SnapshotMark?,
        errors: [String],
        trustVersion: UInt64
    ) -> AgentAcknowledgement {
        AgentAcknowledgement(
            agent: agent,
            epoch: Int64(clamping: mark?.epoch ?? 0),
            revision: Int64(clamping: mark?.revision ?? 0),
            manifestHash: mark?.manifestHash,
            errors: errors,
            trustVersion: Int64(clamping: trustVersion)
        )
    }

    /// Keeps account of who does not enforce what was made for it, one agent at a time: with every
    /// answer of every agent, looking at all of them would take the square of their number.
    func noteLag(of agent: AgentName) {
        if let snapshot = published[agent], floors[agent]?.manifestHash != snapshot.hash {
            lagging.insert(agent)
        } else {
            lagging.remove(agent)
        }
        control.metrics.gauge(MetricNames.laggingAgents).set(Int64(lagging.count))
    }

    private func flushSoon() {
        guard !isFlushing else { return }
        isFlushing = true
        Task {
            try? await reactor.sleep(for: Self.flushDelay)
            isFlushing = false
            await flush()
        }
    }

    /// Stores what agents said since the last time; what cannot be stored is kept for the next.
    func flush() async {
        let (answers, departed) = (answers, departed)
        guard !answers.isEmpty || !departed.isEmpty else { return }
        (self.answers, self.departed) = ([:], [:])
        let server = control.serverName.text
        do throws(ControlError) {
            try await control.write { database in
                try await AgentStateRepository.acknowledge(
                    answers.values.sorted { $0.agent < $1.agent },
                    in: database
                )
                for isGone in [true, false] {
                    try await AgentStateRepository.disconnected(
                        departed.filter { $0.value == isGone }.keys.sorted(),
                        areGone: isGone,
                        from: server,
                        in: database
                    )
                }
            }
        } catch {
            self.answers.merge(answers) { newer, _ in newer }
            let stillAway = departed.filter { sessions[$0.key] == nil }
            self.departed.merge(stillAway) { newer, _ in newer }
            wake()
        }
    }
}

// MARK: - Heads that are ahead

extension Distribution {
    /// What the head of an agent turned out to be.
    enum HeadVerdict: Equatable {
        case forged
        /// Genuine, and this replica only has to catch up.
        case behind
        /// Genuine, and the database knows nothing of it.
        case ahead
    }

    /// An agent enforces something newer than was published here.
    func judge(
        head bytes: [UInt8],
        mark: SnapshotMark,
        of agent: AgentName
    ) async -> HeadVerdict {
        guard let manifest = genuine(bytes, of: agent), manifest.epoch == mark.epoch,
            manifest.revision == mark.revision
        else {
            control.logger.error(
                "an agent shows a snapshot that no server of this mesh has signed",
                ["agent": .text(agent.text)]
            )
            return .forged
        }
        do throws(ControlError) {
            let known = try await control.read { database in
                try await RevisionRepository.current(in: database)
            }
            let epoch = try await services.trustChain().last?.document.epoch ?? 0
            if (manifest.epoch, manifest.revision) > (epoch, UInt64(clamping: known)),
                manifest.epoch >= epoch
            {
                await halt(Self.setBack(manifest, epoch: epoch, revision: known))
                return .ahead
            }
        } catch {
            // Not known is not behind: nothing is published to this agent until it is.
            return .ahead
        }
        floors[agent] = mark
        noteLag(of: agent)
        unpublished.insert(agent)
        wake()
        return .behind
    }

    /// What an agent enforces by its own account, if a server of this mesh has signed it.
    private func genuine(_ head: [UInt8], of agent: AgentName) -> Manifest? {
        guard let envelope = try? Envelope(encoded: head),
            envelope.payloadType == Manifest.payloadType,
            let manifest = try? Manifest(encoded: envelope.payload),
            manifest.agent == agent, manifest.trustDomain == control.trustDomain
        else { return nil }
        // A key that was taken out says nothing about the epochs after it: whoever stole it must
        // not make a server believe that it was set back.
        // Of an epoch that is not known here the keys that hold now are witnesses: this server may
        // be the one that was set back.
        let newest = trust.last.map { [$0] } ?? []
        let isUnknown = manifest.epoch > newest.last?.document.epoch ?? 0
        let witnesses = isUnknown ? newest : trust.filter { $0.document.epoch == manifest.epoch }
        let keys = witnesses.flatMap { $0.document.snapshotKeys.map(\.key) }
        return envelope.signers(among: keys).isEmpty ? nil : manifest
    }

    /// Agents are the witnesses of the audit trail: each keeps the ends of the chains that its
    /// manifest named, and what it has seen must still be there.
    private func compareAuditHeads(
        _ head: [UInt8],
        of agent: AgentName
    ) async throws(ControlError) {
        guard let manifest = genuine(head, of: agent) else { return }
        let notes = manifest.auditHeads.filter { $0.sequence > 0 }
        let missing = try await control.read { database in
            try await AuditRepository.writersWithout(
                notes.map { ($0.writer, Int64(clamping: $0.sequence), $0.hash) },
                in: database
            )
        }
        for writer in missing { control.alarms.raise(RowAlarm(table: "audit", key: writer)) }
        if !missing.isEmpty { await control.keepAlarms() }
    }
}
