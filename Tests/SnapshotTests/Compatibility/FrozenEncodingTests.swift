import Crypto
import Foundation
import Mesh
import Snapshot
import Testing
import Wire

/// Agents of version 0.1.0 keep working: what they keep and send is read, and what they are sent
/// is what they know.
@Suite struct FrozenEncodingTests {
    private let files = FrozenFiles(version: "0.1.0")
    private let trustDomain: TrustDomain
    private let agent: AgentName
    private let now = Timestamp(secondsSinceEpoch: 1_900_000_000)

    init() throws {
        trustDomain = try TrustDomain("mesh.example")
        agent = try AgentName("host-1")
    }

    @Test func everyFrameIsReadAndWrittenAsItWas() throws {
        let frames = try files.frames()
        // A status frame is a free map whose fields the server's rooms read.
        #expect(
            Set(frames.map(\.kind))
                == Set(FrameKind.allCases).subtracting([
                    .status, .health, .leaseRequest, .leaseAnswer,
                ])
        )
        for (kind, bytes) in frames {
            var decoder = FrameDecoder()
            decoder.append(bytes)
            let message = try #require(try decoder.next(), "\(kind)")
            #expect(message.kind == kind)
            #expect(try Frame.encode(message) == bytes, "\(kind) is written differently now")
        }
    }

    @Test func aHelloWithoutFeaturesHasNone() throws {
        var decoder = FrameDecoder()
        for (_, bytes) in try files.frames().filter({ $0.kind == .hello }) {
            decoder.append(bytes)
            guard case .hello(let hello) = try decoder.next() else {
                Issue.record("no hello")
                return
            }
            #expect(hello.features == [])
        }
    }

    @Test func everyDecisionReasonOfThatTimeIsStillKnown() throws {
        let batches = try files.frames().filter { $0.kind == .evidence }
        var reasons: Set<DecisionReason> = []
        for (_, bytes) in batches {
            var decoder = FrameDecoder()
            decoder.append(bytes)
            guard case .evidence(let batch) = try decoder.next() else { continue }
            reasons.formUnion(batch.decisions.map(\.reason))
        }
        #expect(reasons.count >= 20)
    }

    @Test func theSnapshotOnDiskIsRestoredAndDecidesAsItDid() throws {
        let restored = SnapshotFiles.restore(
            agent: agent,
            trustDomain: trustDomain,
            now: now,
            read: files.bytes
        )
        #expect(restored.faults == [])
        let snapshot = try #require(restored.snapshot?.value)
        #expect(restored.mark?.revision == 7)
        let database = meshName(try ServiceName("shop/db"), in: trustDomain)
        let verdicts = [
            "shop/web": DecisionReason.allowedByIntention, "shop/other": .deniedByIntention,
            "else/where": .deniedByIntention, "shop/timed": .allowedByIntention,
            "shop/ended": .deniedByIntention,
        ]
        for (source, reason) in verdicts {
            let ruling = snapshot.decide(
                name: database,
                source: SourceIdentity(
                    trustDomain: trustDomain,
                    service: try ServiceName(source)
                ),
                question: .connection(requestsAreJudged: false),
                now: now
            )
            #expect(ruling.reason == reason, "\(source)")
        }
    }

    /// A section that says nothing new must be spelled as it was, or agents of that time refuse it.
    @Test func sectionsAreSpelledAsTheyWere() throws {
        let restored = SnapshotFiles.restore(
            agent: agent,
            trustDomain: trustDomain,
            now: now,
            read: files.bytes
        )
        let sections = try #require(restored.snapshot?.sections)
        let references = try #require(restored.snapshot?.value.manifest.manifest.sections)
        #expect(sections.count == 6)
        var kinds: Set<SectionKind> = []
        for reference in references {
            let bytes = try #require(sections[reference.hash])
            let content = try SnapshotVerifier.section(of: reference, bytes: bytes).content
            kinds.insert(content.kind)
            #expect(try EncodedSection(checking: content).bytes == bytes, "\(content.kind)")
        }
        #expect(kinds.isSuperset(of: [.inbound, .endpoints, .hosted, .upstreams, .denied]))
    }

    @Test func theEnrolmentOfThatTimeIsRead() throws {
        let bytes = try #require(files.bytes("enrolment.json"))
        let enrolment = try AgentEnrolment(
            try JSON.parse(bytes, source: "enrolment", limits: .request)
        )
        #expect(enrolment.servers == ["192.0.2.1:7401", "server.example:7401"])
        #expect(enrolment.encoded == bytes)
    }
}
