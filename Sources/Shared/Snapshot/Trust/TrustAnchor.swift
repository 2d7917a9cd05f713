package import Crypto
package import Mesh

/// Why a trust document is refused; the one that is held stays.
package enum TrustRefusal: Error, Hashable, Sendable {
    case malformed(SnapshotFormatError)
    case wrongPayloadType
    case foreignTrustDomain
    /// The first document is not the one whose hash the join token names.
    case wrongHash
    case olderVersion(held: UInt64, shown: UInt64)
    /// The held version, signed again with other content.
    case fork(version: UInt64)
    case olderEpoch(held: UInt64, shown: UInt64)
    /// Fewer valid signatures than the threshold of the old or of the new set.
    case notEnoughSignatures
}

/// The trust document that is held, with its envelope; there is no other way to make one than to
/// accept it.
package struct TrustAnchor: Hashable, Sendable {
    /// What it says.
    package let document: TrustDocument
    /// As it was signed: what is stored and shown to others.
    package let envelope: Envelope

    /// SHA-256 of the document, by which manifests and join tokens name it.
    package var hash: SHA256Digest { envelope.payloadHash }

    /// Judges the first document on its own keys; `pinnedHash` is the one from the join token.
    package static func first(
        _ envelope: Envelope,
        trustDomain: TrustDomain,
        pinnedHash: SHA256Digest?,
        remembering memory: SignatureMemory? = nil
    ) throws(TrustRefusal) -> TrustAnchor {
        if let pinnedHash, envelope.payloadHash != pinnedHash { throw .wrongHash }
        let document = try decode(envelope)
        guard document.trustDomain == trustDomain else { throw .foreignTrustDomain }
        try checkSignatures(of: envelope, for: document, after: nil, memory)
        return TrustAnchor(document: document, envelope: envelope)
    }

    /// Judges a newer version against the one that is held: enough keys of both must have signed.
    ///
    /// - Returns: the anchor to hold from now on; the held one itself when it was shown again.
    /// - Throws: why the held one stays.
    package func succeeded(
        by envelope: Envelope,
        remembering memory: SignatureMemory? = nil
    ) throws(TrustRefusal) -> TrustAnchor {
        let next = try Self.decode(envelope)
        guard next.trustDomain == document.trustDomain else { throw .foreignTrustDomain }
        guard next.version >= document.version else {
            throw .olderVersion(held: document.version, shown: next.version)
        }
        if next.version == document.version {
            guard envelope.payloadHash == hash else { throw .fork(version: next.version) }
            return self
        }
        guard next.epoch >= document.epoch else {
            throw .olderEpoch(held: document.epoch, shown: next.epoch)
        }
        try Self.checkSignatures(of: envelope, for: next, after: document, memory)
        return TrustAnchor(document: next, envelope: envelope)
    }

    private static func decode(_ envelope: Envelope) throws(TrustRefusal) -> TrustDocument {
        guard envelope.payloadType == TrustDocument.payloadType else { throw .wrongPayloadType }
        do throws(SnapshotFormatError) {
            return try TrustDocument(encoded: envelope.payload)
        } catch {
            throw .malformed(error)
        }
    }

    private static func checkSignatures(
        of envelope: Envelope,
        for next: TrustDocument,
        after held: TrustDocument?,
        _ memory: SignatureMemory?
    ) throws(TrustRefusal) {
        let signers = envelope.signers(
            among: next.trustKeys + (held?.trustKeys ?? []),
            remembering: memory
        )
        guard let quorum = next.quorum, quorum.admits(signedBy: signers, after: held?.quorum) else {
            throw .notEnoughSignatures
        }
    }
}
