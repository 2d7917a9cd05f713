import Control
import Crypto
import Foundation
import Mesh
import Postgres
import Snapshot
import Store
import Support
import Synchronization
import Testing
import Wire

/// A founded and opened authority with the service `default/web`.
struct AuthorityFixture: Sendable {
    let base: ControlFixture
    let authority: Authority
    /// What the founding gave away to be kept elsewhere.
    let trustKey: KeptText

    var control: ControlPlane { base.control }
    var admin: Caller { base.admin }
    var agents: Agents { Agents(control) }
    var enrolment: Enrolment { Enrolment(control, authority) }
    var issuance: Issuance { Issuance(control, authority) }
    var joinTokens: JoinTokens { JoinTokens(control, authority, Self.addresses) }

    /// The last of the texts that were written.
    final class KeptText: Sendable {
        private let texts = Mutex<[String]>([])

        var all: [String] { texts.withLock { $0 } }

        func write(_ text: String) { texts.withLock { $0.append(text) } }
    }

    static let addresses = ServerAddresses(
        api: ["tp.example.org:7400"],
        agents: ["tp.example.org:7401"]
    )
    static let web = ServiceName.web
    static let host = AgentName.host
    static let visitor = Caller(
        principal: "anonymous",
        sourceAddress: "192.0.2.44",
        requestID: "request-join"
    )

    static func with(_ body: (AuthorityFixture) async throws -> Void) async throws {
        let trustKey = KeptText()
        try await ControlFixture.with(
            steps: [AuthorityFounding(writeTrustKey: trustKey.write).step]
        ) { base in
            let fixture = AuthorityFixture(
                base: base,
                authority: try await Authority.open(base.control),
                trustKey: trustKey
            )
            _ = try await base.control.catalog.apply(
                [.service(ServiceResource(service: Service(name: web)))],
                by: base.admin
            )
            try await body(fixture)
        }
    }

    /// A join token as the host reads it.
    func invite(
        _ agent: AgentName = host,
        _ request: JoinTokenRequest = JoinTokenRequest()
    ) async throws -> JoinToken {
        try JoinToken(try await joinTokens.create(for: agent, request, by: admin).text)
    }

    /// What a host does with its token.
    @discardableResult
    func join(_ token: JoinToken, _ key: SigningKey) async throws -> IssuedCertificate {
        try await enrolment.enrol(
            secret: token.secretBytes,
            request: CertificateSigningRequest.make(for: key),
            by: Self.visitor
        ).certificate
    }

    /// The agent that a certificate of a connection stands for.
    func recognise(_ certificate: IssuedCertificate) async throws -> AgentName {
        let leaf = try Certificate(der: certificate.chain[0])
        return try await enrolment.agent(
            spiffeID: leaf.uriNames.first ?? "",
            serialNumber: leaf.serialNumber
        )
    }

    /// The identity of a chain, judged as a peer of the mesh judges it.
    func validate(_ certificate: IssuedCertificate) throws -> String {
        var question = PathValidator.Question(role: .client, time: control.now())
        question.intermediates = try certificate.chain.dropFirst().map { der in
            try Certificate(der: der)
        }
        return try SVIDValidator(
            trustDomain: control.trustDomain.text,
            roots: [authority.root]
        ).validate(Certificate(der: certificate.chain[0]), question).spiffeID
    }

    func certificates(of agent: AgentName? = nil) async throws -> [CertificateRow] {
        try await control.read { database in
            try await CertificateRepository.list(
                spiffeID: nil,
                agent: agent,
                after: nil,
                limit: 1_000,
                in: database
            ).items
        }
    }

    /// The CAs as they are stored, forged ones included.
    func authorities() async throws -> [AuthorityRow] {
        try await control.read { database in
            try await AuthorityRepository.list(guardedBy: control.rowGuard, in: database)
        }
    }

    /// Runs a body with a new directory for files that the `openssl` command reads.
    static func withDirectory<Value>(_ body: (String) throws -> Value) throws -> Value {
        let path = NSTemporaryDirectory() + "turnpike-authority-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }
}

extension AuthorityFixture {
    /// The first trust key, which is kept outside.
    var trustSigningKey: SigningKey {
        get throws { try SigningKey(pem: try #require(trustKey.all.last)) }
    }

    /// Signs what a step proposes, as its owner does, and submits it.
    @discardableResult
    func submit(
        _ outcome: Rotations.Outcome,
        force: Bool = false,
        by key: SigningKey? = nil
    ) async throws -> TrustSubmission.Outcome {
        let proposal = try #require(outcome.proposal, "\(outcome.summary)")
        let envelope = try proposal.signed(by: [try key ?? trustSigningKey])
        return try await TrustSubmission(control, authority).submit(
            envelope.encoded,
            force: force,
            by: admin
        )
    }

    /// An agent holds the trust document of now.
    func acknowledge(_ agent: AgentName = host) async throws {
        let version = Int64(clamping: authority.trust?.document.version ?? 0)
        try await control.write { database in
            try await AgentStateRepository.connected(
                agent,
                to: "server-1",
                version: "test",
                in: database
            )
            try await AgentStateRepository.acknowledge(
                [
                    AgentAcknowledgement(
                        agent: agent,
                        epoch: 1,
                        revision: 1,
                        manifestHash: nil,
                        errors: [],
                        trustVersion: version
                    )
                ],
                in: database
            )
        }
    }

    /// The root that a chain leads to.
    func recogniseRoot(of issued: IssuedCertificate) throws -> Certificate? {
        let last = try Certificate(der: try #require(issued.chain.last))
        return try authority.roots.first { try last.isSigned(by: $0.publicKey()) }
    }
}

extension ServiceName {
    static let web = named("web")
    static let orders = named("orders")

    private static func named(_ text: String) -> ServiceName {
        guard let name = try? ServiceName(text) else { preconditionFailure("no name") }
        return name
    }
}

extension AgentName {
    static let host = named("web-1")
    static let other = named("db-1")

    private static func named(_ text: String) -> AgentName {
        guard let name = try? AgentName(text) else { preconditionFailure("no name") }
        return name
    }
}

extension JoinToken {
    var secretBytes: [UInt8] {
        secret.withBytes { bytes in
            var copy: [UInt8] = []
            for index in 0..<bytes.count { copy.append(bytes[index]) }
            return copy
        }
    }
}
