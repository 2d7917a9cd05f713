package import Wire

/// Everything that a certificate says apart from key, issuer and signature.
package struct CertificateTemplate: Sendable {
    /// What the certificate is good for.
    package enum Purpose: Sendable {
        /// A root: signs intermediates and CRLs, is in the trust bundle.
        case root
        /// An intermediate that signs leaves only, for identities and DNS names of one trust domain.
        case intermediate(trustDomain: String)
        /// An X509-SVID: one SPIFFE id, and the DNS names under which the service is reached.
        case leaf(spiffeID: String, dnsNames: [String])
        /// A plain TLS peer without a SPIFFE id, under a root that is not the mesh's.
        case peer(names: [GeneralName], roles: Set<PeerRole>)
    }

    /// How many bytes a serial number has; drawn at random by the caller.
    package static let serialByteCount = 16

    /// Unpredictable bytes, `serialByteCount` of them; the first bit is cleared.
    package var serialBytes: [UInt8]
    /// The first second of validity.
    package var notBefore: Timestamp
    /// The last second of validity, inclusive.
    package var notAfter: Timestamp
    /// The subject's name; empty is right for leaves, wrong for CAs.
    package var subject: DistinguishedName
    /// What the certificate is good for.
    package var purpose: Purpose

    package init(
        serialBytes: [UInt8],
        notBefore: Timestamp,
        notAfter: Timestamp,
        subject: DistinguishedName = .empty,
        purpose: Purpose
    ) {
        self.serialBytes = serialBytes
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.subject = subject
        self.purpose = purpose
    }

    /// Refuses what no certificate may say.
    func check() throws(CryptoError) {
        guard serialBytes.count == Self.serialByteCount, serial.contains(where: { $0 != 0 })
        else {
            throw .malformed(
                field: "serial number",
                problem: "it needs \(Self.serialByteCount) random bytes"
            )
        }
        guard notBefore <= notAfter else {
            throw .malformed(field: "validity", problem: "it must not end before it begins")
        }
        switch purpose {
        case .root:
            try checkName()
        case .intermediate(let trustDomain):
            try checkName()
            // It becomes a name constraint, whose grammar is that of a host.
            guard DNSName.isWellFormed(trustDomain) else {
                throw .malformed(field: "trust domain", problem: "it must be a well-formed name")
            }
        case .leaf(let spiffeID, let dnsNames):
            guard SVIDValidator.trustDomain(ofWorkloadID: spiffeID) != nil else {
                throw .malformed(field: "SPIFFE id", problem: "it must be well-formed, with a path")
            }
            guard dnsNames.allSatisfy(DNSName.isWellFormed) else {
                throw .malformed(field: "DNS name", problem: "it must be well-formed")
            }
        case .peer(let names, let roles):
            guard !names.isEmpty, !roles.isEmpty else {
                throw .malformed(field: "names", problem: "a peer needs a name and a role")
            }
        }
    }

    private func checkName() throws(CryptoError) {
        guard !subject.isEmpty else {
            throw .malformed(field: "subject", problem: "a CA needs a name")
        }
    }

    /// The contents to be signed (RFC 5280 §4.1.1.1).
    func contents(
        publicKey: PublicKey,
        issuer: DistinguishedName,
        issuerKeyIdentifier: [UInt8],
        algorithm: [UInt8]
    ) -> [UInt8] {
        var writer = DERWriter(capacity: 768)
        writer.sequence { writer in
            writer.element(DERTag.constructed(0)) { $0.unsignedInteger([2]) }
            writer.unsignedInteger(serial)
            writer.raw(algorithm)
            writer.raw(issuer.encoded)
            writer.sequence { writer in
                CertificateTime.write(notBefore, to: &writer)
                CertificateTime.write(notAfter, to: &writer)
            }
            writer.raw(subject.encoded)
            writer.raw(publicKey.spki)
            writer.element(DERTag.constructed(3)) { writer in
                writer.sequence { writer in
                    writeExtensions(
                        keyIdentifier: publicKey.keyIdentifier,
                        issuerKeyIdentifier: issuerKeyIdentifier,
                        to: &writer
                    )
                }
            }
        }
        return writer.bytes
    }

    /// The extensions; a request does not know its issuer yet, so it leaves that one out.
    func writeExtensions(
        keyIdentifier: [UInt8],
        issuerKeyIdentifier: [UInt8]?,
        to writer: inout DERWriter
    ) {
        typealias OID = ObjectIdentifier
        writer.certificateExtension(OID.basicConstraints, isCritical: true) { writer in
            writer.sequence { writer in
                guard isCA else { return }
                writer.element(DERTag.boolean, [0xFF])
                if case .intermediate = purpose { writer.unsignedInteger([0]) }
            }
        }
        writer.certificateExtension(OID.keyUsage, isCritical: true) { writer in
            (isCA ? [.keyCertSign, .crlSign] : KeyUsage.digitalSignature).write(to: &writer)
        }
        if !roles.isEmpty {
            writer.certificateExtension(OID.extendedKeyUsage) { writer in
                writer.sequence { writer in
                    for role in PeerRole.allCases where roles.contains(role) {
                        writer.element(DERTag.objectIdentifier, role.extendedKeyUsage)
                    }
                }
            }
        }
        writer.certificateExtension(OID.subjectKeyIdentifier) {
            $0.element(DERTag.octetString, keyIdentifier)
        }
        if let issuerKeyIdentifier {
            writer.certificateExtension(OID.authorityKeyIdentifier) { writer in
                writer.sequence { $0.element(DERTag.context(0), issuerKeyIdentifier) }
            }
        }
        if !names.isEmpty {
            writer.certificateExtension(
                OID.subjectAlternativeName,
                isCritical: subject.isEmpty
            ) { writer in
                writer.sequence { writer in names.forEach { $0.write(to: &writer) } }
            }
        }
        if case .intermediate(let trustDomain) = purpose {
            writer.certificateExtension(OID.nameConstraints, isCritical: true) { writer in
                writer.sequence { writer in
                    writer.element(DERTag.constructed(0)) { writer in
                        for base in [GeneralName.uri(trustDomain), .dns(trustDomain)] {
                            writer.sequence { base.write(to: &$0) }
                        }
                    }
                }
            }
        }
    }

    /// The serial number's magnitude: never negative, so never longer than it looks.
    private var serial: [UInt8] {
        serialBytes.prefix(1).map { $0 & 0x7F } + serialBytes.dropFirst()
    }

    private var isCA: Bool {
        switch purpose {
        case .root, .intermediate: true
        case .leaf, .peer: false
        }
    }

    private var roles: Set<PeerRole> {
        switch purpose {
        case .root, .intermediate: []
        case .leaf: [.server, .client]
        case .peer(_, let roles): roles
        }
    }

    private var names: [GeneralName] {
        switch purpose {
        case .root, .intermediate: []
        case .leaf(let spiffeID, let dnsNames): [.uri(spiffeID)] + dnsNames.map { .dns($0) }
        case .peer(let names, _): names
        }
    }
}

extension PublicKey {
    /// The leftmost 160 bits of the SHA-256 of the key (RFC 7093 §2, method 1).
    var keyIdentifier: [UInt8] { Array(SHA256.digest(of: keyBytes).bytes.prefix(20)) }
}

extension DERWriter {
    /// One extension (RFC 5280 §4.1); what is not critical says nothing about it.
    mutating func certificateExtension(
        _ type: [UInt8],
        isCritical: Bool = false,
        _ body: (inout DERWriter) -> Void
    ) {
        sequence { writer in
            writer.element(DERTag.objectIdentifier, type)
            if isCritical { writer.element(DERTag.boolean, [0xFF]) }
            writer.element(DERTag.octetString, body)
        }
    }
}
