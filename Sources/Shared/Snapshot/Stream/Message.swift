package import Crypto
package import Mesh
package import Wire

/// The kinds of frames on port 7401; the numbers are stable.
package enum FrameKind: UInt8, Hashable, Sendable, CaseIterable {
    case hello = 1
    case manifest = 2
    case want = 3
    case section = 4
    case trust = 5
    case acknowledgement = 6
    case certificateRequest = 7
    case certificateAnswer = 8
    case status = 9
    case evidence = 10
    case evidenceAcknowledgement = 11
    case refusal = 12
    case ping = 13
    case pong = 14
    case health = 15
    case leaseRequest = 16
    case leaseAnswer = 17
}

/// What one frame says.
package enum Message: Equatable, Sendable {
    /// Agent to server, first of all.
    case hello(Hello)
    /// Server to agent: a manifest's envelope, not read before it is verified.
    case manifest([UInt8])
    /// Agent to server: the sections it lacks.
    case want(Want)
    /// Server to agent: a piece of a section.
    case section(SectionChunk)
    /// Server to agent: a trust document's envelope, not read before it is verified.
    case trust([UInt8])
    /// Agent to server: what became of a manifest.
    case acknowledgement(Acknowledgement)
    /// Agent to server: a CSR.
    case certificateRequest(CertificateRequest)
    /// Server to agent: the chain, or why there is none.
    case certificateAnswer(CertificateAnswer)
    /// Agent to server: its state, as the status endpoint shows it.
    case status(Document)
    /// Agent to server: decisions and flows on their way to the audit trail.
    case evidence(EvidenceBatch)
    /// Server to agent: the batch is stored for good.
    case evidenceAcknowledgement(batch: UInt64)
    /// Either way: why this connection ends or a request is not served.
    case refusal(StreamRefusal)
    /// Either way.
    case ping(UInt64)
    /// The answer to the ping of that number.
    case pong(UInt64)
    /// Server to agent, only to one that says it knows it: what its destinations weigh now.
    case health(HealthNotice)
    /// Agent to server: a role for one of its workloads.
    case leaseRequest(AgentLeaseRequest)
    /// Server to agent: the role, or why there is none.
    case leaseAnswer(AgentLeaseAnswer)
}

/// Who the agent is and what it holds.
package struct Hello: Hashable, Sendable {
    /// The protocol versions that this code reads; it writes the lowest that says what it has to.
    package static let versions = 1...2
    /// The most features in one hello.
    package static let featuresMax = 64
    /// The most section hashes in one hello.
    package static let heldMax = Manifest.sectionsMax
    /// The longest mesh address: a DNS name and a port.
    package static let meshAddressMaxBytes = 261

    /// The agent; must be the one that the certificate names.
    package var agent: AgentName
    /// The software and its version, for people.
    package var software: String
    /// What it enforces; nil for nothing yet.
    package var mark: SnapshotMark?
    /// The envelope of the enforced manifest, so that a server that is behind learns it by proof.
    package var head: [UInt8]?
    /// The version of its trust document.
    package var trustVersion: UInt64
    /// The hash of its trust document.
    package var trustHash: SHA256Digest
    /// Sections that it need not be sent.
    package var held: Set<SHA256Digest>
    /// `host:port` under which other agents reach it; nil leaves what the server knows.
    package var meshAddress: String?
    /// What it understands beyond the encoding of version 1.
    package var features: Set<Feature>

    package init(
        agent: AgentName,
        software: String,
        mark: SnapshotMark?,
        head: [UInt8]?,
        trustVersion: UInt64,
        trustHash: SHA256Digest,
        held: Set<SHA256Digest>,
        meshAddress: String? = nil,
        features: Set<Feature> = []
    ) {
        self.agent = agent
        self.software = software
        self.mark = mark
        self.head = head
        self.trustVersion = trustVersion
        self.trustHash = trustHash
        self.held = held
        self.meshAddress = meshAddress
        self.features = features
    }
}

/// Something in sections or frames that agents of protocol version 1 do not know and refuse.
///
/// A server sends nothing of it to an agent whose hello does not name it. The words are stable.
package struct Feature: Hashable, Sendable, Comparable {
    /// The longest word.
    package static let wordMaxBytes = 64
    /// What agents of this source understand.
    package static let known: Set<Feature> = [.traffic, .revocations, .external, .postgres]
    /// Health checks and limits in sections, and frames of health.
    package static let traffic = Feature("traffic")
    /// Enforces a section of revoked certificates.
    package static let revocations = Feature("revocations")
    /// Connects outward for services that no agent hosts.
    package static let external = Feature("external")
    /// Leases roles of databases for upstream ports, and speaks PostgreSQL there.
    package static let postgres = Feature("postgres")

    /// Its word in the hello.
    package let word: String

    package init(_ word: String) {
        self.word = word
    }

    package static func < (left: Feature, right: Feature) -> Bool { left.word < right.word }
}

/// The sections that the agent lacks of one manifest.
package struct Want: Hashable, Sendable {
    /// The manifest that names them.
    package var manifest: SHA256Digest
    /// Which ones.
    package var sections: [SHA256Digest]

    package init(manifest: SHA256Digest, sections: [SHA256Digest]) {
        self.manifest = manifest
        self.sections = sections
    }
}

/// A piece of a section; the pieces of one section come in order and are not mixed.
package struct SectionChunk: Hashable, Sendable {
    /// The most bytes of one piece.
    package static let byteCountMax = 32 << 10

    /// Which section.
    package var hash: SHA256Digest
    /// Where the piece begins.
    package var offset: Int
    /// How many bytes the whole section has.
    package var byteCount: Int
    /// The piece.
    package var bytes: [UInt8]

    package init(hash: SHA256Digest, offset: Int, byteCount: Int, bytes: [UInt8]) {
        self.hash = hash
        self.offset = offset
        self.byteCount = byteCount
        self.bytes = bytes
    }
}

/// What became of a manifest.
package struct Acknowledgement: Hashable, Sendable {
    /// The most errors in one acknowledgement.
    package static let errorsMax = 16
    /// The most bytes of one error.
    package static let errorMaxBytes = 2048

    /// The manifest that is spoken of.
    package var manifest: SHA256Digest
    /// What is enforced now.
    package var mark: SnapshotMark?
    /// When the last reactor had swapped and decided again; nil if it was refused.
    package var appliedAt: Timestamp?
    /// The trust document that is held now.
    package var trustVersion: UInt64
    /// Why it was refused, a stable word and then a sentence; empty if it is enforced.
    package var errors: [String]

    package init(
        manifest: SHA256Digest,
        mark: SnapshotMark?,
        appliedAt: Timestamp?,
        trustVersion: UInt64,
        errors: [String]
    ) {
        self.manifest = manifest
        self.mark = mark
        self.appliedAt = appliedAt
        self.trustVersion = trustVersion
        self.errors = errors
    }
}

/// A request for a leaf; the server takes only the public key from the CSR.
package struct CertificateRequest: Hashable, Sendable {
    /// The longest CSR.
    package static let csrMaxBytes = 16_384

    /// Told apart by the agent; the answer carries it back.
    package var id: UInt64
    /// The placed service; nil for the agent's own certificate.
    package var service: ServiceName?
    /// PKCS#10, DER.
    package var csr: [UInt8]

    package init(id: UInt64, service: ServiceName?, csr: [UInt8]) {
        self.id = id
        self.service = service
        self.csr = csr
    }
}

/// The answer to a request for a leaf.
package struct CertificateAnswer: Hashable, Sendable {
    /// The most certificates of one chain.
    package static let chainMax = 8

    /// The request's number.
    package var id: UInt64
    /// DER, leaf first; empty if it was refused.
    package var chain: [[UInt8]]
    /// A stable word, then a sentence; nil if it was issued.
    package var error: String?
    /// When to ask again after a refusal, if that makes sense.
    package var retryAfter: Duration?

    package init(
        id: UInt64,
        chain: [[UInt8]],
        error: String? = nil,
        retryAfter: Duration? = nil
    ) {
        self.id = id
        self.chain = chain
        self.error = error
        self.retryAfter = retryAfter
    }
}

/// Why a peer is not served.
package struct StreamRefusal: Hashable, Sendable {
    /// The code with which an agent says that it ends, so that nobody waits for it.
    package static let stopping = "stopping"

    /// A stable word.
    package var code: String
    /// A sentence for people.
    package var text: String

    package init(code: String, text: String) {
        self.code = code
        self.text = text
    }
}
