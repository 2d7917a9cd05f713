import Crypto
package import Mesh

/// A signed manifest with the sections that it names, as the server holds it for one agent.
package struct Publication: Hashable, Sendable {
    /// The envelope, encoded once.
    package let envelope: [UInt8]
    /// What the agent's mark becomes when it is applied.
    package let mark: SnapshotMark
    /// In the manifest's order; the bytes are shared by all agents that get them.
    package let sections: [EncodedSection]

    /// Signs nothing and checks nothing but that the parts fit each other.
    package init?(manifest: Manifest, envelope: Envelope, sections: [EncodedSection]) {
        let encoded = envelope.encoded
        guard encoded.count <= Envelope.encodedMaxBytes,
            sections.map(\.reference).sorted() == manifest.sections
        else { return nil }
        self.envelope = encoded
        self.sections = sections
        mark = SnapshotMark(
            epoch: manifest.epoch,
            revision: manifest.revision,
            manifestHash: envelope.payloadHash,
            sectionsHash: manifest.sectionsHash,
            issued: manifest.issued
        )
    }

    /// Whether this one comes after `other`; of two signatures of one revision the later one.
    func isNewer(than other: SnapshotMark) -> Bool {
        (mark.epoch, mark.revision, mark.issued) > (other.epoch, other.revision, other.issued)
    }
}

/// The server's side of the stream to one agent.
///
/// Greets, then has at most one manifest under way: it sends it, pushes the sections that the
/// agent is known to lack, adds what the agent asks for, and waits for the acknowledgement.
/// Newer manifests replace each other meanwhile, so an agent that is slow skips revisions
/// instead of queueing them. No more than `unsentMaxBytes` are handed to the connection at any
/// time, whatever the number of sections. Nothing is sent that the manifest under way does not
/// name: knowing a hash gives no right.
package struct Publisher: Sendable {
    /// The most bytes that wait in the connection, except for a single larger frame.
    package static let unsentMaxBytes = 64 << 10

    /// What the driver has to do, in this order.
    package enum Action: Equatable, Sendable {
        case write([UInt8])
        /// The agent has said what became of a manifest.
        case acknowledged(Acknowledgement)
        /// The agent enforces something newer than what is published here: verify its manifest,
        /// and if it is genuine stop publishing and raise the alarm.
        case headShown([UInt8], mark: SnapshotMark)
        /// The peer broke the protocol.
        case close(String)
    }

    private struct Flight {
        let publication: Publication
        let byHash: [SHA256Digest: EncodedSection]
        /// Everything that was ever queued for this manifest.
        var queued: Set<SHA256Digest>
        var queue: [SHA256Digest]
        /// How much of the first of the queue has been written.
        var offset = 0
    }

    private let agent: AgentName
    private var isGreeted = false
    /// Ascending; the last one is in force.
    private var trustChain: [TrustAnchor]
    /// The versions that the agent has still to be shown.
    private var unsentTrust: [TrustAnchor] = []
    /// What the agent enforces although it is newer than anything here.
    private var aheadMark: SnapshotMark?
    /// The agent's head until it has been compared.
    private var shownHead: [UInt8]?
    private var newest: Publication?
    private var flight: Flight?
    /// What the agent answered last; not offered again until something newer comes.
    private var answered: SHA256Digest?
    private var held: Set<SHA256Digest> = []
    private var unsentByteCount = 0

    /// What the agent understands beyond the first encoding; nothing before its hello.
    package private(set) var features: Set<Feature> = []
    /// What the agent enforces, as far as it has said; nil for nothing yet.
    package private(set) var acknowledgedMark: SnapshotMark?

    /// - Parameters:
    ///   - agent: the name that the connection's certificate gives.
    ///   - trustChain: the trust documents since the first, ascending and not empty: an agent
    ///     that missed some must see each, signed by the keys of the one before.
    package init(agent: AgentName, trustChain: [TrustAnchor]) {
        precondition(!trustChain.isEmpty, "a server without a trust document cannot publish")
        self.agent = agent
        self.trustChain = trustChain
    }

    /// What the agent costs in memory of its own: bytes that its connection has not sent, at most
    /// `unsentMaxBytes` or one larger frame, and the newest manifest while it waits for its turn.
    package var pendingByteCount: Int {
        guard let newest, newest.mark.manifestHash != answered,
            newest.mark.manifestHash != flight?.publication.mark.manifestHash
        else { return unsentByteCount }
        return unsentByteCount + newest.envelope.count
    }

    /// Whether the agent has answered the newest manifest.
    package var isSettled: Bool { flight == nil && newest?.mark.manifestHash == answered }

    /// The agent has introduced itself.
    package mutating func helloReceived(_ hello: Hello) -> [Action] {
        guard !isGreeted else { return [.close("a second hello")] }
        guard hello.agent == agent else {
            return [.close("the hello names another agent than the certificate")]
        }
        isGreeted = true
        features = hello.features
        acknowledgedMark = hello.mark
        answered = hello.mark?.manifestHash
        held = hello.held
        unsentTrust = trustChain.filter { $0.document.version > hello.trustVersion }
        shownHead = hello.head
        return checkHead() + pump()
    }

    /// The head that the agent has shown was not genuine, so it says nothing about this server.
    package mutating func headWasForged() -> [Action] {
        aheadMark = nil
        return pump()
    }

    /// There is a newer manifest for this agent; an older one is ignored.
    package mutating func published(_ publication: Publication) -> [Action] {
        if let newest, !publication.isNewer(than: newest.mark) { return [] }
        newest = publication
        // A replica that was behind has caught up.
        if let ahead = aheadMark, !isAhead(ahead) { aheadMark = nil }
        return checkHead() + pump()
    }

    /// The trust document has a new version.
    package mutating func trustChanged(_ anchor: TrustAnchor) -> [Action] {
        guard anchor.document.version > trustChain.last?.document.version ?? 0 else { return [] }
        trustChain.append(anchor)
        if isGreeted { unsentTrust.append(anchor) }
        return pump()
    }

    /// The agent asks for sections of the manifest under way.
    package mutating func wantReceived(_ want: Want) -> [Action] {
        guard isGreeted else { return [.close("a want before the hello")] }
        // What it refused for want of a trust document or of room on its disk, it has tried again.
        if flight == nil, aheadMark == nil, let newest, newest.mark.manifestHash == want.manifest {
            startFlight(of: newest, pushing: [])
        }
        guard var flight, want.manifest == flight.publication.mark.manifestHash else {
            // The answer to a manifest that is settled already; nothing depends on it.
            return []
        }
        for hash in want.sections where flight.byHash[hash] == nil {
            return [.close("section \(hash) is not part of the manifest")]
        }
        for hash in want.sections where flight.queued.insert(hash).inserted {
            flight.queue.append(hash)
        }
        self.flight = flight
        return pump()
    }

    /// The agent has applied or refused a manifest.
    package mutating func acknowledgementReceived(
        _ acknowledgement: Acknowledgement
    ) -> [Action] {
        guard isGreeted else { return [.close("an acknowledgement before the hello")] }
        if let mark = acknowledgement.mark { acknowledgedMark = mark }
        if let flight, acknowledgement.manifest == flight.publication.mark.manifestHash {
            answered = acknowledgement.manifest
            if acknowledgement.errors.isEmpty {
                held = Set(flight.publication.sections.map(\.reference.hash))
            } else {
                // What it kept of a refused manifest is not known; it will ask.
                held = []
            }
            self.flight = nil
        }
        return [.acknowledged(acknowledgement)] + pump()
    }

    /// The connection has sent that much of what it was given.
    package mutating func written(byteCount: Int) -> [Action] {
        unsentByteCount = max(0, unsentByteCount - byteCount)
        return pump()
    }

    /// Compares what the agent has shown with the first thing that there is to compare it with.
    private mutating func checkHead() -> [Action] {
        guard let head = shownHead, let mark = acknowledgedMark else { return [] }
        if isAhead(mark) {
            aheadMark = mark
            shownHead = nil
            return [.headShown(head, mark: mark)]
        }
        if newest != nil { shownHead = nil }
        return []
    }

    private func isAhead(_ mark: SnapshotMark) -> Bool {
        let epoch = trustChain.last?.document.epoch ?? 0
        guard mark.epoch == epoch else { return mark.epoch > epoch }
        guard let newest else { return false }
        return (mark.epoch, mark.revision) > (newest.mark.epoch, newest.mark.revision)
    }

    private mutating func pump() -> [Action] {
        guard isGreeted else { return [] }
        var actions: [Action] = []
        while let frame = nextFrame() {
            unsentByteCount += frame.count
            actions.append(.write(frame))
        }
        return actions
    }

    /// The next frame that there is room for.
    private mutating func nextFrame() -> [UInt8]? {
        guard unsentByteCount < Self.unsentMaxBytes else { return nil }
        if let trust = unsentTrust.first {
            guard let frame = fitting(.trust(trust.envelope.encoded)) else { return nil }
            unsentTrust.removeFirst()
            return frame
        }
        if flight == nil {
            guard aheadMark == nil, let newest, newest.mark.manifestHash != answered,
                let frame = fitting(.manifest(newest.envelope))
            else { return nil }
            let lacking = newest.sections.map(\.reference.hash).filter { !held.contains($0) }
            startFlight(of: newest, pushing: lacking)
            return frame
        }
        return nextChunk()
    }

    private mutating func startFlight(of publication: Publication, pushing hashes: [SHA256Digest]) {
        var queued: Set<SHA256Digest> = []
        let queue = hashes.filter { queued.insert($0).inserted }
        flight = Flight(
            publication: publication,
            byHash: Dictionary(publication.sections.map { ($0.reference.hash, $0) }) { $1 },
            queued: queued,
            queue: queue
        )
    }

    private mutating func nextChunk() -> [UInt8]? {
        guard let flight, let hash = flight.queue.first, let section = flight.byHash[hash] else {
            return nil
        }
        let end = min(flight.offset + SectionChunk.byteCountMax, section.bytes.count)
        let chunk = SectionChunk(
            hash: hash,
            offset: flight.offset,
            byteCount: section.bytes.count,
            bytes: Array(section.bytes[flight.offset..<end])
        )
        guard let frame = fitting(.section(chunk)) else { return nil }
        if end == section.bytes.count {
            self.flight?.queue.removeFirst()
            self.flight?.offset = 0
        } else {
            self.flight?.offset = end
        }
        return frame
    }

    /// The frame, if it fits what may still be handed over; a frame that is larger than all of
    /// that goes alone.
    private func fitting(_ message: Message) -> [UInt8]? {
        guard let frame = try? Frame.encode(message) else { return nil }
        let fits = unsentByteCount == 0 || unsentByteCount + frame.count <= Self.unsentMaxBytes
        return fits ? frame : nil
    }
}
