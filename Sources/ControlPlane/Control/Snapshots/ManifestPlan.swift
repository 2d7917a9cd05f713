import Crypto
import Mesh
import Snapshot
import Wire

/// Decides whether an agent needs a new manifest, and which; pure.
///
/// A manifest is replaced when its sections or the trust document change and when half of its life
/// is over. Its revision moves only with its sections, so that the same revision always means the
/// same sections.
struct ManifestPlan {
    enum Outcome: Equatable {
        /// What was published holds.
        case keep
        case sign(Manifest)
        /// The sections differ although the revision does not (another encoding, a row that was
        /// altered behind the server's back): agents would take it for a fork, so it needs a
        /// revision of its own.
        case supersede
    }

    let trustDomain: TrustDomain
    /// The trust document in force.
    let trust: TrustAnchor
    /// The revision that the sections were compiled at.
    let revision: UInt64
    let auditHeads: [Manifest.AuditHeadNote]
    let now: Timestamp

    /// What to do for an agent whose last manifest and own head are these, if they are known.
    func next(
        for agent: AgentName,
        after previous: (manifest: Manifest, hash: SHA256Digest)?,
        floor: SnapshotMark?,
        sections: [EncodedSection],
        lifetime: Duration
    ) -> Outcome {
        let epoch = trust.document.epoch
        // The database keeps whole microseconds; a later signature must also look later.
        let earliest = previous.map { $0.manifest.issued + .microseconds(1) } ?? .distantPast
        let issued = Timestamp(
            nanosecondsSinceEpoch: max(now, earliest).microsecondsSinceEpoch * 1_000
        )
        var next = Manifest(
            trustDomain: trustDomain,
            agent: agent,
            epoch: epoch,
            revision: revision,
            previous: previous?.hash,
            issued: issued,
            expires: issued + lifetime,
            trustVersion: trust.document.version,
            trustHash: trust.hash,
            auditHeads: Array(auditHeads.prefix(Manifest.auditHeadsMax)),
            sections: sections.map(\.reference)
        )
        if let floor, floor.epoch == epoch, floor.revision == revision,
            floor.sectionsHash != next.sectionsHash
        {
            return .supersede
        }
        guard let last = previous?.manifest, last.epoch == epoch else { return .sign(next) }
        guard last.sectionsHash == next.sectionsHash else {
            // A replica that is behind another one publishes nothing until it has caught up.
            if last.revision > revision { return .keep }
            return last.revision < revision ? .sign(next) : .supersede
        }
        let isBehindAgent = floor.map { $0.epoch == epoch && $0.revision > last.revision } ?? false
        if !isBehindAgent { next.revision = last.revision }
        let age = now.duration(since: last.issued)
        let life = last.expires.duration(since: last.issued)
        guard !isBehindAgent, last.trustHash == next.trustHash, age < life / 2,
            life <= lifetime
        else { return .sign(next) }
        return .keep
    }
}
