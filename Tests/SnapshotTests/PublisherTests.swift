import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct PublisherTests {
    private let world: World
    private let small: [EncodedSection]

    init() throws {
        world = try World()
        small = try world.sections()
    }

    private func publisher() -> Publisher {
        Publisher(agent: world.agent, trustChain: [world.trust])
    }

    private func hello(
        mark: SnapshotMark? = nil,
        head: [UInt8]? = nil,
        held: Set<SHA256Digest> = [],
        trustVersion: UInt64 = 1
    ) -> Hello {
        Hello(
            agent: world.agent,
            software: "test",
            mark: mark,
            head: head,
            trustVersion: trustVersion,
            trustHash: world.trust.hash,
            held: held
        )
    }

    private func sent(_ actions: [Publisher.Action]) throws -> [Message] {
        var decoder = FrameDecoder()
        var messages: [Message] = []
        for case .write(let bytes) in actions {
            decoder.append(bytes)
            while let message = try decoder.next() { messages.append(message) }
        }
        return messages
    }

    private func kinds(_ actions: [Publisher.Action]) throws -> [FrameKind] {
        try sent(actions).map(\.kind)
    }

    private func byteCount(_ actions: [Publisher.Action]) -> Int {
        actions.reduce(0) { total, action in
            if case .write(let bytes) = action { total + bytes.count } else { total }
        }
    }

    private func applied(_ publication: Publication) -> Acknowledgement {
        Acknowledgement(
            manifest: publication.mark.manifestHash,
            mark: publication.mark,
            appliedAt: World.now,
            trustVersion: 1,
            errors: []
        )
    }

    @Test func nothingIsSentBeforeTheHello() throws {
        var publisher = publisher()
        let publication = try world.publication(revision: 1, sections: small)
        #expect(publisher.published(publication).isEmpty)
        let actions = publisher.helloReceived(hello())
        #expect(try kinds(actions) == [.manifest, .section, .section, .section, .section])
    }

    @Test func onlyWhatTheAgentLacksIsSent() throws {
        var publisher = publisher()
        let publication = try world.publication(revision: 1, sections: small)
        let held = Set(small.dropFirst().map(\.reference.hash))
        _ = publisher.helloReceived(hello(held: held))
        let messages = try sent(publisher.published(publication))
        #expect(messages.map(\.kind) == [.manifest, .section])
        guard case .section(let chunk) = messages.last else { return }
        #expect(chunk.hash == small[0].reference.hash)
        // What the agent asks for is added, but not what is on its way already.
        _ = publisher.written(byteCount: 1 << 20)
        let asked = publisher.wantReceived(
            Want(
                manifest: publication.mark.manifestHash,
                sections: [small[0].reference.hash, small[1].reference.hash]
            )
        )
        #expect(try kinds(asked) == [.section])
    }

    @Test func knowingAHashGivesNoRight() throws {
        var publisher = publisher()
        let publication = try world.publication(revision: 1, sections: small)
        _ = publisher.helloReceived(hello())
        _ = publisher.published(publication)
        let foreign = SHA256.digest(of: [9])
        let actions = publisher.wantReceived(
            Want(manifest: publication.mark.manifestHash, sections: [foreign])
        )
        #expect(actions == [.close("section \(foreign) is not part of the manifest")])
    }

    @Test func anAgentThatIsUpToDateIsLeftAlone() throws {
        var publisher = publisher()
        let publication = try world.publication(revision: 1, sections: small)
        _ = publisher.published(publication)
        let greeting = hello(mark: publication.mark, head: publication.envelope)
        #expect(publisher.helloReceived(greeting).isEmpty)
        #expect(publisher.isSettled)
        #expect(publisher.acknowledgedMark == publication.mark)
    }

    @Test func newerManifestsReplaceEachOtherWhileOneIsUnderWay() throws {
        var publisher = publisher()
        _ = publisher.helloReceived(hello())
        let publications = try (1...4).map {
            try world.publication(revision: UInt64($0), sections: small)
        }
        #expect(!publisher.published(publications[0]).isEmpty)
        for later in publications[1...] { #expect(publisher.published(later).isEmpty) }
        #expect(publisher.published(publications[1]).isEmpty)
        _ = publisher.written(byteCount: 1 << 20)
        let actions = publisher.acknowledgementReceived(applied(publications[0]))
        #expect(actions.first == .acknowledged(applied(publications[0])))
        // The sections are the same, so the newest manifest goes alone; 2 and 3 are skipped.
        #expect(try sent(actions) == [.manifest(publications[3].envelope)])
        _ = publisher.acknowledgementReceived(applied(publications[3]))
        #expect(publisher.isSettled)
    }

    /// The simulation's seed 134: the agent came back to a manifest that it had refused for want
    /// of a trust document, and its question for the sections was taken for an old one.
    @Test func aRefusedManifestIsServedToAnAgentThatTriesItAgain() throws {
        var publisher = publisher()
        let publication = try world.publication(revision: 1, sections: small)
        _ = publisher.helloReceived(hello())
        _ = publisher.published(publication)
        _ = publisher.written(byteCount: 1 << 20)
        var refusal = applied(publication)
        refusal.mark = nil
        refusal.appliedAt = nil
        refusal.errors = ["unknown_key"]
        _ = publisher.acknowledgementReceived(refusal)
        #expect(publisher.isSettled)
        let asked = publisher.wantReceived(
            Want(
                manifest: publication.mark.manifestHash,
                sections: [small[1].reference.hash]
            )
        )
        #expect(try sent(asked).map(\.kind) == [.section])
        guard case .section(let chunk) = try sent(asked).first else { return }
        #expect(chunk.hash == small[1].reference.hash)
        #expect(!publisher.isSettled)
        _ = publisher.acknowledgementReceived(applied(publication))
        #expect(publisher.isSettled)
    }

    @Test func aRefusedManifestIsNotOfferedAgainUntilThereIsAnother() throws {
        var publisher = publisher()
        _ = publisher.helloReceived(hello())
        let first = try world.publication(revision: 1, sections: small)
        _ = publisher.published(first)
        var refusal = applied(first)
        refusal.mark = nil
        refusal.errors = ["not_persisted", "disk full"]
        #expect(try kinds(publisher.acknowledgementReceived(refusal)).isEmpty)
        #expect(publisher.written(byteCount: 1 << 20).isEmpty)
        let renewed = try world.publication(
            revision: 1,
            sections: small,
            issued: World.now + .seconds(1)
        )
        #expect(try kinds(publisher.published(renewed)).first == .manifest)
    }

    @Test func aSilentAgentCostsOneWaitingManifestAndABoundedConnection() throws {
        var publisher = publisher()
        #expect(publisher.pendingByteCount == 0)
        _ = publisher.helloReceived(hello())
        let large = try world.sections(padding: 1500)
        _ = publisher.published(try world.publication(revision: 1, sections: large))
        let unsent = publisher.pendingByteCount
        #expect(unsent > 0 && unsent <= Publisher.unsentMaxBytes)
        for revision in 2...500 {
            let next = try world.publication(revision: UInt64(revision), sections: small)
            _ = publisher.published(next)
            #expect(publisher.pendingByteCount == unsent + next.envelope.count)
        }
    }

    @Test func atMostSixtyFourKibibytesWaitInTheConnection() throws {
        let large = try world.sections(padding: 1500)
        let publication = try world.publication(revision: 1, sections: large)
        var publisher = publisher()
        _ = publisher.helloReceived(hello())
        var actions = publisher.published(publication)
        var chunks: [SHA256Digest: [UInt8]] = [:]
        var rounds = 0
        while byteCount(actions) > 0 {
            #expect(byteCount(actions) <= Publisher.unsentMaxBytes)
            for case .section(let chunk) in try sent(actions) {
                #expect(chunks[chunk.hash, default: []].count == chunk.offset)
                chunks[chunk.hash, default: []] += chunk.bytes
            }
            actions = publisher.written(byteCount: byteCount(actions))
            rounds += 1
        }
        #expect(rounds > 2)
        for section in large { #expect(chunks[section.reference.hash] == section.bytes) }
    }

    @Test func anAgentAheadOfThisServerStopsIt() throws {
        var publisher = publisher()
        let ahead = try world.publication(revision: 9, sections: small)
        _ = publisher.published(try world.publication(revision: 3, sections: small))
        let greeting = hello(mark: ahead.mark, head: ahead.envelope)
        #expect(
            publisher.helloReceived(greeting)
                == [.headShown(ahead.envelope, mark: ahead.mark)]
        )
        let later = try world.publication(revision: 4, sections: small)
        #expect(publisher.published(later).isEmpty)
        let caughtUp = try world.publication(revision: 10, sections: small)
        #expect(try kinds(publisher.published(caughtUp)).first == .manifest)
    }

    @Test func aHeadIsComparedWithTheFirstPublicationToo() throws {
        var publisher = publisher()
        let ahead = try world.publication(revision: 9, sections: small)
        #expect(
            publisher.helloReceived(hello(mark: ahead.mark, head: ahead.envelope)).isEmpty
        )
        let older = try world.publication(revision: 3, sections: small)
        #expect(
            publisher.published(older) == [.headShown(ahead.envelope, mark: ahead.mark)]
        )
        #expect(try kinds(publisher.headWasForged()).first == .manifest)
    }

    @Test func missedTrustDocumentsComeFirstAndInOrder() throws {
        let second = try world.nextTrust(epoch: 1)
        var publisher = Publisher(agent: world.agent, trustChain: [world.trust, second])
        _ = publisher.published(try world.publication(revision: 1, sections: small))
        let messages = try sent(publisher.helloReceived(hello(trustVersion: 0)))
        #expect(messages.prefix(2).map(\.kind) == [.trust, .trust])
        #expect(messages.first == .trust(world.trust.envelope.encoded))
        #expect(messages[2].kind == .manifest)
    }

    @Test func anotherAgentsHelloEndsTheConnection() throws {
        var publisher = Publisher(agent: try AgentName("host-2"), trustChain: [world.trust])
        let actions = publisher.helloReceived(hello())
        #expect(actions == [.close("the hello names another agent than the certificate")])
        #expect(publisher.published(try world.publication(revision: 1, sections: small)).isEmpty)
    }
}
