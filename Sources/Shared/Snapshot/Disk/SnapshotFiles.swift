package import Crypto
package import Mesh
package import Wire

/// What must be on disk before a snapshot may be applied.
package struct StoredSnapshot: Hashable, Sendable {
    /// The manifest's envelope as it was signed.
    package let manifest: [UInt8]
    /// The floor for everything that comes later.
    package let mark: SnapshotMark
    /// Sections that are not on disk yet.
    package let added: [SHA256Digest: [UInt8]]
    /// Sections that no manifest names any more; removed last.
    package let removed: Set<SHA256Digest>

    package init(
        manifest: [UInt8],
        mark: SnapshotMark,
        added: [SHA256Digest: [UInt8]],
        removed: Set<SHA256Digest>
    ) {
        self.manifest = manifest
        self.mark = mark
        self.added = added
        self.removed = removed
    }
}

/// How the agent keeps its snapshot: names and bytes of files, without touching a disk.
///
/// The driver writes every file under a temporary name, syncs it, renames it and syncs the
/// folder, in the order that is given: a crash at any point leaves a snapshot that can be
/// restored, old or new.
package enum SnapshotFiles {
    /// The trust document's envelope.
    package static let trustName = "trust.json"
    /// The manifest's envelope.
    package static let manifestName = "manifest.json"
    /// The mark; it survives the loss of the manifest.
    package static let markName = "mark.json"

    /// The file of a section.
    package static func sectionName(_ hash: SHA256Digest) -> String { "section-\(hash.hex).json" }

    /// One step on disk.
    package enum Step: Hashable, Sendable {
        case write(name: String, bytes: [UInt8])
        case remove(name: String)
    }

    /// The steps that persist a snapshot: sections, manifest, mark, then what is superfluous.
    ///
    /// The mark follows the manifest, never the other way round: a mark above the manifest would
    /// close the agent for good.
    package static func steps(for snapshot: StoredSnapshot) -> [Step] {
        let sections = snapshot.added.sorted { $0.key < $1.key }.map { hash, bytes in
            Step.write(name: sectionName(hash), bytes: bytes)
        }
        return sections
            + [
                .write(name: manifestName, bytes: snapshot.manifest),
                .write(name: markName, bytes: snapshot.mark.encoded),
            ]
            + snapshot.removed.sorted().map { Step.remove(name: sectionName($0)) }
    }

    /// What a restart finds.
    package struct Restoration: Sendable {
        /// The trust document, if it is in order.
        package let trust: TrustAnchor?
        /// The floor, even where the snapshot itself was lost.
        package let mark: SnapshotMark?
        /// What can be enforced at once, with the bytes of its sections.
        package let snapshot: (value: ValidatedSnapshot, sections: [SHA256Digest: [UInt8]])?
        /// What was wrong, one sentence each, for log and status.
        package let faults: [String]
    }

    /// Restores what `read` finds; whatever is not in order counts as absent and is reported.
    ///
    /// - Parameters:
    ///   - agent: the only agent whose snapshot counts.
    ///   - trustDomain: the only trust domain that counts.
    ///   - now: for the key's validity alone; an expired snapshot is restored.
    ///   - memory: of signatures that were verified before in this process.
    ///   - read: gives the bytes of a file, or nil where there is none.
    /// - Returns: what can be enforced, and what was wrong.
    package static func restore(
        agent: AgentName,
        trustDomain: TrustDomain,
        now: Timestamp,
        remembering memory: SignatureMemory? = nil,
        read: (String) -> [UInt8]?
    ) -> Restoration {
        var faults: [String] = []
        var mark: SnapshotMark?
        if let bytes = read(markName) {
            mark = try? SnapshotMark(encoded: bytes)
            if mark == nil { faults.append("\(markName) is unreadable") }
        }
        guard let trustBytes = read(trustName) else {
            return Restoration(trust: nil, mark: mark, snapshot: nil, faults: faults)
        }
        guard let envelope = try? Envelope(encoded: trustBytes),
            let trust = try? TrustAnchor.first(
                envelope,
                trustDomain: trustDomain,
                pinnedHash: nil,
                remembering: memory
            )
        else {
            faults.append("\(trustName) is refused")
            return Restoration(trust: nil, mark: mark, snapshot: nil, faults: faults)
        }
        guard let manifest = read(manifestName) else {
            if mark != nil { faults.append("\(manifestName) is missing") }
            return Restoration(trust: trust, mark: mark, snapshot: nil, faults: faults)
        }
        let verifier = SnapshotVerifier(
            agent: agent,
            trust: trust,
            mark: mark,
            remembering: memory
        )
        var sections: [SHA256Digest: [UInt8]] = [:]
        do throws(SnapshotRefusal) {
            let acceptance = try verifier.verify(manifest, origin: .restored, now: now)
            guard case .accepted(let verified) = acceptance else {
                return Restoration(trust: trust, mark: mark, snapshot: nil, faults: faults)
            }
            for reference in verified.manifest.sections {
                sections[reference.hash] = read(sectionName(reference.hash))
            }
            let value = try verifier.assemble(verified) { sections[$0] }
            return Restoration(
                trust: trust,
                mark: verified.mark,
                snapshot: (value, sections),
                faults: faults
            )
        } catch {
            faults.append("\(manifestName) is refused: \(error)")
            return Restoration(trust: trust, mark: mark, snapshot: nil, faults: faults)
        }
    }
}

extension SnapshotMark {
    /// The one spelling of a mark.
    package var encoded: [UInt8] { JSON.canonical(document) }

    /// Reads the one spelling of a mark.
    package init(encoded: [UInt8]) throws(SnapshotFormatError) {
        self = try CanonicalJSON.read(encoded) { reader throws(FieldError) in
            try SnapshotMark(from: &reader)
        }
    }

    var document: Document {
        .fields([
            "epoch": .number(epoch),
            "revision": .number(revision),
            "manifest": .string(manifestHash.hex),
            "sections": .string(sectionsHash.hex),
            "issued": .timestamp(issued),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            epoch: try reader.required("epoch").counter(),
            revision: try reader.required("revision").counter(),
            manifestHash: try reader.required("manifest").digest(),
            sectionsHash: try reader.required("sections").digest(),
            issued: try reader.timestamp("issued")
        )
    }
}
