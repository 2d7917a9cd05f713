package import Crypto
package import Mesh
package import Wire

/// What an agent remembers of the snapshot it enforces: the floor below which it never goes.
package struct SnapshotMark: Hashable, Sendable {
    /// The epoch of the manifest.
    package let epoch: UInt64
    /// The revision of the manifest.
    package let revision: UInt64
    /// The hash of the manifest.
    package let manifestHash: SHA256Digest
    /// The hash over its list of sections; the same at the same revision, or it is a fork.
    package let sectionsHash: SHA256Digest
    /// When the manifest was signed.
    package let issued: Timestamp

    package init(
        epoch: UInt64,
        revision: UInt64,
        manifestHash: SHA256Digest,
        sectionsHash: SHA256Digest,
        issued: Timestamp
    ) {
        self.epoch = epoch
        self.revision = revision
        self.manifestHash = manifestHash
        self.sectionsHash = sectionsHash
        self.issued = issued
    }
}

/// A manifest whose signature, addressee, place in the order and dates were checked.
///
/// Only `SnapshotVerifier` makes one.
package struct VerifiedManifest: Hashable, Sendable {
    /// What it says.
    package let manifest: Manifest
    /// As it was signed: what is stored.
    package let envelope: Envelope
    /// The one spelling of the envelope.
    package let encoded: [UInt8]
    /// SHA-256 of the manifest.
    package let hash: SHA256Digest

    fileprivate init(manifest: Manifest, envelope: Envelope, encoded: [UInt8]) {
        self.manifest = manifest
        self.envelope = envelope
        self.encoded = encoded
        hash = envelope.payloadHash
    }

    /// What to remember once it is enforced.
    package var mark: SnapshotMark {
        SnapshotMark(
            epoch: manifest.epoch,
            revision: manifest.revision,
            manifestHash: hash,
            sectionsHash: manifest.sectionsHash,
            issued: manifest.issued
        )
    }
}

/// What a section says whose bytes were found to be those that its hash names.
///
/// Only `SnapshotVerifier` makes one; it spares reading the same bytes for every manifest that names
/// them.
package struct VerifiedSection: Hashable, Sendable {
    /// What the bytes say.
    package let content: SectionContent
    /// SHA-256 of the bytes.
    let hash: SHA256Digest
    /// How many bytes there were.
    let byteCount: Int

    fileprivate init(content: SectionContent, hash: SHA256Digest, byteCount: Int) {
        self.content = content
        self.hash = hash
        self.byteCount = byteCount
    }

    /// Refuses to stand for what a manifest names otherwise.
    fileprivate func check(_ reference: SectionReference) throws(SnapshotRefusal) {
        guard hash == reference.hash else { throw .sectionHashDiffers(reference.hash) }
        guard byteCount == reference.byteCount else { throw .sectionSizeDiffers(reference.hash) }
        guard content.kind == reference.kind, content.name == reference.name else {
            throw .sectionMisnamed(reference.hash)
        }
    }
}

/// The rule of acceptance, pure: whom it is for, whom it trusts, and what it has seen so far.
package struct SnapshotVerifier: Sendable {
    /// How far the clocks of server and agent may be apart.
    package static let skewMax = Duration.seconds(60)
    /// The most bytes of all sections of one snapshot.
    package static let sectionsByteCountMax = 64 << 20

    /// Where a manifest comes from.
    package enum Origin: Hashable, Sendable {
        /// From a server: must not have expired.
        case received
        /// From the agent's own disk after a restart: may have expired, for policy outlives the
        /// control plane; what an expired one still permits is the data plane's to say.
        case restored
    }

    /// What to do with a manifest that is in order.
    package enum Acceptance: Hashable, Sendable {
        case accepted(VerifiedManifest)
        /// What is enforced already, or an earlier signature of it: nothing to do.
        case unchanged
    }

    /// The only agent whose manifests count.
    package var agent: AgentName
    /// Whose signatures count, and which epoch.
    package var trust: TrustAnchor
    /// What is enforced now; nil before the first snapshot.
    package var mark: SnapshotMark?
    /// Whether the snapshot of the mark was lost, so that it must be taken again.
    package var isSnapshotLost: Bool
    /// What was verified before in this process; nil where the same is hardly shown twice.
    let memory: SignatureMemory?

    package init(
        agent: AgentName,
        trust: TrustAnchor,
        mark: SnapshotMark?,
        isSnapshotLost: Bool = false,
        remembering memory: SignatureMemory? = nil
    ) {
        self.memory = memory
        self.agent = agent
        self.trust = trust
        self.mark = mark
        self.isSnapshotLost = isSnapshotLost
    }

    /// Judges an envelope; nothing of its payload is read before the signature is.
    package func verify(
        _ encoded: [UInt8],
        origin: Origin,
        now: Timestamp
    ) throws(SnapshotRefusal) -> Acceptance {
        let envelope: Envelope
        do throws(SnapshotFormatError) {
            envelope = try Envelope(encoded: encoded)
        } catch {
            throw .malformed(error)
        }
        let keys = try signers(of: envelope)
        let manifest: Manifest
        do throws(SnapshotFormatError) {
            manifest = try Manifest(encoded: envelope.payload)
        } catch {
            throw .malformed(error)
        }
        guard manifest.trustDomain == trust.document.trustDomain else { throw .foreignTrustDomain }
        guard manifest.agent == agent else { throw .otherAgent }
        try checkDates(of: manifest, keys: keys, origin: origin, now: now)
        let byteCount = manifest.sections.reduce(0) { $0 + $1.byteCount }
        guard byteCount <= Self.sectionsByteCountMax else { throw .tooLarge(byteCount: byteCount) }
        guard try checkOrder(of: manifest, origin: origin) else { return .unchanged }
        return .accepted(
            VerifiedManifest(manifest: manifest, envelope: envelope, encoded: encoded)
        )
    }

    private func signers(
        of envelope: Envelope
    ) throws(SnapshotRefusal) -> [TrustDocument.SnapshotKey] {
        guard envelope.payloadType == Manifest.payloadType else { throw .wrongPayloadType }
        let named = Set(envelope.signatures.map(\.keyID))
        let known = trust.document.snapshotKeys.filter { named.contains($0.key.keyID) }
        guard !known.isEmpty else { throw .unknownKey }
        let signers = envelope.signers(among: known.map(\.key), remembering: memory)
        let keys = known.filter { signers.contains($0.key.keyID) }
        guard !keys.isEmpty else { throw .badSignature }
        return keys
    }

    private func checkDates(
        of manifest: Manifest,
        keys: [TrustDocument.SnapshotKey],
        origin: Origin,
        now: Timestamp
    ) throws(SnapshotRefusal) {
        // A retired key can write any date, so the moment of receipt counts beside the date.
        let isKeyValid = keys.contains { key in
            key.isValid(at: manifest.issued) && (origin == .restored || key.isValid(at: now))
        }
        guard isKeyValid else { throw .keyOutsideValidity }
        guard manifest.issued < manifest.expires,
            manifest.expires - manifest.issued <= Manifest.lifetimeMax
        else { throw .lifetimeTooLong }
        // A clock that was set back must not take away what is on disk.
        guard origin == .received else { return }
        guard manifest.issued <= now + Self.skewMax else { throw .notYetValid }
        guard now < manifest.expires else { throw .expired }
    }

    /// False for what is enforced already.
    private func checkOrder(
        of manifest: Manifest,
        origin: Origin
    ) throws(SnapshotRefusal) -> Bool {
        let epoch = trust.document.epoch
        guard manifest.epoch <= epoch else {
            throw .epochNotRaised(required: epoch, shown: manifest.epoch)
        }
        // What the trust document has left behind is enforced until its successor arrives, and
        // comes back after a restart, but is no longer received.
        guard manifest.epoch == epoch || origin == .restored else {
            throw .olderEpoch(required: epoch, shown: manifest.epoch)
        }
        guard let mark else { return true }
        guard manifest.epoch >= mark.epoch else {
            throw .olderEpoch(required: mark.epoch, shown: manifest.epoch)
        }
        guard manifest.epoch == mark.epoch else { return true }
        guard manifest.revision >= mark.revision else {
            throw .olderRevision(held: mark.revision, shown: manifest.revision)
        }
        guard manifest.revision == mark.revision else { return true }
        guard manifest.sectionsHash == mark.sectionsHash else {
            throw .fork(revision: manifest.revision)
        }
        return origin == .restored || isSnapshotLost || manifest.issued > mark.issued
    }

    /// Reads the sections of a verified manifest into the value that is enforced.
    ///
    /// - Parameters:
    ///   - manifest: from `verify`.
    ///   - known: sections that were verified before, by their hash.
    ///   - section: gives the bytes of a section, or nil where there are none.
    /// - Returns: the immutable value that reactors hold.
    /// - Throws: the first section that is missing or not what the manifest says.
    package func assemble(
        _ manifest: VerifiedManifest,
        known: [SHA256Digest: VerifiedSection] = [:],
        section: (SHA256Digest) -> [UInt8]?
    ) throws(SnapshotRefusal) -> ValidatedSnapshot {
        var sections: [VerifiedSection] = []
        sections.reserveCapacity(manifest.manifest.sections.count)
        for reference in manifest.manifest.sections {
            if let verified = known[reference.hash] {
                try verified.check(reference)
                sections.append(verified)
                continue
            }
            guard let bytes = section(reference.hash) else { throw .sectionMissing(reference.hash) }
            sections.append(try Self.section(of: reference, bytes: bytes))
        }
        return ValidatedSnapshot(manifest: manifest, sections: sections)
    }

    /// Checks one section against the manifest and reads it.
    package static func section(
        of reference: SectionReference,
        bytes: [UInt8]
    ) throws(SnapshotRefusal) -> VerifiedSection {
        guard bytes.count == reference.byteCount else { throw .sectionSizeDiffers(reference.hash) }
        guard SHA256.digest(of: bytes) == reference.hash else {
            throw .sectionHashDiffers(reference.hash)
        }
        let content: SectionContent
        do throws(SnapshotFormatError) {
            content = try SectionContent(encoded: bytes)
        } catch {
            throw .sectionMalformed(reference.hash, error)
        }
        let verified = VerifiedSection(
            content: content,
            hash: reference.hash,
            byteCount: bytes.count
        )
        try verified.check(reference)
        return verified
    }
}
