import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct SubscriberTests {
    private let world: World
    private let sections: [EncodedSection]

    init() throws {
        world = try World()
        sections = try world.sections()
    }

    private func subscriber(
        mark: SnapshotMark? = nil,
        restored: (value: ValidatedSnapshot, sections: [SHA256Digest: [UInt8]])? = nil
    ) -> Subscriber {
        Subscriber(
            agent: world.agent,
            software: "test",
            trust: world.trust,
            mark: mark,
            restored: restored,
            serverCount: 3
        )
    }

    private func connected(_ subscriber: inout Subscriber) {
        _ = subscriber.started(firstServer: 0)
        _ = subscriber.connected()
    }

    private func chunk(_ section: EncodedSection) -> SectionChunk {
        SectionChunk(
            hash: section.reference.hash,
            offset: 0,
            byteCount: section.bytes.count,
            bytes: section.bytes
        )
    }

    private func acknowledgement(_ actions: [Subscriber.Action]) -> Acknowledgement? {
        for case .send(.acknowledgement(let acknowledgement)) in actions { return acknowledgement }
        return nil
    }

    /// Brings a subscriber to the given publication.
    private func follow(_ publication: Publication, _ subscriber: inout Subscriber) throws {
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        for section in publication.sections { _ = subscriber.sectionReceived(chunk(section)) }
        _ = subscriber.persisted()
        _ = subscriber.applied(at: World.now)
        #expect(subscriber.mark == publication.mark)
    }

    @Test func persistThenApplyThenAcknowledge() throws {
        let publication = try world.publication(revision: 1, sections: sections)
        var subscriber = subscriber()
        #expect(subscriber.started(firstServer: 4) == [.connect(server: 1)])
        guard case .send(.hello(let hello)) = subscriber.connected().first else {
            Issue.record("no hello")
            return
        }
        #expect(hello.mark == nil)
        let want = subscriber.manifestReceived(publication.envelope, now: World.now)
        #expect(
            want == [
                .send(
                    .want(
                        Want(
                            manifest: publication.mark.manifestHash,
                            sections: publication.sections.map(\.reference).sorted().map(\.hash)
                        )
                    )
                )
            ]
        )
        for section in sections.dropLast() {
            #expect(subscriber.sectionReceived(chunk(section)).isEmpty)
        }
        let last = try #require(sections.last)
        guard case .persist(let stored) = subscriber.sectionReceived(chunk(last)).first else {
            Issue.record("not persisted")
            return
        }
        #expect(Set(stored.added.keys) == Set(sections.map(\.reference.hash)))
        #expect(subscriber.mark == nil)
        guard case .apply(let snapshot) = subscriber.persisted().first else {
            Issue.record("not applied")
            return
        }
        #expect(snapshot.mark == publication.mark)
        let final = try #require(acknowledgement(subscriber.applied(at: World.now)))
        #expect(final.errors.isEmpty)
        #expect(final.appliedAt == World.now)
        #expect(final.mark == publication.mark)
    }

    @Test func onlyNewSectionsAreFetchedAndOldOnesRemoved() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        try follow(try world.publication(revision: 1, sections: sections), &subscriber)
        let changed = try world.sections(.deny)
        let second = try world.publication(revision: 2, sections: changed)
        let want = subscriber.manifestReceived(second.envelope, now: World.now)
        let hash = changed[0].reference.hash
        #expect(
            want == [.send(.want(Want(manifest: second.mark.manifestHash, sections: [hash])))]
        )
        guard case .persist(let stored) = subscriber.sectionReceived(chunk(changed[0])).first
        else {
            Issue.record("not persisted")
            return
        }
        #expect(Set(stored.added.keys) == [hash])
        #expect(stored.removed == [sections[0].reference.hash])
    }

    @Test func aRefusalIsAcknowledgedAndChangesNothing() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let current = try world.publication(revision: 5, sections: sections)
        try follow(current, &subscriber)
        let older = try world.publication(revision: 4, sections: sections)
        let answer = try #require(
            acknowledgement(subscriber.manifestReceived(older.envelope, now: World.now))
        )
        #expect(answer.errors.first == "older_revision")
        #expect(answer.manifest == older.mark.manifestHash)
        #expect(answer.mark == current.mark)
        let garbage = try #require(
            acknowledgement(subscriber.manifestReceived([1, 2], now: World.now))
        )
        #expect(garbage.errors.first == "malformed")
        #expect(subscriber.mark == current.mark)
    }

    @Test func aFullDiskAppliesNothing() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let publication = try world.publication(revision: 1, sections: sections)
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        for section in sections { _ = subscriber.sectionReceived(chunk(section)) }
        let actions = subscriber.persistFailed("no space left", now: World.now)
        #expect(acknowledgement(actions)?.errors == ["not_persisted", "no space left"])
        #expect(subscriber.mark == nil)
        // The sections are still there: shown again, it goes straight to disk.
        let again = subscriber.manifestReceived(publication.envelope, now: World.now)
        guard case .persist = again.first else {
            Issue.record("fetched again")
            return
        }
    }

    /// A server offers a manifest once, so the agent itself must come back to it.
    @Test func whatTheDiskRefusedIsTriedAgainUntilSomethingNewerComes() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let publication = try world.publication(revision: 1, sections: sections)
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        for section in sections { _ = subscriber.sectionReceived(chunk(section)) }
        let actions = subscriber.persistFailed("no space left", now: World.now)
        #expect(actions.contains(.retry(after: .milliseconds(500))))
        // Also while no server is there.
        _ = subscriber.disconnected(jitter: 0)
        guard case .persist(let stored) = subscriber.retryDue(now: World.now).first else {
            Issue.record("not tried again")
            return
        }
        #expect(stored.mark == publication.mark)
        #expect(
            subscriber.persistFailed("no space left", now: World.now)
                .contains(.retry(after: .seconds(1)))
        )
        guard case .persist = subscriber.retryDue(now: World.now).first else {
            Issue.record("not tried again")
            return
        }
        _ = subscriber.persisted()
        _ = subscriber.applied(at: World.now)
        #expect(subscriber.mark == publication.mark)
        #expect(subscriber.retryDue(now: World.now) == [])
    }

    @Test func aTrustDocumentThatTheDiskRefusedIsTriedAgain() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let next = try world.nextTrust(epoch: 2)
        #expect(subscriber.trustReceived(next.envelope.encoded) == [.persistTrust(next)])
        let actions = subscriber.trustPersistFailed("no space left", now: World.now)
        #expect(actions.contains(.retry(after: .milliseconds(500))))
        #expect(subscriber.trust == world.trust)
        #expect(subscriber.retryDue(now: World.now) == [.persistTrust(next)])
        #expect(subscriber.trustPersisted(now: World.now) == [.adoptTrust(next)])
        #expect(subscriber.trust == next)
    }

    /// The simulation's seed 50: the manifest came right behind the trust document whose key it
    /// needs, was refused, and nobody would have offered it again.
    @Test func aManifestWaitsForTheTrustDocumentThatTheDiskRefused() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let nextKey = try SigningKey.generate(.ed25519)
        let next = try world.nextTrust(epoch: 1, snapshotKeys: [nextKey.publicKey])
        let publication = try world.publication(
            revision: 1,
            sections: sections,
            signedBy: nextKey
        )
        _ = subscriber.trustReceived(next.envelope.encoded)
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        let refused = subscriber.trustPersistFailed("no space left", now: World.now)
        #expect(acknowledgement(refused)?.errors.first == "unknown_key")
        #expect(subscriber.retryDue(now: World.now) == [.persistTrust(next)])
        let resumed = subscriber.trustPersisted(now: World.now)
        #expect(resumed.first == .adoptTrust(next))
        guard case .send(.want(let want)) = resumed.last else {
            Issue.record("the manifest is not judged again: \(resumed)")
            return
        }
        #expect(want.manifest == publication.mark.manifestHash)
    }

    @Test func aTrustDocumentWaitsForThePredecessorThatTheDiskRefused() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let second = try world.nextTrust(epoch: 1)
        let third = try world.nextTrust(after: second, epoch: 1)
        _ = subscriber.trustReceived(second.envelope.encoded)
        _ = subscriber.trustPersistFailed("no space left", now: World.now)
        // Offered twice: by the server that is connected, and by the next one.
        #expect(subscriber.trustReceived(third.envelope.encoded) == [])
        #expect(subscriber.trustReceived(third.envelope.encoded) == [])
        #expect(subscriber.retryDue(now: World.now) == [.persistTrust(second)])
        #expect(
            subscriber.trustPersisted(now: World.now)
                == [.adoptTrust(second), .persistTrust(third)]
        )
        #expect(subscriber.trustPersisted(now: World.now) == [.adoptTrust(third)])
    }

    @Test func trustDocumentsDoNotWaitWithoutEnd() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let second = try world.nextTrust(epoch: 1)
        _ = subscriber.trustReceived(second.envelope.encoded)
        _ = subscriber.trustPersistFailed("no space left", now: World.now)
        for number in 1..<TrustDocument.entriesMax {
            #expect(subscriber.trustReceived([UInt8(truncatingIfNeeded: number), 0]) == [])
        }
        guard case .close = subscriber.trustReceived([1, 1]).first else {
            Issue.record("trust documents pile up")
            return
        }
    }

    @Test func piecesMustFit() throws {
        let publication = try world.publication(revision: 1, sections: sections)
        let good = chunk(sections[0])
        var shifted = good
        shifted.offset = 1
        var longer = good
        longer.byteCount += 1
        var overrun = good
        overrun.bytes.append(0)
        var empty = good
        empty.bytes = []
        for wrong in [shifted, longer, overrun, empty] {
            var subscriber = subscriber()
            connected(&subscriber)
            _ = subscriber.manifestReceived(publication.envelope, now: World.now)
            guard case .close = subscriber.sectionReceived(wrong).first else {
                Issue.record("not closed")
                continue
            }
        }
        var subscriber = subscriber()
        connected(&subscriber)
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        var altered = good
        altered.bytes[0] ^= 1
        let answer = acknowledgement(subscriber.sectionReceived(altered))
        #expect(answer?.errors.first == "section_hash_differs")
        // What nobody asked for is dropped.
        var foreign = good
        foreign.hash = SHA256.digest(of: [1])
        #expect(subscriber.sectionReceived(foreign).isEmpty)
    }

    @Test func aBrokenConnectionKeepsWholeSectionsAndFinishesWhatIsOnItsWay() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let publication = try world.publication(revision: 1, sections: sections)
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        _ = subscriber.sectionReceived(chunk(sections[0]))
        #expect(
            subscriber.disconnected(jitter: 1)
                == [.reconnect(after: .milliseconds(500) / 3, server: 1)]
        )
        guard case .send(.hello(let hello)) = subscriber.connected().first else {
            Issue.record("no hello")
            return
        }
        #expect(hello.held == [sections[0].reference.hash])
        _ = subscriber.manifestReceived(publication.envelope, now: World.now)
        for section in sections.dropFirst() { _ = subscriber.sectionReceived(chunk(section)) }
        _ = subscriber.disconnected(jitter: 0)
        guard case .apply = subscriber.persisted().first else {
            Issue.record("not applied")
            return
        }
        #expect(subscriber.applied(at: World.now).isEmpty)
        #expect(subscriber.mark == publication.mark)
    }

    @Test func aLostSnapshotIsAskedForAgain() throws {
        let publication = try world.publication(revision: 5, sections: sections)
        var subscriber = subscriber(mark: publication.mark)
        _ = subscriber.started(firstServer: 0)
        guard case .send(.hello(let hello)) = subscriber.connected().first else {
            Issue.record("no hello")
            return
        }
        #expect(hello.mark == nil)
        let older = try world.publication(revision: 4, sections: sections)
        let refused = subscriber.manifestReceived(older.envelope, now: World.now)
        #expect(acknowledgement(refused)?.errors.first == "older_revision")
        try follow(publication, &subscriber)
    }

    @Test func whatComesMeanwhileWaitsItsTurnAndTheNewestCounts() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let publications = try (1...3).map {
            try world.publication(revision: UInt64($0), sections: sections)
        }
        _ = subscriber.manifestReceived(publications[0].envelope, now: World.now)
        for section in sections { _ = subscriber.sectionReceived(chunk(section)) }
        #expect(
            subscriber.manifestReceived(publications[1].envelope, now: World.now).isEmpty
        )
        _ = subscriber.persisted()
        #expect(
            subscriber.manifestReceived(publications[2].envelope, now: World.now).isEmpty
        )
        let actions = subscriber.applied(at: World.now)
        #expect(acknowledgement(actions)?.mark == publications[0].mark)
        guard case .persist(let stored) = actions.last else {
            Issue.record("the newest was forgotten")
            return
        }
        #expect(stored.mark == publications[2].mark)
    }

    @Test func trustIsPersistedBeforeManifestsOfItsKeysAreJudged() throws {
        var subscriber = subscriber()
        connected(&subscriber)
        let fresh = try SigningKey.generate(.ed25519)
        let next = try world.nextTrust(epoch: 2, snapshotKeys: [fresh.publicKey])
        #expect(
            subscriber.trustReceived(next.envelope.encoded) == [.persistTrust(next)]
        )
        var manifest = world.manifest(revision: 1, sections: sections)
        manifest.epoch = 2
        let envelope = try manifest.signed(by: fresh).encoded
        #expect(subscriber.manifestReceived(envelope, now: World.now).isEmpty)
        let actions = subscriber.trustPersisted(now: World.now)
        #expect(actions.first == .adoptTrust(next))
        guard case .send(.want) = actions.last else {
            Issue.record("the manifest was forgotten")
            return
        }
        #expect(subscriber.trustReceived(next.envelope.encoded).isEmpty)
        guard case .refused = subscriber.trustReceived(world.trust.envelope.encoded).first else {
            Issue.record("an older trust document was taken")
            return
        }
    }

    /// A server with nothing new sends no manifest, and must not be taken for one that is away.
    @Test func anAnsweredPingMakesTheNextLossAFirstOne() throws {
        var subscriber = subscriber()
        _ = subscriber.started(firstServer: 0)
        for _ in 0..<10 { _ = subscriber.disconnected(jitter: 0) }
        _ = subscriber.connected()
        subscriber.pongReceived()
        guard case .reconnect(let pause, _) = subscriber.disconnected(jitter: 0).first else {
            Issue.record("no reconnect")
            return
        }
        #expect(pause == Backoff.first / 2 / 3)
        // What arrives after the loss proves nothing.
        subscriber.pongReceived()
        guard case .reconnect(let next, _) = subscriber.disconnected(jitter: 0).first else {
            Issue.record("no reconnect")
            return
        }
        #expect(next == pause)
    }

    /// All servers are tried within one wait, so that one which is back is found in time however
    /// many others are away.
    @Test func waitsDoubleUpToACapAndServersTakeTurns() throws {
        var subscriber = subscriber()
        _ = subscriber.started(firstServer: 2)
        var waits: [Duration] = []
        var servers: [Int] = []
        for _ in 0..<27 {
            guard
                case .reconnect(let wait, let server) = subscriber.disconnected(jitter: 1).first
            else { return }
            waits.append(wait)
            servers.append(server)
        }
        let seconds: [Double] = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        let each = seconds.flatMap { second in
            Array(repeating: Duration.milliseconds(Int(second * 1000)) / 3, count: 3)
        }
        #expect(waits == each)
        #expect(servers == Array((0..<9).map { _ in [0, 1, 2] }.joined()))
        var backoff = Backoff()
        #expect(backoff.failed(jitter: 0) == .milliseconds(250))
        #expect(backoff.failed(jitter: .nan) == .seconds(1))
        backoff.succeeded()
        #expect(backoff.failed(jitter: 7) == .milliseconds(500))
    }
}
