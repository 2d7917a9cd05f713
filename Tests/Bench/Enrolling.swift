import Crypto
import DataPlane
import HTTP
import Mesh
import Reactor
import Snapshot
import Synchronization
import TLS
import Transport
import Wire

/// Makes agents as people make them: a join token from the API, redeemed with a key of the host's.
struct Enrolling: Sendable {
    /// How many hosts join at one time.
    private static let laneCount = 16

    let site: Site
    let token: String
    let stateFile: String
    /// The service that every agent hosts.
    let placement: String

    /// Joins `PREFIX-N` for every number and keeps what they got in the state file.
    func perform(prefix: String, numbers: Range<Int>) async throws -> String {
        let thread = try ReactorThread(name: "enrol")
        let start = ContinuousClock.now
        let lanes = (0..<Self.laneCount).map { lane in
            numbers.filter { $0 % Self.laneCount == lane }
        }
        let joined = try await withThrowingTaskGroup(of: [Joined].self) { group in
            for lane in lanes {
                group.addTask(executorPreference: thread.reactor) {
                    let host = try JoiningHost(self, on: thread.reactor)
                    var joined: [Joined] = []
                    for number in lane { joined.append(try await host.join("\(prefix)-\(number)")) }
                    await host.close()
                    return joined
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        guard let anchor = joined.first?.trust else { throw BenchError("nobody has joined") }
        try EnrolledAgents.write(joined.map(\.agent), trust: anchor, to: stateFile)
        let took = (ContinuousClock.now - start) / .seconds(1)
        thread.stop()
        return #"{"agents":\#(joined.count),"seconds":\#(took)}"#
    }
}

/// A host that is an agent now, and the trust document that it checked.
private struct Joined: Sendable {
    let agent: EnrolledAgent
    let trust: TrustAnchor
}

/// One lane of joining hosts, with one connection to the API and one under the enrolment name.
private final class JoiningHost: Sendable {
    private let enrolling: Enrolling
    private let reactor: Reactor
    private let administrator: HTTPClient
    private let state = Mutex<(anchor: TrustAnchor, client: HTTPClient)?>(nil)

    init(_ enrolling: Enrolling, on reactor: Reactor) throws {
        self.enrolling = enrolling
        self.reactor = reactor
        administrator = try enrolling.site.client(on: reactor)
    }

    func close() async {
        await administrator.close()
        await state.withLock { $0?.client }?.close()
    }

    func join(_ name: String) async throws -> Joined {
        let token = try await joinToken(name)
        let (anchor, client) = try await enrolmentClient(token)
        let key = try SigningKey.generate(.ecdsaP256)
        let secret = token.secret.withBytes { bytes in bytes.indices.map { bytes[$0] } }
        let request = EnrolmentRequest(
            secret: secret,
            csr: try CertificateSigningRequest.make(for: key)
        )
        let document = try await answer(
            client,
            .post,
            "/v1/enroll",
            body: JSON.canonical(request.document)
        )
        let answer = try FieldReader.read(document, unknownFields: .tolerated) {
            reader throws(FieldError) in try EnrolmentAnswer(from: &reader)
        }
        return Joined(
            agent: EnrolledAgent(name: answer.agent, chain: answer.chain, key: key),
            trust: anchor
        )
    }

    private func joinToken(_ name: String) async throws -> JoinToken {
        let body = Document.fields([
            "ttl": .string("1h"), "placements": .list([.string(enrolling.placement)]),
        ])
        var fields = HeaderFields()
        try fields.append(.authorization, "Bearer \(enrolling.token)")
        let document = try await answer(
            administrator,
            .post,
            "/v1/agents/\(name)/join-tokens",
            fields,
            body: JSON.canonical(body)
        )
        guard let text = document["token"]?.text else { throw BenchError("no join token") }
        return try JoinToken(text)
    }

    /// Fetches the trust document that the token names, and from then on talks only to servers
    /// that it vouches for.
    private func enrolmentClient(_ token: JoinToken) async throws -> (TrustAnchor, HTTPClient) {
        if let known = state.withLock({ $0 }) { return known }
        let name = ServerTrust.enrolmentName(in: token.trustDomain)
        // Its answer is believed for its hash alone.
        let stranger = try enrolling.site.enrolmentClient(
            name,
            verifier: { chain in
                guard let leaf = try? Certificate(der: chain.certificates.first ?? []) else {
                    return .refuse(PeerRefusal(.badCertificate, reason: "no certificate"))
                }
                return .accept(
                    PeerIdentity(
                        name: "not verified",
                        serialNumber: leaf.serialNumber,
                        leafDigest: leaf.fingerprint.bytes,
                        notAfter: leaf.notAfter
                    )
                )
            },
            on: reactor
        )
        let response = try await stranger.send(.get, "/v1/trust")
        await stranger.close()
        let anchor = try TrustAnchor.first(
            try Envelope(encoded: response.body),
            trustDomain: token.trustDomain,
            pinnedHash: token.trustHash
        )
        let roots = try MeshRoots(
            certificates: anchor.document.authorities.map(\.certificate),
            trustDomain: token.trustDomain
        )
        let client = try enrolling.site.enrolmentClient(
            name,
            verifier: ServerTrust.verifier(roots, now: { Cost.now }),
            on: reactor
        )
        state.withLock { $0 = (anchor, client) }
        return (anchor, client)
    }

    private func answer(
        _ client: HTTPClient,
        _ method: HTTP.Method,
        _ target: String,
        _ fields: HeaderFields = HeaderFields(),
        body: [UInt8]
    ) async throws -> Document {
        var fields = fields
        try fields.append(.contentType, "application/json")
        let response = try await client.send(method, target, fields: fields, body: body)
        guard response.head.status.isSuccess else {
            let text = String(decoding: response.body.prefix(300), as: UTF8.self)
            throw BenchError("\(target): \(response.head.status.code) \(text)")
        }
        return try JSON.parse(response.body, source: "the answer")
    }
}
