import Mesh
import Reactor
import Snapshot
import TLS
import Transport
import Wire

/// One simulated agent: the real stream and the real state machine, with no disk and no listeners.
actor FleetAgent: ReactorBound {
    private static let retryPause = Duration.seconds(1)

    /// What has happened to it, in wall-clock nanoseconds.
    struct Record: Sendable {
        /// When it wrote its last acknowledgement.
        var acknowledgedAt: Int64 = 0
        /// What it enforces.
        var revision: UInt64 = 0
        /// When it wrote its first one on this connection.
        var firstAt: Int64?
        var problem: String?
    }

    nonisolated let reactor: Reactor
    private let agent: EnrolledAgent
    private let address: SocketAddress
    private let context: TLSContext
    private let serverName: String
    private let credentials: TLSCredentials
    private var subscriber: Subscriber
    private var connection: StreamConnection?
    private(set) var record = Record()

    init(
        _ agent: EnrolledAgent,
        trust: TrustAnchor,
        address: SocketAddress,
        context: TLSContext,
        serverName: String,
        on reactor: Reactor
    ) throws {
        self.agent = agent
        self.address = address
        self.context = context
        self.serverName = serverName
        self.reactor = reactor
        credentials = try agent.credentials
        subscriber = Subscriber(
            agent: agent.name,
            software: "turnpike-bench",
            trust: trust,
            mark: nil,
            restored: nil,
            serverCount: 1
        )
    }

    /// Connects, again and again until somebody answers, and follows until the stream ends.
    func run() async {
        while !Task.isCancelled {
            do throws(StreamError) {
                let stream = try await StreamConnection.connect(
                    to: address,
                    on: reactor,
                    security: .client(
                        context,
                        serverName: serverName,
                        credentials: credentials,
                        verifier: nil
                    ),
                    deadline: Reactor.Instant.now + .seconds(60)
                )
                await follow(stream)
                await stream.close()
            } catch {
                record.problem = "\(error)"
            }
            connection = nil
            _ = subscriber.disconnected(jitter: 0)
            try? await reactor.sleep(for: Self.retryPause)
        }
    }

    private func follow(_ stream: StreamConnection) async {
        connection = stream
        record.firstAt = nil
        var decoder = FrameDecoder()
        do {
            try await perform(subscriber.connected(), on: stream)
            while let bytes = try await stream.read(deadline: .now + .seconds(600)) {
                decoder.append(bytes)
                while let message = try decoder.next() {
                    try await perform(take(message), on: stream)
                }
            }
            record.problem = record.problem ?? "the server ended the stream"
        } catch {
            record.problem = "\(error)"
        }
    }

    private func take(_ message: Message) -> [Subscriber.Action] {
        switch message {
        case .manifest(let envelope): return subscriber.manifestReceived(envelope, now: Cost.now)
        case .section(let chunk): return subscriber.sectionReceived(chunk)
        case .trust(let envelope): return subscriber.trustReceived(envelope)
        case .ping(let number): return [.send(.pong(number))]
        case .refusal(let refusal):
            record.problem = "\(refusal.code): \(refusal.text)"
            return []
        default: return []
        }
    }

    /// Disk and reactors take no time here.
    private func perform(_ actions: [Subscriber.Action], on stream: StreamConnection) async throws {
        for action in actions {
            switch action {
            case .send(let message):
                try await stream.write(try Frame.encode(message))
                if case .acknowledgement(let answer) = message { note(answer) }
            case .persist: try await perform(subscriber.persisted(), on: stream)
            case .persistTrust:
                try await perform(subscriber.trustPersisted(now: Cost.now), on: stream)
            case .apply: try await perform(subscriber.applied(at: Cost.now), on: stream)
            case .refused(let reason), .close(let reason): record.problem = reason
            case .adoptTrust, .retry, .connect, .reconnect: break
            }
        }
    }

    private func note(_ answer: Acknowledgement) {
        guard answer.errors.isEmpty, let mark = answer.mark else { return }
        record.acknowledgedAt = Cost.now.nanosecondsSinceEpoch
        record.revision = mark.revision
        record.firstAt = record.firstAt ?? record.acknowledgedAt
    }
}
