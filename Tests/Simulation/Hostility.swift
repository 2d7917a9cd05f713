import Crypto
import Mesh
import Snapshot
import Wire

/// What somebody sends who took a server's place, some of it with a stolen snapshot key.
///
/// Everything here must be refused; a stolen key that signs ahead of everybody else is what no
/// agent can notice, so that is not among it.
struct Hostility {
    let authority: Authority
    let agent: SimulatedAgent
    /// Envelopes that honest replicas have published, by agent.
    let recorded: [[[UInt8]]]
    let now: Timestamp

    private var fixture: Fixture { authority.fixture }

    /// A few frames; `forbid` is told each hash that may never be enforced.
    func frames(
        _ random: inout SeededRandom,
        forbid: (SHA256Digest) -> Void
    ) throws -> [[UInt8]] {
        var frames: [[UInt8]] = []
        for _ in 0..<(2 + random.number(below: 5)) {
            guard let message = try message(&random, forbid: forbid) else { continue }
            var frame = try Frame.encode(message)
            if random.chance(5) { frame.removeLast(min(frame.count, 3)) }
            frames.append(frame)
        }
        return frames
    }

    private func message(
        _ random: inout SeededRandom,
        forbid: (SHA256Digest) -> Void
    ) throws -> Message? {
        let mine = recorded[agent.index]
        switch random.number(below: 10) {
        case 0: return random.pick(mine).map { .manifest($0) }
        case 1:
            let other = (agent.index + 1) % Fixture.agentCount
            return random.pick(recorded[other]).map { .manifest($0) }
        case 2:
            guard var envelope = random.pick(mine) else { return nil }
            envelope[random.number(below: envelope.count)] ^= 1 << UInt8(random.number(below: 8))
            return .manifest(envelope)
        case 3: return try forgery(ahead(by: 3), with: fixture.strangerKey, forbid: forbid)
        case 4: return try fork(forbid: forbid)
        case 5:
            return try forgery(
                Place(epoch: authority.latest.place.epoch + 5, revision: 1),
                with: stolenKey,
                forbid: forbid
            )
        case 6:
            return try forgery(ahead(by: 4), with: stolenKey, age: .seconds(7_200), forbid: forbid)
        case 7:
            return try forgery(
                ahead(by: 4),
                with: stolenKey,
                age: .seconds(-3_600),
                forbid: forbid
            )
        case 8: return .trust(try usurpation(&random).encoded)
        default:
            let section = fixture.sections[agent.index][random.chance(50)]?.first
            return section.map { section in
                .section(
                    SectionChunk(
                        hash: section.reference.hash,
                        offset: random.number(below: 2),
                        byteCount: section.bytes.count,
                        bytes: Array(section.bytes.prefix(40))
                    )
                )
            }
        }
    }

    private var stolenKey: SigningKey {
        fixture.snapshotKeys[authority.currentKeys.last ?? 0]
    }

    private func ahead(by revisions: UInt64) -> Place {
        Place(
            epoch: authority.latest.place.epoch,
            revision: authority.latest.place.revision + revisions
        )
    }

    /// Lets everybody in, at a place that is not its signer's to give or at a time that is not now.
    private func forgery(
        _ place: Place,
        with key: SigningKey,
        age: Duration = .zero,
        forbid: (SHA256Digest) -> Void
    ) throws -> Message {
        let manifest = authority.manifest(place, true, for: agent.index, at: now - age)
        let envelope = try authority.sign(manifest, with: key, as: agent.index, isAllowed: true)
        forbid(envelope.payloadHash)
        return .manifest(envelope.encoded)
    }

    /// The held revision with the opposite verdict, signed later.
    private func fork(forbid: (SHA256Digest) -> Void) throws -> Message? {
        guard let mark = agent.subscriber?.mark,
            let held = authority.signed[mark.manifestHash]
        else { return nil }
        let manifest = authority.manifest(
            held.place,
            !held.isAllowed,
            for: agent.index,
            at: max(now, mark.issued + .seconds(1))
        )
        let envelope = try authority.sign(
            manifest,
            with: stolenKey,
            as: agent.index,
            isAllowed: !held.isAllowed
        )
        forbid(envelope.payloadHash)
        return .manifest(envelope.encoded)
    }

    /// A trust document that names the stranger's key, signed by the stranger alone, or an old one.
    private func usurpation(_ random: inout SeededRandom) throws -> Envelope {
        if random.chance(30), let old = authority.trust.first { return old.envelope }
        var document = authority.trust[authority.trust.count - 1].document
        document.version += 1
        document.epoch += 1
        document.trustKeys = [fixture.strangerKey.publicKey]
        document.snapshotKeys = [
            TrustDocument.SnapshotKey(
                key: fixture.strangerKey.publicKey,
                notBefore: now - .seconds(60),
                notAfter: now + .seconds(86_400)
            )
        ]
        return try document.signed(by: [fixture.strangerKey])
    }
}
