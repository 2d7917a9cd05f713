import Crypto
import Mesh
import Snapshot
import Testing
import Wire

@Suite struct SnapshotVerifierTests {
    private let world: World
    private let sections: [EncodedSection]

    init() throws {
        world = try World()
        sections = try world.sections()
    }

    private func judge(
        _ change: (inout Manifest) -> Void = { _ in },
        mark: SnapshotMark? = nil,
        origin: SnapshotVerifier.Origin = .received,
        now: Timestamp = World.now
    ) throws -> Result<SnapshotVerifier.Acceptance, SnapshotRefusal> {
        var manifest = world.manifest(revision: 5, sections: sections)
        change(&manifest)
        let encoded = try manifest.signed(by: world.snapshotKey).encoded
        return Result { () throws(SnapshotRefusal) in
            try world.verifier(mark: mark).verify(encoded, origin: origin, now: now)
        }
    }

    private func refusal(
        _ change: (inout Manifest) -> Void,
        mark: SnapshotMark? = nil,
        now: Timestamp = World.now
    ) throws -> SnapshotRefusal? {
        guard case .failure(let refusal) = try judge(change, mark: mark, now: now) else {
            return nil
        }
        return refusal
    }

    private func mark(revision: UInt64 = 5) throws -> SnapshotMark {
        try world.publication(revision: revision, sections: sections).mark
    }

    @Test func aGenuineSnapshotIsEnforced() throws {
        let snapshot = try world.snapshot(revision: 5, sections: sections)
        let name = "db.shop.svc.mesh.example"
        let source = SourceIdentity(trustDomain: world.trustDomain, service: world.web)
        let question = AccessQuestion.connection(requestsAreJudged: false)
        func decide(_ name: String?, _ source: SourceIdentity) -> DecisionReason {
            snapshot.decide(name: name, source: source, question: question, now: World.now).reason
        }
        #expect(decide(name, source) == .allowedByIntention)
        #expect(decide(nil, source) == .unknownSNI)
        #expect(decide("DB.shop.svc.mesh.example", source) == .unknownSNI)
        let stranger = SourceIdentity(
            trustDomain: world.trustDomain,
            service: try ServiceName("shop/cart")
        )
        #expect(decide(name, stranger) == .defaultDeny)
        let foreign = SourceIdentity(
            trustDomain: try TrustDomain("other.example"),
            service: world.web
        )
        #expect(decide(name, foreign) == .defaultDeny)
        let route = try #require(snapshot.routesByPort[5433])
        #expect(route.destination.text == name)
        #expect(route.endpoints.count == 1)
        #expect(snapshot.hostedByMeshName[name]?.instances.first?.port == 5432)
        #expect(snapshot.revision == 5)
    }

    @Test func addresseeAndPlaceInTheOrder() throws {
        let other = try TrustDomain("other.example")
        let neighbour = try AgentName("host-2")
        #expect(try refusal { $0.trustDomain = other } == .foreignTrustDomain)
        #expect(try refusal { $0.agent = neighbour } == .otherAgent)
        #expect(try refusal { $0.epoch = 2 } == .epochNotRaised(required: 1, shown: 2))
        #expect(try refusal { $0.epoch = 0 } == .olderEpoch(required: 1, shown: 0))
        let mark = try mark()
        #expect(
            try refusal({ $0.revision = 4 }, mark: mark) == .olderRevision(held: 5, shown: 4)
        )
        let highest = UInt64(Int64.max)
        #expect(try refusal({ $0.revision = highest }, mark: mark) == nil)
    }

    @Test func oneRevisionHasOneContent() throws {
        let mark = try mark()
        #expect(try judge(mark: mark).get() == .unchanged)
        // Only the dates differ: signed again, not a fork.
        let renewed = try judge(
            { manifest in
                manifest.issued = manifest.issued + .seconds(10)
                manifest.expires = manifest.expires + .seconds(10)
            },
            mark: mark
        )
        guard case .accepted = try renewed.get() else {
            Issue.record("a later signature is not accepted")
            return
        }
        let earlier = try judge({ $0.issued = $0.issued - .seconds(10) }, mark: mark)
        #expect(try earlier.get() == .unchanged)
        let others = try world.sections(.deny)
        let fork = world.manifest(revision: 5, sections: others)
        let encoded = try fork.signed(by: world.snapshotKey).encoded
        #expect(throws: SnapshotRefusal.fork(revision: 5)) {
            try world.verifier(mark: mark).verify(encoded, origin: .received, now: World.now)
        }
    }

    @Test func aLostSnapshotIsTakenAgainButNothingOlder() throws {
        var verifier = world.verifier(mark: try mark())
        verifier.isSnapshotLost = true
        let same = try world.publication(revision: 5, sections: sections)
        let acceptance = try verifier.verify(same.envelope, origin: .received, now: World.now)
        #expect(acceptance != .unchanged)
        let older = try world.publication(revision: 4, sections: sections)
        #expect(throws: SnapshotRefusal.olderRevision(held: 5, shown: 4)) {
            try verifier.verify(older.envelope, origin: .received, now: World.now)
        }
    }

    @Test func datesAreJudgedAtReceiptOnly() throws {
        let late = World.now + .seconds(3600)
        #expect(try refusal({ _ in }, now: late) == .expired)
        #expect(try refusal({ _ in }, now: late - .nanoseconds(1)) == nil)
        #expect(try refusal({ _ in }, now: World.now - .seconds(61)) == .notYetValid)
        #expect(try refusal({ _ in }, now: World.now - .seconds(60)) == nil)
        #expect(try refusal { $0.expires = $0.issued } == .lifetimeTooLong)
        #expect(try refusal { $0.expires = $0.issued + .seconds(86_401) } == .lifetimeTooLong)
        // After a restart during an outage, policy stays, and a clock set back takes nothing away.
        for now in [late + .seconds(86_400 * 365), World.now - .seconds(86_400)] {
            let restored = try judge(mark: try mark(), origin: .restored, now: now)
            guard case .accepted = try restored.get() else {
                Issue.record("not restored")
                continue
            }
        }
    }

    @Test func keysCountWithinTheirValidity() throws {
        let document = World.trustDocument(
            trustDomain: world.trustDomain,
            version: 2,
            epoch: 1,
            snapshotKeys: [],
            trustKeys: [world.trustKey.publicKey]
        )
        var short = document
        short.snapshotKeys = [
            TrustDocument.SnapshotKey(
                key: world.snapshotKey.publicKey,
                notBefore: World.now,
                notAfter: World.now + .seconds(10)
            )
        ]
        let trust = try world.trust.succeeded(by: try short.signed(by: [world.trustKey]))
        let verifier = SnapshotVerifier(agent: world.agent, trust: trust, mark: nil)
        let encoded = try world.publication(revision: 5, sections: sections).envelope
        func verify(at now: Timestamp) throws {
            _ = try verifier.verify(encoded, origin: .received, now: now)
        }
        try verify(at: World.now + .seconds(9))
        // A retired key could write any date; what counts is also when it is received.
        #expect(throws: SnapshotRefusal.keyOutsideValidity) {
            try verify(at: World.now + .seconds(10))
        }
        let unknown = try SigningKey.generate(.ed25519)
        let manifest = world.manifest(revision: 5, sections: sections)
        let forged = try manifest.signed(by: unknown).encoded
        #expect(throws: SnapshotRefusal.unknownKey) {
            try world.verifier().verify(forged, origin: .received, now: World.now)
        }
        // The trust key is no snapshot key.
        let mixed = try manifest.signed(by: world.trustKey).encoded
        #expect(throws: SnapshotRefusal.unknownKey) {
            try world.verifier().verify(mixed, origin: .received, now: World.now)
        }
    }

    @Test func aSignatureOfOneThingIsNoSignatureOfAnother() throws {
        let manifest = world.manifest(revision: 5, sections: sections)
        let genuine = try manifest.signed(by: world.snapshotKey)
        let retyped = Envelope(
            payloadType: TrustDocument.payloadType,
            payload: genuine.payload,
            signatures: genuine.signatures
        )
        #expect(throws: SnapshotRefusal.wrongPayloadType) {
            try world.verifier().verify(retyped.encoded, origin: .received, now: World.now)
        }
        let trustAsManifest = try Envelope(
            signing: world.trust.document.encoded,
            type: Manifest.payloadType,
            by: [world.snapshotKey]
        )
        #expect(throws: SnapshotRefusal.self) {
            try world.verifier().verify(trustAsManifest.encoded, origin: .received, now: World.now)
        }
    }

    @Test func everyFlippedBitAndEveryPrefixIsRefused() throws {
        let encoded = try world.publication(revision: 5, sections: sections).envelope
        let verifier = world.verifier()
        for index in encoded.indices {
            for bit in stride(from: index % 8, to: 8, by: 8) {
                var altered = encoded
                altered[index] ^= 1 << UInt8(bit)
                #expect(throws: SnapshotRefusal.self) {
                    try verifier.verify(altered, origin: .received, now: World.now)
                }
            }
        }
        for count in stride(from: 0, to: encoded.count, by: 7) {
            #expect(throws: SnapshotRefusal.self) {
                try verifier.verify(Array(encoded[..<count]), origin: .received, now: World.now)
            }
        }
        for tail in [[0x20], [0x0A], [0x00], Array("{}".utf8)] as [[UInt8]] {
            #expect(throws: SnapshotRefusal.self) {
                try verifier.verify(encoded + tail, origin: .received, now: World.now)
            }
        }
    }

    @Test(arguments: ["alg", "x"])
    func unknownFieldsAreRefused(field: String) throws {
        let manifest = world.manifest(revision: 5, sections: sections)
        var document = try JSON.parse(manifest.encoded)
        document.set(field, "none")
        let inner = try Envelope(
            signing: JSON.canonical(document),
            type: Manifest.payloadType,
            by: [world.snapshotKey]
        )
        let outer = try manifest.signed(by: world.snapshotKey)
        var wrapped = try JSON.parse(outer.encoded)
        wrapped.set(field, "none")
        for encoded in [inner.encoded, JSON.canonical(wrapped)] {
            #expect(throws: SnapshotRefusal.self) {
                try world.verifier().verify(encoded, origin: .received, now: World.now)
            }
        }
    }

    @Test func otherSpellingsAndDuplicateKeysAreRefused() throws {
        let manifest = world.manifest(revision: 5, sections: sections)
        let text = String(decoding: manifest.encoded, as: UTF8.self)
        let spellings = [
            text.replacing("\"revision\":5", with: "\"revision\": 5"),
            text.replacing("\"revision\":5", with: "\"revision\":5.0"),
            text.replacing("\"revision\":5", with: "\"revision\":5,\"revision\":6"),
            text.replacing("\"revision\":5", with: "\"revision\":6,\"revision\":5"),
            text.replacing("\"agent\"", with: "\"\\u0061gent\""),
        ]
        for spelling in spellings {
            #expect(spelling != text)
            let envelope = try Envelope(
                signing: Array(spelling.utf8),
                type: Manifest.payloadType,
                by: [world.snapshotKey]
            )
            #expect(throws: SnapshotRefusal.self) {
                try world.verifier().verify(envelope.encoded, origin: .received, now: World.now)
            }
        }
    }

    private func assemble(_ bytes: (SHA256Digest) -> [UInt8]?) throws {
        let encoded = try world.publication(revision: 5, sections: sections).envelope
        let acceptance = try world.verifier().verify(
            encoded,
            origin: .received,
            now: World.now
        )
        guard case .accepted(let verified) = acceptance else { return }
        _ = try world.verifier().assemble(verified, section: bytes)
    }

    @Test func sectionsMustBeWhatTheManifestSays() throws {
        let byHash = Dictionary(
            uniqueKeysWithValues: sections.map { ($0.reference.hash, $0.bytes) }
        )
        let victim = sections[0].reference.hash
        try assemble { byHash[$0] }
        #expect(throws: SnapshotRefusal.sectionMissing(victim)) {
            try assemble { $0 == victim ? nil : byHash[$0] }
        }
        #expect(throws: SnapshotRefusal.sectionSizeDiffers(victim)) {
            try assemble { $0 == victim ? (byHash[$0] ?? []) + [0x20] : byHash[$0] }
        }
        #expect(throws: SnapshotRefusal.sectionHashDiffers(victim)) {
            try assemble { hash in
                guard hash == victim, var bytes = byHash[hash] else { return byHash[hash] }
                bytes[bytes.count / 2] ^= 1
                return bytes
            }
        }
    }

    @Test func aSectionUnderAnotherNameIsRefused() throws {
        let reference = sections[0].reference
        let misnamed = SectionReference(
            kind: reference.kind,
            name: "shop/other",
            hash: reference.hash,
            byteCount: reference.byteCount
        )
        #expect(throws: SnapshotRefusal.sectionMisnamed(reference.hash)) {
            try SnapshotVerifier.section(of: misnamed, bytes: sections[0].bytes)
        }
    }

    @Test func whatWasVerifiedStandsForNothingElse() throws {
        let encoded = try world.publication(revision: 5, sections: sections).envelope
        let acceptance = try world.verifier().verify(encoded, origin: .received, now: World.now)
        guard case .accepted(let verified) = acceptance else {
            Issue.record("the manifest is refused")
            return
        }
        var known: [SHA256Digest: VerifiedSection] = [:]
        for section in sections {
            known[section.reference.hash] = try SnapshotVerifier.section(
                of: section.reference,
                bytes: section.bytes
            )
        }
        let snapshot = try world.verifier().assemble(verified, known: known) { _ in nil }
        #expect(try snapshot == world.snapshot(revision: 5, sections: sections))
        // One section under the hash of another.
        let (victim, other) = (sections[0].reference.hash, sections[1].reference.hash)
        known[victim] = known[other]
        #expect(throws: SnapshotRefusal.sectionHashDiffers(victim)) {
            try world.verifier().assemble(verified, known: known) { _ in nil }
        }
    }

    @Test(arguments: ["kind", "name", "size"])
    func aVerifiedSectionThatAManifestNamesOtherwiseIsRefused(field: String) throws {
        let honest = sections[0]
        let section = try SnapshotVerifier.section(of: honest.reference, bytes: honest.bytes)
        let reference = SectionReference(
            kind: field == "kind" ? .denied : honest.reference.kind,
            name: field == "name" ? "shop/other" : honest.reference.name,
            hash: honest.reference.hash,
            byteCount: honest.reference.byteCount + (field == "size" ? 1 : 0)
        )
        let manifest = Manifest(
            trustDomain: world.trustDomain,
            agent: world.agent,
            epoch: 1,
            revision: 5,
            previous: nil,
            issued: World.now,
            expires: World.now + .seconds(600),
            trustVersion: 1,
            trustHash: world.trust.hash,
            sections: [reference]
        )
        let encoded = try manifest.signed(by: world.snapshotKey).encoded
        let acceptance = try world.verifier().verify(encoded, origin: .received, now: World.now)
        guard case .accepted(let verified) = acceptance else {
            Issue.record("the manifest is refused")
            return
        }
        #expect(throws: SnapshotRefusal.self) {
            try world.verifier().assemble(verified, known: [reference.hash: section]) { _ in
                honest.bytes
            }
        }
    }

    @Test func aManifestHasTheSpellingOfItsDocument() throws {
        var manifest = world.manifest(revision: 5, sections: sections)
        manifest.previous = SHA256.digest(of: [1])
        manifest.auditHeads = [
            Manifest.AuditHeadNote(
                writer: "host \"1\"\\\n",
                sequence: .max >> 1,
                hash: SHA256.digest(of: [2])
            )
        ]
        let document = try JSON.parse(manifest.encoded)
        #expect(JSON.canonical(document) == manifest.encoded)
        #expect(try Manifest(encoded: manifest.encoded) == manifest)
        let list = try #require(document["sections"])
        #expect(manifest.sectionsHash == SHA256.digest(of: JSON.canonical(list)))
        let envelope = try manifest.signed(by: world.snapshotKey)
        #expect(JSON.canonical(try JSON.parse(envelope.encoded)) == envelope.encoded)
        #expect(try Envelope(encoded: envelope.encoded) == envelope)
    }

    @Test func aSectionThatIsNamedTwiceIsRefused() throws {
        let encoded = try world.manifest(revision: 5, sections: sections + [sections[0]])
            .signed(by: world.snapshotKey).encoded
        #expect(throws: SnapshotRefusal.self) {
            try world.verifier().verify(encoded, origin: .received, now: World.now)
        }
    }

    @Test func allSectionsTogetherAreBounded() throws {
        var references: [SectionReference] = []
        for number in 0..<9 {
            references.append(
                SectionReference(
                    kind: .inbound,
                    name: "shop/s\(number)",
                    hash: SHA256.digest(of: [UInt8(number)]),
                    byteCount: EncodedSection.byteCountMax
                )
            )
        }
        let manifest = Manifest(
            trustDomain: world.trustDomain,
            agent: world.agent,
            epoch: 1,
            revision: 5,
            previous: nil,
            issued: World.now,
            expires: World.now + .seconds(60),
            trustVersion: 1,
            trustHash: world.trust.hash,
            sections: references
        )
        let encoded = try manifest.signed(by: world.snapshotKey).encoded
        #expect(throws: SnapshotRefusal.tooLarge(byteCount: 9 * EncodedSection.byteCountMax)) {
            try world.verifier().verify(encoded, origin: .received, now: World.now)
        }
    }
}
