import Crypto
import Mesh
import Wire

extension Message {
    /// Which kind of frame carries it.
    package var kind: FrameKind {
        switch self {
        case .hello: .hello
        case .manifest: .manifest
        case .want: .want
        case .section: .section
        case .trust: .trust
        case .acknowledgement: .acknowledgement
        case .certificateRequest: .certificateRequest
        case .certificateAnswer: .certificateAnswer
        case .status: .status
        case .evidence: .evidence
        case .evidenceAcknowledgement: .evidenceAcknowledgement
        case .refusal: .refusal
        case .ping: .ping
        case .pong: .pong
        case .health: .health
        case .leaseRequest: .leaseRequest
        case .leaseAnswer: .leaseAnswer
        }
    }

    var payload: [UInt8] {
        switch self {
        case .manifest(let envelope), .trust(let envelope): envelope
        case .hello(let hello): JSON.canonical(hello.document)
        case .want(let want): JSON.canonical(want.document)
        case .section(let chunk): JSON.canonical(chunk.document)
        case .acknowledgement(let acknowledgement): JSON.canonical(acknowledgement.document)
        case .certificateRequest(let request): JSON.canonical(request.document)
        case .certificateAnswer(let answer): JSON.canonical(answer.document)
        case .status(let document): JSON.canonical(document)
        case .evidence(let batch): JSON.canonical(batch.document)
        case .evidenceAcknowledgement(let batch):
            JSON.canonical(.fields(["batch": .number(batch)]))
        case .refusal(let refusal):
            JSON.canonical(
                .fields(["code": .string(refusal.code), "text": .string(refusal.text)])
            )
        case .health(let notice): JSON.canonical(notice.document)
        case .leaseRequest(let request): JSON.canonical(request.document)
        case .leaseAnswer(let answer): JSON.canonical(answer.document)
        case .ping(let number), .pong(let number):
            JSON.canonical(.fields(["number": .number(number)]))
        }
    }

    init(_ kind: FrameKind, payload: [UInt8]) throws(SnapshotFormatError) {
        func read<T>(
            _ body: (inout FieldReader) throws(FieldError) -> T
        ) throws(SnapshotFormatError) -> T {
            try CanonicalJSON.read(payload, limits: .request, body)
        }
        switch kind {
        case .manifest: self = .manifest(payload)
        case .trust: self = .trust(payload)
        case .hello: self = .hello(try read(Hello.init(from:)))
        case .want: self = .want(try read(Want.init(from:)))
        case .section: self = .section(try read(SectionChunk.init(from:)))
        case .acknowledgement:
            self = .acknowledgement(try read(Acknowledgement.init(from:)))
        case .certificateRequest:
            self = .certificateRequest(try read(CertificateRequest.init(from:)))
        case .certificateAnswer:
            self = .certificateAnswer(try read(CertificateAnswer.init(from:)))
        case .status: self = .status(try Self.status(payload))
        case .evidence: self = .evidence(try read(EvidenceBatch.init(from:)))
        case .evidenceAcknowledgement:
            self = .evidenceAcknowledgement(
                batch: try read { reader throws(FieldError) in
                    try reader.required("batch").counter()
                }
            )
        case .refusal: self = .refusal(try read(StreamRefusal.init(from:)))
        case .ping: self = .ping(try read(Self.number))
        case .pong: self = .pong(try read(Self.number))
        case .health: self = .health(try read(HealthNotice.init(from:)))
        case .leaseRequest: self = .leaseRequest(try read(AgentLeaseRequest.init(from:)))
        case .leaseAnswer: self = .leaseAnswer(try read(AgentLeaseAnswer.init(from:)))
        }
    }

    private static func number(_ reader: inout FieldReader) throws(FieldError) -> UInt64 {
        try reader.required("number").counter()
    }

    /// The server's rooms read the fields; here it only has to be a map.
    private static func status(_ payload: [UInt8]) throws(SnapshotFormatError) -> Document {
        do {
            let document = try JSON.parse(payload, source: "status", limits: .request)
            guard document.entries != nil else { throw SnapshotFormatError("a map is expected") }
            return document
        } catch {
            throw SnapshotFormatError("\(error)")
        }
    }
}

extension Hello {
    var document: Document {
        .fields([
            "version": .number(features.isEmpty ? 1 : 2),
            "agent": .string(agent.text),
            "software": .string(software),
            "mark": mark.map(\.document),
            "head": head.map { .string(Base64.encode($0)) },
            "trust_version": .number(trustVersion),
            "trust_hash": .string(trustHash.hex),
            "held": .list(held.sorted().map { .string($0.hex) }),
            "mesh_address": meshAddress.map { .string($0) },
            "features": features.isEmpty
                ? nil : .list(features.sorted().map { .string($0.word) }),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        let version = try reader.int("version", in: Self.versions)
        self.init(
            agent: try reader.required("agent").label(),
            software: try reader.string("software", bytes: 1...128),
            mark: try reader.optionalMap("mark", SnapshotMark.init(from:)),
            head: try reader.optional("head")?.bytes(limit: Envelope.encodedMaxBytes),
            trustVersion: try reader.required("trust_version").counter(),
            trustHash: try reader.required("trust_hash").digest(),
            held: Set(
                try reader.list("held", limit: Self.heldMax) { hash throws(FieldError) in
                    try hash.digest()
                }
            ),
            meshAddress: try reader.optionalString(
                "mesh_address",
                bytes: 1...Self.meshAddressMaxBytes
            ),
            features: version == 1
                ? []
                : Set(
                    try reader.list("features", limit: Self.featuresMax) {
                        word throws(FieldError) in
                        Feature(try word.string(bytes: 1...Feature.wordMaxBytes))
                    }
                )
        )
    }
}

extension Want {
    var document: Document {
        .fields([
            "manifest": .string(manifest.hex),
            "sections": .list(sections.map { .string($0.hex) }),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            manifest: try reader.required("manifest").digest(),
            sections: try reader.list("sections", limit: Manifest.sectionsMax) {
                hash throws(FieldError) in try hash.digest()
            }
        )
    }
}

extension SectionChunk {
    var document: Document {
        .fields([
            "hash": .string(hash.hex),
            "offset": .number(offset),
            "size": .number(byteCount),
            "data": .string(Base64.encode(bytes)),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            hash: try reader.required("hash").digest(),
            offset: try reader.int("offset", in: 0...EncodedSection.byteCountMax),
            byteCount: try reader.int("size", in: 1...EncodedSection.byteCountMax),
            bytes: try reader.required("data").bytes(limit: Self.byteCountMax)
        )
    }
}

extension Acknowledgement {
    var document: Document {
        .fields([
            "manifest": .string(manifest.hex),
            "mark": mark.map(\.document),
            "applied_at": appliedAt.map { .timestamp($0) },
            "trust_version": .number(trustVersion),
            "errors": .list(errors),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            manifest: try reader.required("manifest").digest(),
            mark: try reader.optionalMap("mark", SnapshotMark.init(from:)),
            appliedAt: try reader.optionalTimestamp("applied_at"),
            trustVersion: try reader.required("trust_version").counter(),
            errors: try reader.list("errors", limit: Self.errorsMax) {
                text throws(FieldError) in try text.string(bytes: 1...Self.errorMaxBytes)
            }
        )
    }
}

extension CertificateRequest {
    var document: Document {
        .fields([
            "id": .number(id),
            "service": service.map { .string($0.description) },
            "csr": .string(Base64.encode(csr)),
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            id: try reader.required("id").counter(),
            service: try reader.optional("service")?.serviceName(),
            csr: try reader.required("csr").bytes(limit: Self.csrMaxBytes)
        )
    }
}

extension CertificateAnswer {
    var document: Document {
        .fields([
            "id": .number(id),
            "chain": .list(chain.map { .string(Base64.encode($0)) }),
            "error": error.map { .string($0) },
            "retry_after": retryAfter.map { .duration($0) },
        ])
    }

    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            id: try reader.required("id").counter(),
            chain: try reader.list("chain", limit: Self.chainMax) {
                certificate throws(FieldError) in
                try certificate.bytes(limit: TrustDocument.entryMaxBytes)
            },
            error: try reader.optionalString(
                "error",
                bytes: 1...Acknowledgement.errorMaxBytes
            ),
            retryAfter: try reader.optionalDuration(
                "retry_after",
                in: .zero ... .seconds(86_400)
            )
        )
    }
}

extension StreamRefusal {
    init(from reader: inout FieldReader) throws(FieldError) {
        self.init(
            code: try reader.string("code", bytes: 1...64),
            text: try reader.string("text", bytes: 1...Acknowledgement.errorMaxBytes)
        )
    }
}
