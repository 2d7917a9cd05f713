import Control
import Crypto
import Mesh
import Reactor
import Snapshot
import Support
import Transport
import Wire

/// A peer that says what a test tells it to, whatever the protocol wants.
actor RawAgent: ReactorBound {
    nonisolated let reactor = TestDatabase.reactor
    private let name: AgentName
    private let fixture: DistributionFixture
    private var server: StreamServer?
    private var connection: StreamConnection?
    private(set) var messages: [Message] = []
    private(set) var isEnded = false

    /// When the certificate of its connection ends.
    private let notAfter: Timestamp

    init(
        _ name: AgentName,
        _ fixture: DistributionFixture,
        notAfter: Timestamp = .distantFuture
    ) throws {
        self.name = name
        self.fixture = fixture
        self.notAfter = notAfter
    }

    /// The codes of the refusals that it was sent.
    var refusals: [String] {
        messages.compactMap { if case .refusal(let refusal) = $0 { refusal.code } else { nil } }
    }

    /// Introduces itself, holding nothing.
    func greet(meshAddress: String? = nil) async {
        await send(
            .hello(
                Hello(
                    agent: name,
                    software: "raw",
                    mark: nil,
                    head: nil,
                    trustVersion: 1,
                    trustHash: fixture.authority.anchor.hash,
                    held: [],
                    meshAddress: meshAddress
                )
            )
        )
    }

    /// The manifest that it was shown, if any.
    var manifestHash: SHA256Digest? {
        for case .manifest(let bytes) in messages {
            return (try? Envelope(encoded: bytes))?.payloadHash
        }
        return nil
    }

    func connect(to distribution: Distribution) async throws {
        let spiffeID = SPIFFEID(agent: name, in: fixture.control.trustDomain).description
        let notAfter = notAfter
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: nil
        ) { connection, _ in
            await distribution.serve(
                connection,
                peer: AgentPeer(
                    spiffeID: spiffeID,
                    serialNumber: [1],
                    leafDigest: [],
                    notAfter: notAfter,
                    address: "192.0.2.9"
                )
            )
        }
        self.server = server
        let connection = try await StreamConnection.connect(
            to: server.localAddress,
            on: reactor,
            security: .none,
            deadline: .now + .seconds(20)
        )
        self.connection = connection
        Task {
            var decoder = FrameDecoder()
            while let bytes = try? await connection.read() {
                decoder.append(bytes)
                while let message = try? decoder.next() { messages.append(message) }
            }
            isEnded = true
            await connection.close()
        }
    }

    func send(_ message: Message) async {
        guard let frame = try? Frame.encode(message) else { return }
        try? await connection?.write(frame)
    }

    func close() async {
        await connection?.close()
        await server?.drain(grace: .seconds(5))
    }
}
