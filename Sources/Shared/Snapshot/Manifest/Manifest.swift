package import Crypto
package import Mesh
package import Wire

/// What one agent shall enforce, by the hashes of its sections.
package struct Manifest: Hashable, Sendable {
    /// The payload type of its envelope.
    package static let payloadType = "application/vnd.turnpike.manifest+json"
    /// The only schema there is.
    package static let schema = 1
    /// The most sections of one manifest; with it an envelope fits a frame.
    package static let sectionsMax = 2048
    /// The most writers whose audit heads travel in one manifest.
    package static let auditHeadsMax = 64
    /// The longest life: the longest life of a leaf.
    package static let lifetimeMax = Duration.seconds(86_400)

    /// How far a writer's audit chain has come; every agent keeps the last ones it saw.
    package struct AuditHeadNote: Hashable, Sendable {
        /// Whose chain it is.
        package let writer: String
        /// Its last record.
        package let sequence: UInt64
        /// The hash of that record.
        package let hash: SHA256Digest

        package init(writer: String, sequence: UInt64, hash: SHA256Digest) {
            self.writer = writer
            self.sequence = sequence
            self.hash = hash
        }
    }

    /// Where it holds.
    package var trustDomain: TrustDomain
    /// For whom it is, and nobody else.
    package var agent: AgentName
    /// The epoch of the trust document.
    package var epoch: UInt64
    /// Ascending within an epoch.
    package var revision: UInt64
    /// The manifest that the agent was given before, for evidence; nil for the first.
    package var previous: SHA256Digest?
    /// When it was signed.
    package var issued: Timestamp
    /// Until before when it holds.
    package var expires: Timestamp
    /// The version of the trust document that the server held.
    package var trustVersion: UInt64
    /// The hash of that trust document.
    package var trustHash: SHA256Digest
    /// Heads of the audit chains, each writer once.
    package var auditHeads: [AuditHeadNote]
    /// In the order of kind and name, each once.
    package let sections: [SectionReference]
    /// SHA-256 over the list of sections: what must be the same at the same revision.
    package let sectionsHash: SHA256Digest

    /// A manifest, with heads and sections in one order whatever the order they are given in.
    package init(
        trustDomain: TrustDomain,
        agent: AgentName,
        epoch: UInt64,
        revision: UInt64,
        previous: SHA256Digest?,
        issued: Timestamp,
        expires: Timestamp,
        trustVersion: UInt64,
        trustHash: SHA256Digest,
        auditHeads: [AuditHeadNote] = [],
        sections: [SectionReference]
    ) {
        self.trustDomain = trustDomain
        self.agent = agent
        self.epoch = epoch
        self.revision = revision
        self.previous = previous
        self.issued = issued
        self.expires = expires
        self.trustVersion = trustVersion
        self.trustHash = trustHash
        self.auditHeads = auditHeads.sorted { $0.writer < $1.writer }
        self.sections = sections.sorted()
        var writer = CanonicalWriter(reservingCapacity: self.sections.count * 160)
        writer.list(self.sections) { $0.write($1) }
        sectionsHash = SHA256.digest(of: writer.bytes)
    }

    /// Signs the manifest with a snapshot key.
    package func signed(
        by key: SigningKey,
        remembering memory: SignatureMemory? = nil
    ) throws(CryptoError) -> Envelope {
        try Envelope(signing: encoded, type: Self.payloadType, by: [key], remembering: memory)
    }
}

extension Manifest {
    /// The one spelling of this manifest.
    package var encoded: [UInt8] {
        var writer = CanonicalWriter(reservingCapacity: 640 + sections.count * 160)
        writer.map { map in
            map.field("agent", agent.text)
            map.key("audit_heads")
            map.list(auditHeads) { list, head in
                list.map { map in
                    map.field("hash", head.hash.hex)
                    map.field("sequence", head.sequence)
                    map.field("writer", head.writer)
                }
            }
            map.field("epoch", epoch)
            map.field("expires", expires.rfc3339)
            map.field("issued", issued.rfc3339)
            if let previous { map.field("previous", previous.hex) }
            map.field("revision", revision)
            map.field("schema", Self.schema)
            map.key("sections")
            map.list(sections) { $0.write($1) }
            map.field("trust_domain", trustDomain.text)
            map.field("trust_hash", trustHash.hex)
            map.field("trust_version", trustVersion)
        }
        return writer.bytes
    }

    /// Reads the one spelling of a manifest.
    package init(encoded: [UInt8]) throws(SnapshotFormatError) {
        self = try CanonicalJSON.read(encoded) { reader throws(FieldError) in
            _ = try reader.int("schema", in: Self.schema...Self.schema)
            return Manifest(
                trustDomain: try reader.required("trust_domain").trustDomain(),
                agent: try reader.required("agent").label(),
                epoch: try reader.required("epoch").counter(),
                revision: try reader.required("revision").counter(),
                previous: try reader.optional("previous")?.digest(),
                issued: try reader.timestamp("issued"),
                expires: try reader.timestamp("expires"),
                trustVersion: try reader.required("trust_version").counter(),
                trustHash: try reader.required("trust_hash").digest(),
                auditHeads: try reader.maps("audit_heads", limit: Self.auditHeadsMax) {
                    head throws(FieldError) in
                    AuditHeadNote(
                        writer: try head.string("writer", bytes: 1...255),
                        sequence: try head.required("sequence").counter(),
                        hash: try head.required("hash").digest()
                    )
                },
                sections: try reader.maps("sections", limit: Self.sectionsMax) {
                    section throws(FieldError) in try SectionReference(from: &section)
                }
            )
        }
        guard self.encoded == encoded else {
            throw SnapshotFormatError("the manifest is not in its canonical order")
        }
        // They are in order, so that whatever stands twice stands side by side.
        for (section, next) in zip(sections, sections.dropFirst())
        where section.kind == next.kind && section.name == next.name {
            throw SnapshotFormatError("the manifest names a section twice")
        }
    }
}

extension SectionReference {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            kind: try reader.choice("kind", as: SectionKind.self),
            name: try reader.string("name", bytes: 1...255),
            hash: try reader.required("hash").digest(),
            byteCount: try reader.int("size", in: 1...EncodedSection.byteCountMax)
        )
    }
}

extension CanonicalWriter {
    fileprivate mutating func write(_ section: SectionReference) {
        map { map in
            map.field("hash", section.hash.hex)
            map.field("kind", section.kind.rawValue)
            map.field("name", section.name)
            map.field("size", section.byteCount)
        }
    }
}
