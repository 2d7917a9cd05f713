import Wire

/// A PKCS#10 request (RFC 2986); of it only the public key is ever used.
package struct CertificateSigningRequest: Sendable {
    /// The longest request that is looked at.
    package static let encodedBytesMax = 8192
    /// The label of a request in PEM (RFC 7468 §7).
    package static let pemLabel = "CERTIFICATE REQUEST"

    /// The key, whose owner proved that it holds the private half.
    package let publicKey: PublicKey

    /// Reads a DER request and verifies its proof of possession.
    ///
    /// Refuses keys other than P-256, P-384 and Ed25519. Subject and attributes are not looked at:
    /// whoever asks does not choose names.
    package init(verifying der: [UInt8]) throws(CryptoError) {
        guard der.count <= Self.encodedBytesMax else {
            throw .malformed(field: "CSR", problem: "at most \(Self.encodedBytesMax) bytes")
        }
        let parts:
            (signed: Range<Int>, key: DERElement, scheme: SignatureScheme?, signature: [UInt8])
        do {
            parts = try Self.parse(der)
        } catch {
            throw error.inField("CSR")
        }
        let key = try SubjectPublicKey(parts.key)
        switch key.kind {
        case .ed25519, .ecdsaP256, .ecdsaP384: break
        case .ecdsaP521, .rsa:
            throw .unsupported(field: "CSR", problem: "the key must be P-256, P-384 or Ed25519")
        }
        publicKey = try PublicKey(key)
        guard let scheme = parts.scheme else {
            throw .unsupported(field: "CSR", problem: "the signature algorithm is refused")
        }
        let whole = der.span
        let signed = whole.extracting(parts.signed)
        let isProven = publicKey.isValid(signature: parts.signature, of: signed, as: scheme)
        guard isProven else {
            throw .malformed(field: "CSR", problem: "the signature must be of the key itself")
        }
    }

    /// A DER request for `key`, without subject and attributes.
    package static func make(for key: SigningKey) throws(CryptoError) -> [UInt8] {
        var request = DERWriter()
        request.sequence { writer in
            writer.unsignedInteger([0])
            writer.raw(DistinguishedName.empty.encoded)
            writer.raw(key.publicKey.spki)
            writer.element(DERTag.constructed(0), [] as [UInt8])
        }
        return try SignedDER.sign(request.bytes, key)
    }

    /// A DER request for an intermediate of a trust domain, as an outside CA is asked for one.
    ///
    /// It asks for what an intermediate of our own has: CA without CAs below it, signs certificates
    /// and CRLs, names of the trust domain only; and for the SPIFFE id of the trust domain.
    package static func make(
        forIntermediate key: SigningKey,
        subject: DistinguishedName,
        trustDomain: String
    ) throws(CryptoError) -> [UInt8] {
        let template = CertificateTemplate(
            serialBytes: [UInt8](repeating: 1, count: CertificateTemplate.serialByteCount),
            notBefore: .distantPast,
            notAfter: .distantFuture,
            subject: subject,
            purpose: .intermediate(trustDomain: trustDomain)
        )
        try template.check()
        var request = DERWriter(capacity: 512)
        request.sequence { writer in
            writer.unsignedInteger([0])
            writer.raw(subject.encoded)
            writer.raw(key.publicKey.spki)
            writer.element(DERTag.constructed(0)) { writer in
                writer.sequence { writer in
                    writer.element(DERTag.objectIdentifier, ObjectIdentifier.extensionRequest)
                    writer.element(DERTag.set) { writer in
                        writer.sequence { writer in
                            template.writeExtensions(
                                keyIdentifier: key.publicKey.keyIdentifier,
                                issuerKeyIdentifier: nil,
                                to: &writer
                            )
                            writer.certificateExtension(ObjectIdentifier.subjectAlternativeName) {
                                writer in
                                writer.sequence {
                                    GeneralName.uri("spiffe://\(trustDomain)").write(to: &$0)
                                }
                            }
                        }
                    }
                }
            }
        }
        return try SignedDER.sign(request.bytes, key)
    }

    private static func parse(
        _ der: [UInt8]
    ) throws(DERError) -> (
        signed: Range<Int>, key: DERElement, scheme: SignatureScheme?, signature: [UInt8]
    ) {
        var outer = DERReader(try DERReader.single(DERTag.sequence, in: der))
        let request = try outer.next(DERTag.sequence)
        let algorithm = try outer.next(DERTag.sequence)
        let signature = Array(try outer.next(DERTag.bitString).bitStringBytes())
        try outer.finish()
        var fields = DERReader(request)
        let version = try fields.next(DERTag.integer)
        guard try version.smallInteger() == 0 else {
            throw DERError(version.offset, "the version is not 1")
        }
        _ = try DistinguishedName(try fields.next(DERTag.sequence))
        let key = try fields.next(DERTag.sequence)
        _ = try fields.next(DERTag.constructed(0))
        try fields.finish()
        let scheme = CertificateSignatureAlgorithm.scheme(of: algorithm.encoded)
        return (request.range, key, scheme, signature)
    }
}

/// The frame that certificates, requests and CRLs share: contents, algorithm, signature.
enum SignedDER {
    static func sign(_ content: [UInt8], _ key: SigningKey) throws(CryptoError) -> [UInt8] {
        let scheme = key.kind.certificateScheme
        guard let algorithm = CertificateSignatureAlgorithm.encoded(scheme) else {
            throw .unsupported(field: "signing key", problem: "a \(key.kind) key signs no DER")
        }
        let signature = try key.sign(content, as: scheme)
        var writer = DERWriter(capacity: content.count + signature.count + 32)
        writer.sequence { writer in
            writer.raw(content)
            writer.raw(algorithm)
            writer.bitString(signature)
        }
        return writer.bytes
    }
}
