import Crypto
import Mesh
import Snapshot
import Wire

// The server's driver, and the bytes between.
extension Simulation {
    /// Gives a connection what its replica publishes now.
    func publish(on link: Link) {
        attempt("a publication") {
            let made = try replicas[link.replica].publication(
                for: link.agent,
                authority,
                at: timeline.now
            )
            guard let made else { return }
            recorded[link.agent].append(made.envelope)
            trace(link.agent, "is offered revision \(made.mark.revision) by \(link.replica)")
            perform(link.publisher.published(made), on: link)
        }
    }

    /// A replica looks at the database and tells its connections.
    func learn(_ replica: Replica) {
        let trustCount = replica.state(authority).trustCount
        guard replica.learn(authority) else { return }
        let news = authority.trust[trustCount..<replica.state(authority).trustCount]
        for link in links where link.isOpen && !link.isRogue && link.replica == replica.index {
            for anchor in news { perform(link.publisher.trustChanged(anchor), on: link) }
            publish(on: link)
        }
    }

    private func perform(_ actions: [Publisher.Action], on link: Link) {
        for action in actions {
            guard link.isOpen, violations.isEmpty else { return }
            switch action {
            case .write(let frame):
                deliver(frame, overToAgent: link)
            case .acknowledged(let acknowledgement):
                tally.acknowledged += acknowledgement.errors.isEmpty ? 1 : 0
            case .headShown(let head, _):
                let hash = (try? Envelope(encoded: head))?.payloadHash
                let isGenuine = hash.map { authority.signed[$0] != nil } ?? false
                trace(link.agent, "has shown a head that is \(isGenuine ? "ahead" : "forged")")
                if !isGenuine { perform(link.publisher.headWasForged(), on: link) }
            case .close(let reason):
                violated("a replica leaves agent \(link.agent): \(reason)")
            }
        }
    }

    /// Brings bytes to the agent, late, in order and in pieces.
    func deliver(_ bytes: [UInt8], overToAgent link: Link, isPublished: Bool = true) {
        let agent = agents[link.agent]
        let incarnation = agent.incarnation
        link.latestToAgent = max(link.latestToAgent, timeline.now + delay())
        let cut = random.number(below: bytes.count + 1)
        for piece in [bytes[..<cut], bytes[cut...]] {
            timeline.plan(at: link.latestToAgent) { [self] in
                guard link.isOpen, agent.incarnation == incarnation else { return }
                link.agentDecoder.append(piece)
                receive(on: agent, from: link)
                guard link.isOpen, !link.isRogue, isPublished else { return }
                perform(link.publisher.written(byteCount: piece.count), on: link)
            }
        }
    }

    private func receive(on agent: SimulatedAgent, from link: Link) {
        while link.isOpen, violations.isEmpty {
            let message: Message?
            do {
                message = try link.agentDecoder.next()
            } catch {
                if !link.isRogue { violated("an honest server's frame is refused: \(error)") }
                return breakLink(link)
            }
            guard let message else { return }
            let now = timeline.now + agent.skew
            switch message {
            case .manifest(let envelope):
                perform(agent.subscriber?.manifestReceived(envelope, now: now) ?? [], on: agent)
            case .section(let chunk):
                perform(agent.subscriber?.sectionReceived(chunk) ?? [], on: agent)
            case .trust(let envelope):
                perform(agent.subscriber?.trustReceived(envelope) ?? [], on: agent)
            case .evidenceAcknowledgement(let batch): evidenceAcknowledged(batch, on: agent)
            default: break
            }
        }
    }

    /// Brings bytes to the server in the same way.
    func deliver(_ bytes: [UInt8], overToServer link: Link) {
        link.latestToServer = max(link.latestToServer, timeline.now + delay())
        timeline.plan(at: link.latestToServer) { [self] in
            guard link.isOpen else { return }
            link.serverDecoder.append(bytes)
            attempt("an agent's frame") {
                while link.isOpen, let message = try link.serverDecoder.next() {
                    received(message, on: link)
                }
            }
        }
    }

    private func received(_ message: Message, on link: Link) {
        guard !link.isRogue else {
            if case .hello = message { attack(link) }
            return
        }
        switch message {
        case .hello(let hello): perform(link.publisher.helloReceived(hello), on: link)
        case .want(let want): perform(link.publisher.wantReceived(want), on: link)
        case .acknowledgement(let acknowledgement):
            perform(link.publisher.acknowledgementReceived(acknowledgement), on: link)
        case .evidence(let batch): received(batch, on: link)
        default: break
        }
    }

    private func attack(_ link: Link) {
        attempt("hostility") {
            let hostility = Hostility(
                authority: authority,
                agent: agents[link.agent],
                recorded: recorded,
                now: timeline.now
            )
            for frame in try hostility.frames(&random, forbid: { forbidden.insert($0) }) {
                tally.hostileFrames += 1
                deliver(frame, overToAgent: link)
            }
        }
        plan(random.milliseconds(500...20_000)) { [self] in breakLink(link) }
    }

    private func delay() -> Duration {
        // Now and then a segment is lost and sent again.
        !isCalm && random.chance(3)
            ? random.milliseconds(1_000...15_000) : random.milliseconds(1...80)
    }

    /// The connection ends; the agent notices a little later.
    func breakLink(_ link: Link) {
        guard link.isOpen else { return }
        link.isOpen = false
        links.removeAll { $0 === link }
        let agent = agents[link.agent]
        guard agent.link === link else { return }
        agent.link = nil
        agent.evidenceInFlight = nil
        trace(link.agent, "loses \(link.isRogue ? "a thief" : "server \(link.replica)")")
        guard agent.isRunning else { return }
        let incarnation = agent.incarnation
        plan(random.milliseconds(0...500)) { [self] in
            guard agent.incarnation == incarnation else { return }
            disconnected(agent)
        }
    }
}
