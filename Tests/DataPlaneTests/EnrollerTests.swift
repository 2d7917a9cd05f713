import Crypto
import DataPlane
import Foundation
import HTTP
import Mesh
import Reactor
import Snapshot
import Support
import Synchronization
import TLS
import Testing
import Transport
import Wire

/// The two enrolment routes of a server, with real TLS.
private final class EnrolmentStand: Sendable {
    struct State {
        var secrets: [[UInt8]] = []
        var keys: Set<SHA256Digest> = []
        var status = Status.ok
        var agent = "host-1"
        var trust: [UInt8]?
        /// Ends the connection after each answer, so that the client connects again.
        var closes = false
    }

    let mesh: TestMesh
    let state = Mutex(State())
    let thread: ReactorThread

    init(_ mesh: TestMesh) throws {
        self.mesh = mesh
        thread = try ReactorThread(name: "enrol")
    }

    func start(_ leaf: TestMesh.Leaf) async throws -> HTTPServer {
        let credentials = try TLSCredentials(chain: leaf.chain, privateKey: leaf.privateKey)
        let context = try TLSContext(
            server: TLSServerConfiguration(
                credentials: { name in name == "enroll.mesh.example" ? credentials : nil },
                clientCertificate: .none,
                verifier: { _ in .refuse(PeerRefusal(.badCertificate, reason: "none asked")) },
                applicationProtocols: ["http/1.1"]
            )
        )
        return try await HTTPServer.start(
            on: .loopback(),
            reactors: [thread.reactor],
            configuration: HTTPServerConfiguration(security: context)
        ) { request in
            self.answer(request)
        }
    }

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        var response = respond(request)
        response.closesConnection = state.withLock { $0.closes }
        return response
    }

    private func respond(_ request: HTTPRequest) -> HTTPResponse {
        switch (request.head.method, request.head.path) {
        case (.get, "/v1/trust"):
            let shown = state.withLock { $0.trust } ?? mesh.trust.envelope.encoded
            return HTTPResponse(status: .ok, body: shown)
        case (.post, "/v1/enroll"):
            guard let document = try? JSON.parse(request.body),
                let read = try? FieldReader.read(
                    document,
                    { reader throws(FieldError) in try EnrolmentRequest(from: &reader) }
                ),
                let csr = try? CertificateSigningRequest(verifying: read.csr)
            else { return HTTPResponse(status: .badRequest) }
            let (status, agent) = state.withLock { state in
                state.secrets.append(read.secret)
                state.keys.insert(csr.publicKey.keyID)
                return (state.status, state.agent)
            }
            guard status == .ok, let name = try? AgentName(agent),
                let chain = try? chain(for: csr, agent: name)
            else {
                let body = #"{"errors":["the token is used"],"code":"join_token.used"}"#
                return HTTPResponse(status: status, body: Array(body.utf8))
            }
            let answer = EnrolmentAnswer(
                agent: name,
                chain: chain,
                servers: ["control.example:7401"]
            )
            return HTTPResponse(status: .ok, body: JSON.canonical(answer.document))
        default: return HTTPResponse(status: .notFound)
        }
    }

    private func chain(
        for csr: CertificateSigningRequest,
        agent: AgentName
    ) throws -> [[UInt8]] {
        let template = CertificateTemplate(
            serialBytes: Randomness.bytes(CertificateTemplate.serialByteCount),
            notBefore: mesh.now - .seconds(60),
            notAfter: mesh.now + .seconds(3_600),
            purpose: .leaf(
                spiffeID: SPIFFEID(agent: agent, in: mesh.trustDomain).description,
                dnsNames: []
            )
        )
        return [
            try mesh.intermediate.issue(template, for: csr.publicKey),
            mesh.intermediate.certificate.encoded,
        ]
    }
}

struct EnrollerTests {
    private let mesh: TestMesh
    private let stand: EnrolmentStand
    private let folder: AgentFolder

    init() throws {
        let now = Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
        mesh = try TestMesh(now: now)
        stand = try EnrolmentStand(mesh)
        folder = AgentFolder(FileManager.default.temporaryDirectory.path + "/join-\(UUID())")
    }

    private func token(
        _ server: HTTPServer,
        trustHash: SHA256Digest? = nil,
        agent: String = "host-1"
    ) throws -> JoinToken {
        JoinToken(
            agent: try AgentName(agent),
            servers: ["\(server.localAddress)"],
            trustDomain: mesh.trustDomain,
            trustHash: trustHash ?? mesh.trust.hash,
            secret: SecretBytes(copying: Array(repeating: 7, count: 32))
        )
    }

    private var serverLeaf: TestMesh.Leaf {
        get throws {
            try mesh.leaf(
                .leaf(spiffeID: "spiffe://mesh.example/server/control-1", dnsNames: [])
            )
        }
    }

    private func join(_ token: JoinToken) async throws -> AgentEnrolment {
        let thread = try ReactorThread(name: "join")
        let resolver = try WorkerPool(name: "resolver", threadCount: 1)
        let now = mesh.now
        let enroller = Enroller(
            folder: folder,
            reactor: thread.reactor,
            resolver: resolver,
            now: { now }
        )
        let result: Result<AgentEnrolment, JoinError>
        do throws(JoinError) {
            result = .success(try await enroller.join(with: token))
        } catch {
            result = .failure(error)
        }
        await onThread {
            thread.stop()
            resolver.stop()
        }
        return try result.get()
    }

    private var secretsSent: Int { stand.state.withLock { $0.secrets.count } }

    private func remove() {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    @Test(arguments: [false, true])
    func aTokenMakesAnAgent(_ closesConnections: Bool) async throws {
        defer { remove() }
        stand.state.withLock { $0.closes = closesConnections }
        let server = try await stand.start(try serverLeaf)
        let enrolment = try await join(try token(server))
        #expect(enrolment.servers == ["control.example:7401"])
        #expect(try AgentIdentity(in: folder).chain.count == 2)
        #expect(try FileSystem.status(folder.certificatePath)?.mode == 0o600)
        #expect(try FileSystem.status(folder.newKeyPath) == nil)
        #expect(secretsSent == 1)
        await server.drain(grace: .zero)
    }

    @Test func anAttemptThatCannotBeStoredIsRepeatedWithItsKey() async throws {
        defer { remove() }
        let server = try await stand.start(try serverLeaf)
        // Nothing can take the certificate's name.
        try FileSystem.makeDirectory(folder.path)
        try FileSystem.makeDirectory(folder.certificatePath)
        await #expect(throws: JoinError.self) { try await join(try token(server)) }
        let kept = try SigningKey(
            pem: String(contentsOfFile: folder.newKeyPath, encoding: .utf8)
        )
        try FileSystem.removeDirectory(folder.certificatePath)
        _ = try await join(try token(server))
        #expect(try AgentIdentity(in: folder).key.publicKey == kept.publicKey)
        #expect(try FileSystem.status(folder.newKeyPath) == nil)
        await server.drain(grace: .zero)
    }

    @Test func aWrongTrustHashNeverSendsTheSecret() async throws {
        defer { remove() }
        let server = try await stand.start(try serverLeaf)
        let token = try token(server, trustHash: SHA256.digest(of: [1]))
        await #expect(throws: JoinError.self) { try await join(token) }
        #expect(secretsSent == 0)
        #expect(try FileSystem.status(folder.certificatePath) == nil)
        await server.drain(grace: .zero)
    }

    @Test(arguments: ["/agent/host-2", "/ns/default/svc/db"])
    func whoIsNoServerNeverGetsTheSecret(_ path: String) async throws {
        defer { remove() }
        let leaf = try mesh.leaf(
            .leaf(spiffeID: "spiffe://mesh.example\(path)", dnsNames: [])
        )
        let server = try await stand.start(leaf)
        let token = try token(server)
        await #expect(throws: JoinError.self) { try await join(token) }
        #expect(secretsSent == 0)
        await server.drain(grace: .zero)
    }

    @Test func aServerOfAnotherRootNeverGetsTheSecret() async throws {
        defer { remove() }
        let other = try TestMesh(now: mesh.now)
        let leaf = try other.leaf(
            .leaf(spiffeID: "spiffe://mesh.example/server/control-1", dnsNames: [])
        )
        let server = try await stand.start(leaf)
        let token = try token(server)
        await #expect(throws: JoinError.self) { try await join(token) }
        #expect(secretsSent == 0)
        await server.drain(grace: .zero)
    }

    @Test func aRefusedTokenSaysWhatToDoAndIsTriedAgainWithTheSameKey() async throws {
        defer { remove() }
        stand.state.withLock { $0.status = .forbidden }
        let server = try await stand.start(try serverLeaf)
        let token = try token(server)
        await #expect {
            _ = try await join(token)
        } throws: { error in
            "\(error)".contains("the token is used") && "\(error)".contains("agent invite")
        }
        stand.state.withLock { $0.status = .ok }
        _ = try await join(token)
        #expect(stand.state.withLock { $0.keys.count } == 1)
        await server.drain(grace: .zero)
    }

    @Test func anotherAgentsDirectoryIsNotTakenOver() async throws {
        defer { remove() }
        let server = try await stand.start(try serverLeaf)
        _ = try await join(try token(server))
        let token = try token(server, agent: "host-2")
        await #expect(throws: JoinError.otherAgent(held: "host-1", token: "host-2")) {
            try await join(token)
        }
        #expect(secretsSent == 1)
        await server.drain(grace: .zero)
    }

    @Test func joiningAgainReplacesKeyAndCertificateInPlace() async throws {
        defer { remove() }
        let server = try await stand.start(try serverLeaf)
        _ = try await join(try token(server))
        let first = try AgentIdentity(in: folder).key.publicKey
        _ = try await join(try token(server))
        #expect(try AgentIdentity(in: folder).key.publicKey != first)
        await server.drain(grace: .zero)
    }

    @Test func anAnswerForAnotherAgentIsRefused() async throws {
        defer { remove() }
        stand.state.withLock { $0.agent = "host-9" }
        let server = try await stand.start(try serverLeaf)
        let token = try token(server)
        await #expect(throws: JoinError.self) { try await join(token) }
        #expect(try FileSystem.status(folder.certificatePath) == nil)
        await server.drain(grace: .zero)
    }

    @Test func aServerThatIsAwayIsNamed() async throws {
        defer { remove() }
        let token = JoinToken(
            agent: try AgentName("host-1"),
            servers: ["127.0.0.1:1"],
            trustDomain: mesh.trustDomain,
            trustHash: mesh.trust.hash,
            secret: SecretBytes(copying: Array(repeating: 7, count: 32))
        )
        await #expect {
            _ = try await join(token)
        } throws: { error in
            "\(error)".contains("127.0.0.1:1")
        }
    }
}
