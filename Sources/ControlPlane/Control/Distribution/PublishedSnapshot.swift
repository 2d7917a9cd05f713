import Crypto
import Mesh
import Snapshot
import Store
import Wire

/// What was signed for an agent, as its stream shows it and as it is stored.
///
/// There is one for every connected agent: it keeps no second copy of the signed bytes.
struct PublishedSnapshot: Sendable {
    let manifest: Manifest
    let publication: Publication

    /// Nil if the parts do not fit each other or a frame.
    init?(manifest: Manifest, envelope: Envelope, sections: [EncodedSection]) {
        guard
            let publication = Publication(
                manifest: manifest,
                envelope: envelope,
                sections: sections
            )
        else { return nil }
        self.manifest = manifest
        self.publication = publication
    }

    var hash: SHA256Digest { publication.mark.manifestHash }

    var row: PublishedManifest {
        PublishedManifest(
            agent: manifest.agent,
            epoch: Int64(clamping: manifest.epoch),
            revision: Int64(clamping: manifest.revision),
            hash: hash,
            sectionsHash: publication.mark.sectionsHash,
            sectionHashes: manifest.sections.map(\.hash),
            envelope: publication.envelope,
            issuedAt: manifest.issued,
            expiresAt: manifest.expires
        )
    }
}

/// A stored manifest as it was signed.
struct StoredManifest: Sendable {
    let manifest: Manifest
    let envelope: Envelope

    /// Nil for a row that no server of this mesh wrote: whoever else could make one up would keep
    /// an agent from ever being shown anything newer.
    init?(
        _ row: PublishedManifest,
        signedBy keys: [PublicKey],
        remembering memory: SignatureMemory? = nil
    ) {
        guard let envelope = try? Envelope(encoded: row.envelope),
            envelope.payloadType == Manifest.payloadType, envelope.payloadHash == row.hash,
            !envelope.signers(among: keys, remembering: memory).isEmpty,
            let manifest = try? Manifest(encoded: envelope.payload), manifest.agent == row.agent,
            manifest.epoch == UInt64(clamping: row.epoch),
            manifest.revision == UInt64(clamping: row.revision),
            manifest.issued == row.issuedAt
        else { return nil }
        self.manifest = manifest
        self.envelope = envelope
    }
}

extension EncodedSection {
    var row: PublishedSection {
        PublishedSection(
            hash: reference.hash,
            kind: reference.kind.rawValue,
            name: reference.name,
            bytes: bytes
        )
    }
}
