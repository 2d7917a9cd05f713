package import Crypto
import Wire

/// How a manifest names a section.
package struct SectionReference: Hashable, Comparable, Sendable {
    /// What kind it is.
    package let kind: SectionKind
    /// What it speaks of.
    package let name: String
    /// SHA-256 of its bytes.
    package let hash: SHA256Digest
    /// How many bytes it has.
    package let byteCount: Int

    package init(kind: SectionKind, name: String, hash: SHA256Digest, byteCount: Int) {
        self.kind = kind
        self.name = name
        self.hash = hash
        self.byteCount = byteCount
    }

    /// By kind, then by name: the order in a manifest.
    package static func < (left: SectionReference, right: SectionReference) -> Bool {
        (left.kind.rawValue, left.name) < (right.kind.rawValue, right.name)
    }
}

/// A section as bytes, checked with the agent's own decoder before anybody signs it.
package struct EncodedSection: Hashable, Sendable {
    /// The most bytes of one section.
    package static let byteCountMax = 8 << 20

    /// How a manifest names it.
    package let reference: SectionReference
    /// Canonical JSON.
    package let bytes: [UInt8]

    /// Encodes, decodes again with the agent's decoder, and compares.
    package init(checking content: SectionContent) throws(SnapshotFormatError) {
        let bytes = JSON.canonical(content.document)
        guard bytes.count <= Self.byteCountMax else {
            throw SnapshotFormatError("the section is larger than \(Self.byteCountMax) bytes")
        }
        guard try SectionContent(encoded: bytes) == content else {
            throw SnapshotFormatError("the section reads otherwise than it was written")
        }
        self.init(content: content, bytes: bytes)
    }

    /// Encodes a section; one that its own decoder would refuse becomes a denial of what it
    /// speaks of, so that one bad row freezes nobody else.
    ///
    /// - Returns: the section, and why it was replaced if it was; the caller says so loudly.
    package static func encode(_ content: SectionContent) -> (EncodedSection, fault: String?) {
        do throws(SnapshotFormatError) {
            return (try EncodedSection(checking: content), nil)
        } catch {
            let denial = SectionContent.denied(
                DeniedSection(
                    replaced: content.kind,
                    name: content.name,
                    reason: error.description
                )
            )
            let bytes = JSON.canonical(denial.document)
            return (EncodedSection(content: denial, bytes: bytes), error.description)
        }
    }

    private init(content: SectionContent, bytes: [UInt8]) {
        self.bytes = bytes
        reference = SectionReference(
            kind: content.kind,
            name: content.name,
            hash: SHA256.digest(of: bytes),
            byteCount: bytes.count
        )
    }
}

extension SectionContent {
    /// Reads the one spelling of a section; an unknown kind, schema or field is refused.
    package init(encoded: [UInt8]) throws(SnapshotFormatError) {
        guard encoded.count <= EncodedSection.byteCountMax else {
            throw SnapshotFormatError(
                "the section is larger than \(EncodedSection.byteCountMax) bytes"
            )
        }
        self = try CanonicalJSON.read(encoded) { reader throws(FieldError) in
            try SectionContent(from: &reader)
        }
        // Lists have one order, so that one meaning has one hash.
        guard JSON.canonical(document) == encoded else {
            throw SnapshotFormatError("the section is not in its canonical order")
        }
    }
}
