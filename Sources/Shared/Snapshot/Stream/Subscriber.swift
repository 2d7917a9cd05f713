package import Crypto
package import Mesh
package import Wire

/// The agent's side of the stream to its servers.
///
/// Connects to one server of a list, says what it holds, verifies what it is shown, fetches what
/// it lacks, and then always in this order: persist, apply, acknowledge. Whatever is refused is
/// acknowledged with its reason and changes nothing. A snapshot on its way to disk or to the
/// reactors goes on when the connection breaks. Sections that arrived whole are kept for the
/// next connection. What only the disk refused is tried again: no server offers it twice.
package struct Subscriber: Sendable {
    /// What the driver has to do, in this order.
    package enum Action: Equatable, Sendable {
        /// To the server at that place in the list.
        case connect(server: Int)
        /// Connect again after that time, to the server at that place.
        case reconnect(after: Duration, server: Int)
        case send(Message)
        /// Bring it to disk (`SnapshotFiles.steps`), then call `persisted` or `persistFailed`.
        case persist(StoredSnapshot)
        /// Bring the envelope to disk, then call `trustPersisted` or `trustPersistFailed`.
        case persistTrust(TrustAnchor)
        /// Give it to every reactor, then call `applied`.
        case apply(ValidatedSnapshot)
        /// The trust document has changed: flush what was verified with the old one.
        case adoptTrust(TrustAnchor)
        /// A snapshot or trust document was refused; for log, metric and status.
        case refused(String)
        /// The disk refused something: call `retryDue` after that time.
        case retry(after: Duration)
        /// The server broke the protocol.
        case close(String)
    }

    private enum Link: Equatable {
        case down
        case connecting
        case up
    }

    struct Fetch {
        let manifest: VerifiedManifest
        var missing: [SHA256Digest: SectionReference]
        var partial: (hash: SHA256Digest, bytes: [UInt8])?
    }

    enum Step {
        case idle
        case fetching(Fetch)
        case persisting(ValidatedSnapshot, sections: [SHA256Digest: [UInt8]])
        case applying(ValidatedSnapshot)
    }

    private let software: String
    private let meshAddress: String?
    private let serverCount: Int
    var verifier: SnapshotVerifier
    var head: [UInt8]?
    var sections: [SHA256Digest: [UInt8]]
    /// What `sections` and `fetched` say, as far as it was read in this process.
    var verified: [SHA256Digest: VerifiedSection]
    /// Whole sections of a manifest that is not enforced yet.
    var fetched: [SHA256Digest: [UInt8]] = [:]
    var step = Step.idle
    var pendingTrust: TrustAnchor?
    var queuedTrust: [[UInt8]] = []
    var queuedManifest: [UInt8]?
    /// What the disk refused, to be judged anew: trust documents in their order, the manifest.
    var unpersistedTrust: [[UInt8]] = []
    var unpersistedManifest: [UInt8]?
    var isRetryPlanned = false
    var diskBackoff = Backoff()
    private var link = Link.down
    private var server = 0
    var backoff = Backoff()

    /// - Parameters:
    ///   - agent: the own name.
    ///   - software: its version, for people.
    ///   - meshAddress: `host:port` under which other agents reach it.
    ///   - trust: the trust document that is held.
    ///   - mark: the floor, even if the snapshot itself was lost.
    ///   - restored: what is enforced already, with the bytes of its sections.
    ///   - memory: of signatures that were verified before in this process.
    ///   - serverCount: how many servers the agent knows, at least one.
    package init(
        agent: AgentName,
        software: String,
        meshAddress: String? = nil,
        trust: TrustAnchor,
        mark: SnapshotMark?,
        restored: (value: ValidatedSnapshot, sections: [SHA256Digest: [UInt8]])?,
        remembering memory: SignatureMemory? = nil,
        serverCount: Int
    ) {
        precondition(serverCount > 0, "an agent without a server cannot subscribe")
        self.software = software
        self.meshAddress = meshAddress
        self.serverCount = serverCount
        verifier = SnapshotVerifier(
            agent: agent,
            trust: trust,
            mark: mark,
            isSnapshotLost: restored == nil,
            remembering: memory
        )
        head = restored?.value.manifest.encoded
        verified = restored?.value.sections ?? [:]
        sections = restored?.sections ?? [:]
    }

    /// The floor that holds now.
    package var mark: SnapshotMark? { verifier.mark }
    /// The trust document that holds now.
    package var trust: TrustAnchor { verifier.trust }
    /// Whether a server is connected.
    package var isConnected: Bool { link == .up }

    /// Starts with a server chosen by the caller, so that agents spread over the list.
    package mutating func started(firstServer: Int) -> [Action] {
        guard link == .down else { return [] }
        server = ((firstServer % serverCount) + serverCount) % serverCount
        link = .connecting
        return [.connect(server: server)]
    }

    /// The connection stands and the server is who it should be.
    package mutating func connected() -> [Action] {
        link = .up
        let hello = Hello(
            agent: verifier.agent,
            software: software,
            // Without the snapshot itself the floor alone would make the server send nothing.
            mark: head == nil ? nil : verifier.mark,
            head: head,
            trustVersion: verifier.trust.document.version,
            trustHash: verifier.trust.hash,
            held: Set(
                (Set(sections.keys).union(fetched.keys)).sorted().prefix(Hello.heldMax)
            ),
            meshAddress: meshAddress,
            features: Feature.known
        )
        return [.send(.hello(hello))]
    }

    /// The connection ended or could not be made; `jitter` is a random number from 0 to 1.
    package mutating func disconnected(jitter: Double) -> [Action] {
        link = .connecting
        if case .fetching = step { step = .idle }
        queuedManifest = nil
        queuedTrust = []
        server = (server + 1) % serverCount
        let wait = backoff.failed(jitter: jitter, inTurnsOf: serverCount)
        return [.reconnect(after: wait, server: server)]
    }

    /// The server has answered a ping: it is there, even if it has nothing to send, so the next
    /// loss is a first one.
    package mutating func pongReceived() {
        if link == .up { backoff.succeeded() }
    }

    /// The server shows a manifest.
    package mutating func manifestReceived(_ envelope: [UInt8], now: Timestamp) -> [Action] {
        guard link == .up else { return [] }
        switch step {
        case .persisting, .applying:
            queuedManifest = envelope
            return []
        case .idle, .fetching:
            guard pendingTrust == nil else {
                queuedManifest = envelope
                return []
            }
            return judge(envelope, now: now)
        }
    }

    /// The server sends a piece of a section.
    package mutating func sectionReceived(_ chunk: SectionChunk) -> [Action] {
        // Pieces of a manifest that was refused meanwhile are of no use and no harm.
        guard case .fetching(var fetch) = step, let reference = fetch.missing[chunk.hash] else {
            return []
        }
        if fetch.partial == nil { fetch.partial = (chunk.hash, []) }
        guard let partial = fetch.partial, partial.hash == chunk.hash,
            chunk.offset == partial.bytes.count, chunk.byteCount == reference.byteCount,
            !chunk.bytes.isEmpty, chunk.bytes.count <= reference.byteCount - chunk.offset
        else {
            step = .idle
            return [.close("the pieces of section \(chunk.hash) do not fit")]
        }
        let bytes = partial.bytes + chunk.bytes
        guard bytes.count == reference.byteCount else {
            fetch.partial = (chunk.hash, bytes)
            step = .fetching(fetch)
            return []
        }
        fetch.partial = nil
        do {
            verified[chunk.hash] = try SnapshotVerifier.section(of: reference, bytes: bytes)
        } catch {
            return refuse(fetch.manifest.hash, error.code, "\(error)")
        }
        fetched[chunk.hash] = bytes
        fetch.missing[chunk.hash] = nil
        step = .fetching(fetch)
        return fetch.missing.isEmpty ? assemble(fetch.manifest) : []
    }

    /// The server shows a trust document.
    package mutating func trustReceived(_ encoded: [UInt8]) -> [Action] {
        guard pendingTrust == nil else {
            guard queuedTrust.count < TrustDocument.entriesMax else {
                return [.close("too many trust documents at once")]
            }
            queuedTrust.append(encoded)
            return []
        }
        // Its predecessor waits for the disk; out of order it would be refused and not come again.
        guard unpersistedTrust.isEmpty else {
            guard unpersistedTrust.count < TrustDocument.entriesMax else {
                return [.close("too many trust documents at once")]
            }
            if !unpersistedTrust.contains(encoded) { unpersistedTrust.append(encoded) }
            return []
        }
        do {
            let next = try verifier.trust.succeeded(
                by: try Envelope(encoded: encoded),
                remembering: verifier.memory
            )
            guard next.hash != verifier.trust.hash else { return [] }
            pendingTrust = next
            return [.persistTrust(next)]
        } catch {
            return [.refused("trust document: \(error)")]
        }
    }

    mutating func judge(_ envelope: [UInt8], now: Timestamp) -> [Action] {
        step = .idle
        let acceptance: SnapshotVerifier.Acceptance
        do throws(SnapshotRefusal) {
            acceptance = try verifier.verify(envelope, origin: .received, now: now)
        } catch {
            // The key that is missing may be in the trust document that the disk refused.
            if !unpersistedTrust.isEmpty { unpersistedManifest = envelope }
            // An envelope that cannot be read has no hash; that of its bytes will do.
            let hash =
                (try? Envelope(encoded: envelope))?.payloadHash ?? SHA256.digest(of: envelope)
            return refuse(hash, error.code, "\(error)")
        }
        switch acceptance {
        case .unchanged:
            guard let mark = verifier.mark else { return [] }
            backoff.succeeded()
            let shown = (try? Envelope(encoded: envelope))?.payloadHash ?? mark.manifestHash
            return acknowledge(shown, appliedAt: now)
        case .accepted(let manifest):
            return fetch(manifest)
        }
    }

    private mutating func fetch(_ manifest: VerifiedManifest) -> [Action] {
        unpersistedManifest = nil
        let named = Set(manifest.manifest.sections.map(\.hash))
        fetched = fetched.filter { named.contains($0.key) }
        verified = verified.filter { sections[$0.key] != nil || fetched[$0.key] != nil }
        var missing: [SHA256Digest: SectionReference] = [:]
        var order: [SHA256Digest] = []
        for reference in manifest.manifest.sections
        where sections[reference.hash] == nil && fetched[reference.hash] == nil
            && missing[reference.hash] == nil
        {
            missing[reference.hash] = reference
            order.append(reference.hash)
        }
        guard !missing.isEmpty else { return assemble(manifest) }
        step = .fetching(Fetch(manifest: manifest, missing: missing))
        return [.send(.want(Want(manifest: manifest.hash, sections: order)))]
    }

    private mutating func assemble(_ manifest: VerifiedManifest) -> [Action] {
        let snapshot: ValidatedSnapshot
        do throws(SnapshotRefusal) {
            snapshot = try verifier.assemble(manifest, known: verified) {
                sections[$0] ?? fetched[$0]
            }
        } catch {
            return refuse(manifest.hash, error.code, "\(error)")
        }
        var next: [SHA256Digest: [UInt8]] = [:]
        for reference in manifest.manifest.sections {
            next[reference.hash] = sections[reference.hash] ?? fetched[reference.hash]
        }
        let stored = StoredSnapshot(
            manifest: manifest.encoded,
            mark: manifest.mark,
            added: next.filter { sections[$0.key] == nil },
            removed: Set(sections.keys).subtracting(next.keys)
        )
        step = .persisting(snapshot, sections: next)
        return [.persist(stored)]
    }

    mutating func refuse(
        _ manifest: SHA256Digest,
        _ code: String,
        _ text: String
    ) -> [Action] {
        step = .idle
        let errors = [code, Self.cut(text)]
        return [.refused(text)] + acknowledge(manifest, appliedAt: nil, errors: errors)
    }

    func acknowledge(
        _ manifest: SHA256Digest,
        appliedAt: Timestamp?,
        errors: [String] = []
    ) -> [Action] {
        guard link == .up else { return [] }
        return [
            .send(
                .acknowledgement(
                    Acknowledgement(
                        manifest: manifest,
                        mark: verifier.mark,
                        appliedAt: appliedAt,
                        trustVersion: verifier.trust.document.version,
                        errors: errors
                    )
                )
            )
        ]
    }

    /// Judges the manifest that came while there was something else to finish.
    mutating func resume(now: Timestamp) -> [Action] {
        guard let envelope = queuedManifest, case .idle = step, pendingTrust == nil,
            link == .up
        else { return [] }
        queuedManifest = nil
        return judge(envelope, now: now)
    }

    private static func cut(_ text: String) -> String {
        let limit = Acknowledgement.errorMaxBytes
        guard text.utf8.count > limit else { return text.isEmpty ? "?" : text }
        return String(decoding: text.utf8.prefix(limit - 3), as: UTF8.self)
    }
}
