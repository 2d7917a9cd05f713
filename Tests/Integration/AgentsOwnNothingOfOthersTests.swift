import Crypto
import Foundation
import HTTP
import Mesh
import Reactor
import Snapshot
import Support
import TLS
import Testing
import Transport
import Wire

/// An enrolled agent that asks for what belongs to another gets nothing, on the real port 7401.
@Suite(.timeLimit(.minutes(10))) struct AgentsOwnNothingOfOthersTests {
    @Test func leavesSectionsAndManifestsGoToTheirOwnAgent() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        let made = try await server.turnpike(
            ["apply", "-f", "-"],
            input: """
                kind: service
                name: db
                ---
                kind: service
                name: web
                """
        )
        try #require(made.code == 0, "\(made.errors)")
        let mine = try await server.enrol("host-1", placing: ["web"])
        let other = try await server.enrol("host-2", placing: ["db"])
        let victim = try await RunningAgent(other.start())
        try await victim.wait(for: "a snapshot") { ($0["certificates"]?.items?.count ?? 0) == 2 }
        let foreign = try sectionHashes(of: other)
        try #require(!foreign.isEmpty)

        let wire = try await WireAgent(mine, server)
        try await wire.greet(as: "host-1")
        let manifest = try #require(try await wire.manifest())
        #expect(manifest.agent.text == "host-1")
        #expect(Set(manifest.sections.map(\.hash)).isDisjoint(with: foreign))

        // The leaf of a service that is placed elsewhere, and of one that is nowhere.
        for service in ["db", "nothing"] {
            let answer = try await wire.certificate(of: ServiceName(service))
            #expect(answer.chain.isEmpty)
            #expect(answer.error?.contains("placed") == true, "\(answer.error ?? "")")
        }
        #expect(try await !wire.certificate(of: ServiceName("web")).chain.isEmpty)

        // A role for a port that is not there, and a lease of somebody else.
        let unknownPort = try await wire.lease(
            .issue(port: 15_432, profile: ProfileName("reader"), verifier: Self.verifier())
        )
        #expect(
            unknownPort.error?.hasPrefix("lease.no_upstream") == true,
            "\(unknownPort)"
        )
        let foreignLease = LeaseID(
            profile: try ProfileName("reader"),
            id: UUIDv7(timestamp: .distantPast, random: [UInt8](repeating: 1, count: 10))
        )
        for act in [AgentLeaseRequest.Act.renew(foreignLease), .revoke(foreignLease)] {
            let answer = try await wire.lease(act)
            #expect(answer.error?.hasPrefix("lease.not_found") == true, "\(answer)")
        }

        // A section of the other's: knowing its hash gives no right, and asking ends the stream.
        try await wire.send(
            .want(Want(manifest: wire.manifestHash, sections: [try #require(foreign.first)]))
        )
        let refusal = try #require(try await wire.refusal())
        #expect(refusal.code == "protocol")
        let sections = await wire.sectionHashes
        #expect(sections.isDisjoint(with: foreign))

        // Another's name in the hello.
        let impostor = try await WireAgent(mine, server)
        try await impostor.greet(as: "host-2")
        #expect(try await impostor.refusal()?.code == "protocol")
        #expect(await impostor.manifests.isEmpty)

        #expect(await victim.end() == 0)
        await server.stop()
    }

    private static func verifier() throws -> SCRAMVerifier {
        try SCRAMVerifier(
            SCRAM.Keys(
                of: SecretBytes(copying: [1, 2, 3]),
                salt: [UInt8](repeating: 1, count: SCRAM.saltByteCount)
            ).verifier
        )
    }

    private func sectionHashes(of home: JoinedAgent) throws -> Set<SHA256Digest> {
        let path = home.path + "/snapshot/" + SnapshotFiles.manifestName
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let manifest = try Manifest(encoded: try Envelope(encoded: bytes).payload)
        return Set(manifest.sections.map(\.hash))
    }
}

/// A peer of port 7401 with the real identity of an agent that says what a test tells it to.
private actor WireAgent: ReactorBound {
    nonisolated let reactor = TestDatabase.reactor
    private let connection: StreamConnection
    private var decoder = FrameDecoder()
    private var messages: [Message] = []
    private var isEnded = false

    init(_ home: JoinedAgent, _ server: ServerChild) async throws {
        // Chain and key stand in one file.
        let blocks = try Self.blocks(home.path + "/agent.pem")
        let context = try TLSContext(
            client: TLSClientConfiguration(
                verifier: { chain in
                    .accept(
                        PeerIdentity(
                            name: "server",
                            serialNumber: [],
                            leafDigest: [],
                            notAfter: .distantFuture
                        )
                    )
                },
                applicationProtocols: ["turnpike-agent/1"]
            )
        )
        guard let address = server.agentAddress else { throw WaitedInVain(what: "the port") }
        connection = try await StreamConnection.connect(
            to: address,
            on: TestDatabase.reactor,
            security: .client(
                context,
                serverName: "server.example.test",
                credentials: try TLSCredentials(
                    chain: blocks.filter { $0.label == Certificate.pemLabel }.map(\.bytes),
                    privateKey: blocks.first { $0.label == SigningKey.pemLabel }?.bytes ?? []
                ),
                verifier: nil
            ),
            deadline: .now + .seconds(20)
        )
    }

    private static func blocks(_ path: String) throws -> [PEM.Block] {
        try PEM.decode(String(contentsOfFile: path, encoding: .utf8))
    }

    func greet(as agent: String) async throws {
        try await send(
            .hello(
                Hello(
                    agent: AgentName(agent),
                    software: "test",
                    mark: nil,
                    head: nil,
                    trustVersion: 1,
                    trustHash: SHA256.digest(of: []),
                    held: [],
                    features: [.postgres]
                )
            )
        )
    }

    func send(_ message: Message) async throws {
        try await connection.write(try Frame.encode(message))
    }

    /// Reads on until something is there or the stream has ended.
    private func wait<Value>(for found: () -> Value?) async throws -> Value? {
        while true {
            if let value = found() { return value }
            guard !isEnded else { return nil }
            do {
                guard let bytes = try await connection.read(deadline: .now + .seconds(20)) else {
                    isEnded = true
                    continue
                }
                decoder.append(bytes)
                while let message = try decoder.next() { messages.append(message) }
            } catch {
                isEnded = true
            }
        }
    }

    var manifests: [[UInt8]] {
        messages.compactMap { if case .manifest(let bytes) = $0 { bytes } else { nil } }
    }

    var sectionHashes: Set<SHA256Digest> {
        Set(messages.compactMap { if case .section(let chunk) = $0 { chunk.hash } else { nil } })
    }

    var manifestHash: SHA256Digest {
        get throws {
            try Envelope(encoded: manifests.last ?? []).payloadHash
        }
    }

    func manifest() async throws -> Manifest? {
        guard let bytes = try await wait(for: { self.manifests.last }) else { return nil }
        return try Manifest(encoded: try Envelope(encoded: bytes).payload)
    }

    private var nextRequest: UInt64 = 1

    func certificate(of service: ServiceName) async throws -> CertificateAnswer {
        let id = nextRequest
        nextRequest += 1
        let csr = try CertificateSigningRequest.make(for: .generate(.ecdsaP256))
        try await send(
            .certificateRequest(CertificateRequest(id: id, service: service, csr: csr))
        )
        let answer = try await wait {
            for case .certificateAnswer(let answer) in self.messages where answer.id == id {
                return answer
            }
            return nil
        }
        guard let answer else { throw WaitedInVain(what: "an answer about \(service)") }
        return answer
    }

    func lease(_ act: AgentLeaseRequest.Act) async throws -> AgentLeaseAnswer {
        let id = nextRequest
        nextRequest += 1
        try await send(.leaseRequest(AgentLeaseRequest(id: id, act: act)))
        let answer = try await wait {
            for case .leaseAnswer(let answer) in self.messages where answer.id == id {
                return answer
            }
            return nil
        }
        guard let answer else { throw WaitedInVain(what: "an answer about a lease") }
        return answer
    }

    func refusal() async throws -> StreamRefusal? {
        try await wait {
            for case .refusal(let refusal) in self.messages { return refusal }
            return nil
        }
    }
}
