import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct FrameTests {
    private let messages: [Message]

    init() throws {
        let world = try World()
        let sections = try world.sections()
        let publication = try world.publication(revision: 3, sections: sections)
        let hash = SHA256.digest(of: [1])
        let decision = Decision(
            id: UUIDv7(timestamp: World.now, random: Array(repeating: 1, count: 10)),
            time: World.now,
            agent: world.agent,
            source: SPIFFEID(service: world.web, in: world.trustDomain),
            destination: world.database,
            ruling: Ruling(
                verdict: .allow,
                reason: .allowedByIntention,
                ruleID: try RuleID("rule-1"),
                precedence: 9
            ),
            revision: 3,
            peerAddress: "127.0.0.1:4000"
        )
        let refused = Decision(
            id: UUIDv7(timestamp: World.now, random: Array(repeating: 2, count: 10)),
            time: World.now,
            agent: world.agent,
            source: nil,
            destination: nil,
            ruling: .refused(.unknownSNI),
            revision: 0,
            peerAddress: nil
        )
        let flow = Flow(
            minute: World.now,
            source: SPIFFEID(service: world.web, in: world.trustDomain),
            destination: world.database,
            ruleID: nil,
            opened: 1,
            bytesSent: 2
        )
        messages =
            [
                .hello(
                    Hello(
                        agent: world.agent,
                        software: "test",
                        mark: publication.mark,
                        head: publication.envelope,
                        trustVersion: 1,
                        trustHash: world.trust.hash,
                        held: [hash]
                    )
                ),
                .manifest(publication.envelope),
                .want(Want(manifest: hash, sections: [hash])),
                .section(SectionChunk(hash: hash, offset: 0, byteCount: 3, bytes: [1, 2, 3])),
                .trust(world.trust.envelope.encoded),
                .acknowledgement(
                    Acknowledgement(
                        manifest: hash,
                        mark: nil,
                        appliedAt: nil,
                        trustVersion: 1,
                        errors: ["fork", "two contents"]
                    )
                ),
                .acknowledgement(
                    Acknowledgement(
                        manifest: hash,
                        mark: publication.mark,
                        appliedAt: World.now,
                        trustVersion: 1,
                        errors: []
                    )
                ),
                .certificateRequest(CertificateRequest(id: 1, service: nil, csr: [4])),
                .certificateRequest(CertificateRequest(id: 2, service: world.web, csr: [4, 5])),
                .certificateAnswer(CertificateAnswer(id: 1, chain: [[1], [2, 3]])),
                .certificateAnswer(
                    CertificateAnswer(id: 2, chain: [], error: "busy", retryAfter: .seconds(5))
                ),
                .status(["ready": true]),
                .evidence(
                    EvidenceBatch(
                        batch: 9,
                        previous: .beginning(of: world.agent),
                        dropped: 1,
                        decisions: [decision, refused],
                        flows: [flow]
                    )
                ),
                .evidenceAcknowledgement(batch: 9),
                .refusal(StreamRefusal(code: "not_placed", text: "no such placement")),
                .ping(1), .pong(.init(Int64.max)),
                .health(HealthNotice(weights: [world.web: [world.agent: 3]])),
            ] + Self.leaseMessages
    }

    private static var leaseMessages: [Message] {
        guard let profile = try? ProfileName("reader"),
            let host = try? OutsideHost("db.example.com"),
            let id = try? UUIDv7(parsing: "0190a5b6-7c8d-7e9f-8a0b-1c2d3e4f5061"),
            let verifier = try? SCRAMVerifier(
                "SCRAM-SHA-256$4096:\(Base64.encode([UInt8](repeating: 1, count: 16)))"
                    + "$\(Base64.encode([UInt8](repeating: 2, count: 32)))"
                    + ":\(Base64.encode([UInt8](repeating: 3, count: 32)))"
            )
        else { return [] }
        let lease = LeaseID(profile: profile, id: id)
        let account = LeasedAccount(
            lease: lease,
            remaining: .milliseconds(59_500),
            mostRemaining: .seconds(300),
            host: host,
            port: 5_432,
            authorities: [[1, 2]],
            database: "orders",
            settings: ["statement_timeout"]
        )
        return [
            .leaseRequest(
                AgentLeaseRequest(
                    id: 1,
                    act: .issue(port: 15_432, profile: profile, verifier: verifier)
                )
            ),
            .leaseRequest(AgentLeaseRequest(id: 2, act: .renew(lease))),
            .leaseRequest(AgentLeaseRequest(id: 3, act: .revoke(lease))),
            .leaseAnswer(AgentLeaseAnswer(id: 1, account: account)),
            .leaseAnswer(AgentLeaseAnswer(id: 2, error: "busy: wait", retryAfter: .seconds(1))),
            .leaseAnswer(AgentLeaseAnswer(id: 3)),
        ]
    }

    @Test func everyKindOfMessageIsThere() {
        #expect(Set(messages.map(\.kind)) == Set(FrameKind.allCases))
    }

    /// The same bytes cut anywhere give the same messages.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 64, 1000, 1 << 20])
    func messagesSurviveEveryCut(chunkByteCount: Int) throws {
        let stream = try messages.flatMap { try Frame.encode($0) }
        var decoder = FrameDecoder()
        var decoded: [Message] = []
        for start in stride(from: 0, to: stream.count, by: chunkByteCount) {
            decoder.append(stream[start..<min(start + chunkByteCount, stream.count)])
            while let message = try decoder.next() { decoded.append(message) }
        }
        #expect(decoded == messages)
        #expect(decoder.bufferedByteCount == 0)
    }

    @Test func eachMessageSurvivesACutAtEveryOffset() throws {
        for message in messages {
            let bytes = try Frame.encode(message)
            // Around the header and the end every offset, within the payload every 13th.
            let cuts = (0...bytes.count).filter { $0 < 16 || $0 > bytes.count - 8 || $0 % 13 == 0 }
            for cut in cuts {
                var decoder = FrameDecoder()
                decoder.append(bytes[..<cut])
                let first = try decoder.next()
                #expect((first != nil) == (cut == bytes.count))
                decoder.append(bytes[cut...])
                #expect(try (first ?? decoder.next()) == message)
            }
        }
    }

    @Test func theHeaderIsJudgedBeforeThePayloadIsWaitedFor() {
        var decoder = FrameDecoder()
        decoder.append([0x00, 0x10, 0x00, 0x01, 13])
        #expect(throws: FrameError.tooLong(byteCount: (1 << 20) + 1)) { try decoder.next() }
        decoder = FrameDecoder()
        decoder.append([0xFF, 0xFF, 0xFF, 0xFF, 13])
        #expect(throws: FrameError.tooLong(byteCount: 0xFFFF_FFFF)) { try decoder.next() }
        decoder = FrameDecoder()
        decoder.append([0, 0, 0, 9, 99])
        #expect(throws: FrameError.unknownKind(99)) { try decoder.next() }
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"number\":1,\"x\":2}", "{\"number\": 1}", "{\"number\":-1}",
    ])
    func malformedPayloadsEndTheConnection(payload: String) {
        var decoder = FrameDecoder()
        decoder.append([0, 0, 0, UInt8(payload.utf8.count), FrameKind.ping.rawValue])
        decoder.append(Array(payload.utf8))
        #expect(throws: FrameError.self) { try decoder.next() }
    }

    @Test func whatDoesNotFitAFrameIsTheSendersToSplit() {
        let text = String(repeating: "x", count: 1 << 20)
        #expect(throws: FrameError.self) { try Frame.encode(.status(["text": .string(text)])) }
    }
}
