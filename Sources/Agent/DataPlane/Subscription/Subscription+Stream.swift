import Crypto
import Mesh
import Observability
import Reactor
import Snapshot
import TLS
import Transport
import Wire

extension Subscription {
    /// Connects after a pause and reads until the connection ends.
    func connect(to server: Int, after pause: Duration) {
        guard !isStopping, servers.indices.contains(server) else { return }
        let name = servers[server]
        linkTask = Task {
            if pause > .zero { try? await self.reactor.sleep(for: pause) }
            guard !Task.isCancelled, !self.isStopping else { return }
            await self.follow(name)
            guard !self.isStopping else { return }
            await self.perform(
                self.subscriber?.disconnected(jitter: self.settings.jitter()) ?? []
            )
        }
    }

    /// Ends the connection; what follows is the reader's to notice.
    func breakLink(_ reason: String) {
        linkProblem = reason
        logger.warning("leaving a server", ["reason": .text(reason)])
        let connection = connection
        Task { await connection?.close() }
    }

    private func follow(_ server: String) async {
        let stream: StreamConnection
        do throws(LinkFailure) {
            stream = try await reach(server)
        } catch {
            linkProblem = "\(server): \(error.description)"
            metrics.connectFailures.increment()
            logger.warning(
                "no connection to a server",
                ["server": .text(server), "problem": .text(error.description)]
            )
            return
        }
        connection = stream
        connectedServer = server
        linkProblem = nil
        metrics.isConnected.set(1)
        logger.info("connected to a server", ["server": .text(server)])
        await perform(subscriber?.connected() ?? [])
        requestDueCertificates()
        reportStatus()
        sendOldestEvidence()
        followLeases()
        let problem = await read(stream)
        await stream.close()
        connection = nil
        connectedServer = nil
        outbox = []
        outboxByteCount = 0
        evidenceInFlight = nil
        renewals.disconnected()
        leaseBook.disconnected()
        keysUnderWay = [:]
        metrics.isConnected.set(0)
        linkProblem = linkProblem ?? "\(server): \(problem)"
        logger.warning(
            "lost a server",
            ["server": .text(server), "problem": .text(problem)]
        )
    }

    private struct LinkFailure: Error {
        let description: String
    }

    private func reach(_ server: String) async throws(LinkFailure) -> StreamConnection {
        // Read anew for each attempt: `join` may have replaced key and certificate meanwhile.
        readOwnCertificate()
        let own: AgentIdentity
        do throws(EnrolmentError) {
            own = try AgentIdentity(in: folder)
        } catch {
            throw LinkFailure(description: error.description)
        }
        guard settings.now() <= own.notAfter else {
            throw LinkFailure(description: expiredAdvice)
        }
        let found: [SocketAddress]
        do {
            found = try await resolver.run {
                Result { () throws(NameResolutionError) in
                    try NameResolver.addresses(ofServer: server)
                }
            }.get()
        } catch {
            throw LinkFailure(description: "\(error)")
        }
        var latest = "no address"
        for address in found {
            do throws(StreamError) {
                return try await StreamConnection.connect(
                    to: address,
                    on: reactor,
                    security: try security(own),
                    deadline: reactor.now.advanced(by: SubscriptionLimits.connectTimeout)
                )
            } catch {
                latest = "\(address): \(error)"
            }
        }
        throw LinkFailure(description: latest)
    }

    private func security(_ own: AgentIdentity) throws(StreamError) -> StreamSecurity {
        let verifier = ServerTrust.verifier(roots, now: settings.now)
        do throws(TLSConfigurationError) {
            let context = try TLSContext(
                client: TLSClientConfiguration(
                    verifier: verifier,
                    applicationProtocols: [ServerTrust.applicationProtocol],
                    requiresApplicationProtocol: true
                )
            )
            return .client(
                context,
                serverName: ServerTrust.serverName(in: enrolment.trustDomain),
                credentials: own.credentials,
                verifier: nil
            )
        } catch {
            throw .configuration(error)
        }
    }

    /// Reads messages until the connection ends; says why it did.
    private func read(_ stream: StreamConnection) async -> String {
        var decoder = FrameDecoder()
        while true {
            do {
                let deadline = reactor.now.advanced(by: SubscriptionLimits.silenceTimeout)
                guard let bytes = try await stream.read(deadline: deadline) else {
                    return "the server ended the connection"
                }
                decoder.append(bytes)
                lastContact = settings.now()
                while let message = try decoder.next() {
                    if let refusal = await received(message) { return refusal }
                }
            } catch {
                return "\(error)"
            }
        }
    }

    /// Handles one message; gives the reason to end the connection, if it is one.
    private func received(_ message: Message) async -> String? {
        switch message {
        case .manifest(let envelope):
            await perform(
                subscriber?.manifestReceived(envelope, now: settings.now()) ?? []
            )
        case .section(let chunk):
            await perform(subscriber?.sectionReceived(chunk) ?? [])
        case .trust(let envelope):
            await perform(subscriber?.trustReceived(envelope) ?? [])
        case .certificateAnswer(let answer):
            await received(answer)
        case .evidenceAcknowledgement(let batch):
            evidenceAcknowledged(batch)
        case .ping(let number):
            send(.pong(number))
        case .pong:
            subscriber?.pongReceived()
        case .health(let notice):
            await took(notice)
        case .leaseAnswer(let answer):
            received(answer)
        case .refusal(let refusal):
            lastRefusal = ("\(refusal.code): \(refusal.text)", settings.now())
            return "\(refusal.code): \(refusal.text)"
        case .hello, .want, .acknowledgement, .certificateRequest, .status, .evidence,
            .leaseRequest:
            return "the server sent what only agents send"
        }
        return nil
    }

    // MARK: Sending

    /// Queues a message; a server that does not read loses the connection.
    func send(_ message: Message) {
        guard connection != nil else { return }
        guard let bytes = try? Frame.encode(message) else {
            logger.error(
                "a message is too large to send",
                ["kind": .integer(message.kind.rawValue)]
            )
            return
        }
        outboxByteCount += bytes.count
        guard outboxByteCount <= SubscriptionLimits.outboxByteCountMax else {
            return breakLink("the server does not read")
        }
        outbox.append(bytes)
        startSending()
    }

    private func startSending() {
        guard let connection, !isSending, !outbox.isEmpty else { return }
        isSending = true
        Task { await self.drainOutbox(to: connection) }
    }

    private func drainOutbox(to stream: StreamConnection) async {
        while connection === stream, !outbox.isEmpty {
            let bytes = outbox.removeFirst()
            outboxByteCount -= bytes.count
            do throws(StreamError) {
                try await stream.write(bytes)
            } catch {
                // Its reader notices and empties the outbox.
                await stream.close()
                break
            }
        }
        isSending = false
        // What waits by now may belong to the connection after this one.
        if connection !== stream { startSending() }
    }

    /// Waits a moment until everything is sent, at the end of the process.
    func flushOutbox() async {
        for _ in 0..<20 where isSending || evidenceInFlight != nil {
            try? await reactor.sleep(for: .milliseconds(50))
        }
    }
}
