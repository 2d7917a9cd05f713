import Mesh
import Observability
import Reactor
import Snapshot
import Transport
import Wire

/// The server's end of one agent's stream.
///
/// Reads frames in order; certificates, status and evidence wait in a bounded queue of their own so
/// that an acknowledgement never waits for them. Whoever breaks the protocol is told why and cut.
actor AgentSession: ReactorBound {
    /// From the handshake to the hello.
    static let helloTimeout = Duration.seconds(10)
    /// Without a byte from the agent for so long it is asked whether it lives.
    static let pingInterval = Duration.seconds(15)
    /// Unanswered pings before the stream counts as dead.
    static let silentRoundsMax = 2
    /// Between two states of the agent that are stored; of those in between the last one counts.
    static let statusPause = Duration.seconds(1)
    /// Requests that wait; one more ends the stream.
    static let requestsMax = 64
    /// Leases that are asked for at once; further ones are refused.
    static let leasesMax = 32
    /// Frames that wait beside the publisher's own, whose bound is its own.
    static let repliesMax = 256

    nonisolated let reactor: Reactor
    nonisolated let agent: AgentName
    nonisolated let peer: AgentPeer
    private nonisolated let distribution: Distribution
    private nonisolated let connection: StreamConnection

    private var publisher: Publisher
    private var decoder = FrameDecoder()
    private var isGreeted = false
    private var isClosing = false
    /// Whether the agent has ended or is none any more; otherwise it is on its way to a server.
    private(set) var isGone = false
    private var requests: [Message] = []
    private var isWorking = false
    private var leasesUnderWay = 0
    private var status: Document?
    private var isStoringStatus = false
    private var outbox: [(bytes: [UInt8], isPublished: Bool)] = []
    private var isWriting = false
    private var pingNumber: UInt64 = 0
    /// What the metric says already.
    private var shownPending: Int64?

    init(
        _ connection: StreamConnection,
        agent: AgentName,
        peer: AgentPeer,
        trustChain: [TrustAnchor],
        distribution: Distribution
    ) {
        self.connection = connection
        self.agent = agent
        self.peer = peer
        self.distribution = distribution
        reactor = connection.reactor
        publisher = Publisher(agent: agent, trustChain: trustChain)
    }

    private nonisolated var control: ControlPlane { distribution.control }

    /// Tells a peer that has no session why, and no more.
    static func refuse(_ connection: StreamConnection, _ code: String, _ text: String) async {
        let refusal = StreamRefusal(code: String(code.prefix(64)), text: String(text.prefix(512)))
        guard let frame = try? Frame.encode(.refusal(refusal)) else { return }
        try? await connection.write(frame, stallTimeout: .seconds(2))
        try? await connection.finishWriting(stallTimeout: .seconds(2))
    }

    /// Reads until the stream ends.
    func run() async {
        var silentRounds = 0
        // For all of the hello, however slowly it comes.
        let helloDeadline = control.surroundings.instant() + Self.helloTimeout
        while !isClosing {
            guard control.now() < peer.notAfter else {
                await close(
                    StreamRefusal(
                        code: "certificate_expired",
                        text: "the certificate of this connection has ended: use the new one"
                    )
                )
                break
            }
            let pingAt = control.surroundings.instant() + Self.pingInterval
            do throws(StreamError) {
                guard
                    let bytes = try await connection.read(
                        deadline: isGreeted ? pingAt : helloDeadline
                    )
                else { break }
                silentRounds = 0
                decoder.append(bytes)
            } catch {
                guard case .timedOut = error, isGreeted, silentRounds < Self.silentRoundsMax else {
                    break
                }
                silentRounds += 1
                pingNumber += 1
                send(.ping(pingNumber))
                continue
            }
            await takeFrames()
        }
        isClosing = true
    }

    private func takeFrames() async {
        do throws(FrameError) {
            while !isClosing, let message = try decoder.next() { await take(message) }
        } catch {
            breach("\(error)")
        }
    }

    private func take(_ message: Message) async {
        guard isGreeted else {
            guard case .hello(let hello) = message else {
                return breach("the first frame is no hello")
            }
            return await greet(hello)
        }
        switch message {
        case .hello: breach("a second hello")
        case .want(let want): await perform(publisher.wantReceived(want))
        case .acknowledgement(let answer):
            await perform(publisher.acknowledgementReceived(answer))
        case .certificateRequest, .evidence: enqueue(message)
        case .leaseRequest(let request): serve(request)
        case .status(let document): keep(document)
        case .ping(let number): send(.pong(number))
        case .pong: break
        case .refusal(let refusal):
            isGone = refusal.code == StreamRefusal.stopping
            if isGone {
                control.logger.info("an agent has ended", ["agent": .text(agent.text)])
            } else {
                control.logger.warning(
                    "an agent refuses to go on",
                    [
                        "agent": .text(agent.text), "code": .text(refusal.code),
                        "text": .text(refusal.text),
                    ]
                )
            }
            isClosing = true
        case .manifest, .section, .trust, .certificateAnswer, .evidenceAcknowledgement, .health,
            .leaseAnswer:
            breach("\(message.kind) is the server's to send")
        }
    }

    private func greet(_ hello: Hello) async {
        guard hello.agent == agent else {
            return breach("the hello names another agent than the certificate")
        }
        isGreeted = true
        await perform(publisher.helloReceived(hello))
        do throws(ControlError) {
            try await reactor.aside { [distribution] () async throws(ControlError) in
                try await distribution.greeted(self, hello)
            }
        } catch {
            await close(
                StreamRefusal(code: error.code, text: String(error.description.prefix(512)))
            )
        }
    }

    // MARK: From distribution

    /// There is a newer snapshot for this agent.
    func published(_ publication: Publication) async {
        await perform(publisher.published(publication))
    }

    /// What the agent's destinations weigh has changed; it has said that it knows the frame.
    func show(_ notice: HealthNotice) {
        guard isGreeted, !isClosing else { return }
        send(.health(notice))
    }

    /// There is a newer trust document.
    func trustChanged(_ anchor: TrustAnchor) async {
        let actions = publisher.trustChanged(anchor)
        if !actions.isEmpty { await perform(actions) }
    }

    /// Asks again whether the peer is an agent of ours.
    func checkIdentity() async {
        do throws(ControlError) {
            guard try await distribution.services.agentIdentity(peer) == agent else {
                isGone = true
                return await close(StreamRefusal(code: "other_agent", text: "not this agent"))
            }
        } catch {
            switch error {
            case .unavailable, .tooMany, .faulted: return
            case .invalid, .unauthenticated, .forbidden, .notFound, .conflict,
                .preconditionFailed, .gone:
                isGone = true
                await close(
                    StreamRefusal(code: error.code, text: String(error.description.prefix(512)))
                )
            }
        }
    }

    /// Says why and ends the stream.
    func close(_ refusal: StreamRefusal) async {
        guard !isClosing else { return }
        isClosing = true
        outbox = []
        await AgentSession.refuse(connection, refusal.code, refusal.text)
        await connection.close()
    }

    // MARK: Publishing

    private func perform(_ actions: [Publisher.Action]) async {
        for action in actions where !isClosing {
            if !performAtOnce(action) { await performLater(action) }
        }
        showPending()
    }

    /// Whether that was possible without waiting for anybody.
    private func performAtOnce(_ action: Publisher.Action) -> Bool {
        switch action {
        case .write(let frame): write(frame, isPublished: true)
        case .acknowledged(let answer):
            guard distribution.reactor === reactor else { return false }
            distribution.assumeIsolated { $0.acknowledged(self, answer) }
        case .headShown: return false
        case .close(let reason): breach(reason)
        }
        return true
    }

    private func performLater(_ action: Publisher.Action) async {
        switch action {
        case .write, .close: preconditionFailure("nobody waits for this")
        case .acknowledged(let answer): await distribution.acknowledged(self, answer)
        case .headShown(let head, let mark):
            let verdict = await distribution.judge(head: head, mark: mark, of: agent)
            if verdict == .forged { await perform(publisher.headWasForged()) }
        }
    }

    private func showPending() {
        guard isGreeted, !isClosing else { return }
        let count = Int64(publisher.pendingByteCount)
        guard count != shownPending else { return }
        shownPending = count
        control.metrics.gauge(MetricNames.agentPendingBytes, labels: [agent.text]).set(count)
    }

    /// The peer is not what it should be; nothing it sent is trusted any further.
    private func breach(_ reason: String) {
        guard !isClosing else { return }
        control.logger.warning(
            "an agent broke the protocol",
            ["agent": .text(agent.text), "reason": .text(reason)]
        )
        Task { await close(StreamRefusal(code: "protocol", text: String(reason.prefix(512)))) }
    }

    // MARK: Writing

    private func send(_ message: Message) {
        guard let frame = try? Frame.encode(message) else { return }
        guard outbox.count < Self.repliesMax else { return breach("answers are not read") }
        write(frame, isPublished: false)
    }

    private func write(_ bytes: [UInt8], isPublished: Bool) {
        outbox.append((bytes, isPublished))
        guard !isWriting else { return }
        isWriting = true
        Task { await drain() }
    }

    private func drain() async {
        while !outbox.isEmpty, !isClosing {
            let batch = outbox
            outbox = []
            var bytes: [UInt8] = []
            var publishedByteCount = 0
            for frame in batch {
                bytes += frame.bytes
                if frame.isPublished { publishedByteCount += frame.bytes.count }
            }
            do throws(StreamError) {
                try await connection.write(bytes)
            } catch {
                isClosing = true
                // The reader waits on the same connection.
                await connection.abort()
                break
            }
            control.metrics.counter(MetricNames.agentStreamBytes).increment(by: bytes.count)
            await perform(publisher.written(byteCount: publishedByteCount))
        }
        isWriting = false
    }

    // MARK: Requests

    private func enqueue(_ message: Message) {
        guard requests.count < Self.requestsMax else { return breach("too many requests at once") }
        requests.append(message)
        guard !isWorking else { return }
        isWorking = true
        Task {
            while !requests.isEmpty, !isClosing { await serve(requests.removeFirst()) }
            isWorking = false
        }
    }

    /// Stores what the agent says of itself, at most once in a while.
    private func keep(_ document: Document) {
        status = document
        guard !isStoringStatus else { return }
        isStoringStatus = true
        Task {
            while let latest = status, !isClosing {
                status = nil
                try? await AgentStatus(latest).store(of: agent, control)
                if let health = AgentHealth(latest) {
                    await distribution.took(health, from: agent)
                }
                try? await reactor.sleep(for: Self.statusPause)
            }
            isStoringStatus = false
        }
    }

    private func serve(_ message: Message) async {
        switch message {
        case .certificateRequest(let request): await serve(request)
        case .evidence(let batch):
            do throws(ControlError) {
                try await control.evidence.store(batch, from: agent)
                send(.evidenceAcknowledgement(batch: batch.batch))
            } catch {
                if case .invalid = error { return breach(error.description) }
                // Not acknowledged, so the agent keeps it and sends it again.
                control.logger.warning(
                    "evidence was not stored",
                    ["agent": .text(agent.text), "error": .describing(error)]
                )
                await close(
                    StreamRefusal(code: error.code, text: "evidence cannot be stored now")
                )
            }
        case .hello, .manifest, .want, .section, .trust, .acknowledgement, .certificateAnswer,
            .evidenceAcknowledgement, .refusal, .ping, .pong, .status, .health, .leaseRequest,
            .leaseAnswer:
            preconditionFailure("not a request")
        }
    }

    private func serve(_ request: CertificateRequest) async {
        do throws(ControlError) {
            let chain = try await distribution.services.issueLeaf(
                DistributionServices.LeafRequest(
                    agent: agent,
                    peer: peer,
                    service: request.service,
                    csr: request.csr
                )
            )
            send(.certificateAnswer(CertificateAnswer(id: request.id, chain: chain)))
        } catch {
            send(
                .certificateAnswer(
                    CertificateAnswer(
                        id: request.id,
                        chain: [],
                        error: error.streamText,
                        retryAfter: error.streamPause
                    )
                )
            )
        }
    }

    /// Beside the other requests: a target may take its time.
    private func serve(_ request: AgentLeaseRequest) {
        guard leasesUnderWay < Self.leasesMax else {
            return send(
                .leaseAnswer(
                    AgentLeaseAnswer(
                        id: request.id,
                        error: "lease.busy: too many leases are asked for at once",
                        retryAfter: .seconds(1)
                    )
                )
            )
        }
        leasesUnderWay += 1
        Task {
            let answer: AgentLeaseAnswer
            do throws(ControlError) {
                let account = try await AgentLeases(control).perform(
                    request.act,
                    for: agent,
                    at: peer.address,
                    by: distribution
                )
                answer = AgentLeaseAnswer(id: request.id, account: account)
            } catch {
                answer = AgentLeaseAnswer(
                    id: request.id,
                    error: error.streamText,
                    retryAfter: error.streamPause
                )
            }
            leasesUnderWay -= 1
            if !isClosing { send(.leaseAnswer(answer)) }
        }
    }
}

extension ControlError {
    /// What an agent is told: a stable word, then a sentence.
    fileprivate var streamText: String { "\(code): \(String(description.prefix(1_024)))" }

    /// When an agent may ask again, if that makes sense.
    fileprivate var streamPause: Duration? {
        switch self {
        case .tooMany(_, let pause): min(pause, .seconds(86_400))
        case .unavailable: .seconds(5)
        default: nil
        }
    }
}
