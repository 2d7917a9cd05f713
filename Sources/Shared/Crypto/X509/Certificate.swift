package import Wire

/// An X.509 certificate, version 3 (RFC 5280 §4), read strictly; nothing in it is believed yet.
package final class Certificate: Sendable, Hashable {
    /// The longest certificate that is looked at.
    package static let encodedBytesMax = 1 << 20
    /// The longest serial number (RFC 5280 §4.1.2.2).
    package static let serialBytesMax = 20
    /// The label of a certificate in PEM (RFC 7468 §5).
    package static let pemLabel = "CERTIFICATE"

    /// The whole DER encoding.
    package let encoded: [UInt8]
    /// SHA-256 of the whole encoding.
    package let fingerprint: SHA256Digest
    /// The serial number's magnitude: 1 to 20 bytes without leading zeros; zero is one zero byte.
    package let serialNumber: [UInt8]
    /// The issuer's name.
    package let issuer: DistinguishedName
    /// The subject's name.
    package let subject: DistinguishedName
    /// The first second of validity.
    package let notBefore: Timestamp
    /// The last second of validity, inclusive.
    package let notAfter: Timestamp
    /// How it was signed, nil when the algorithm is not one of the accepted.
    package let signatureScheme: SignatureScheme?

    let extensions: CertificateExtensions
    let subjectPublicKey: SubjectPublicKey?
    let signature: [UInt8]
    private let signedRange: Range<Int>

    /// Reads one DER certificate and nothing after it; the encoding must be exact.
    package convenience init(der: [UInt8]) throws(CryptoError) {
        guard der.count <= Self.encodedBytesMax else {
            throw .malformed(field: "certificate", problem: "at most \(Self.encodedBytesMax) bytes")
        }
        do {
            try self.init(parsing: der)
        } catch {
            throw error.inField("certificate")
        }
    }

    /// Reads exactly one `CERTIFICATE` block.
    package convenience init(pem: String) throws(CryptoError) {
        let list = try Self.list(pem: pem)
        guard list.count == 1, let block = list.first else {
            throw .malformed(field: "certificate", problem: "the text must hold one certificate")
        }
        try self.init(der: block)
    }

    /// The DER of every block of a PEM text, all of which must be certificates.
    package static func list(pem: String) throws(CryptoError) -> [[UInt8]] {
        guard let blocks = try? PEM.decode(pem), blocks.allSatisfy({ $0.label == pemLabel }) else {
            throw .malformed(
                field: "certificate",
                problem: "the text must hold PEM blocks labelled '\(pemLabel)' alone"
            )
        }
        return blocks.map(\.bytes)
    }

    private init(parsing der: [UInt8]) throws(DERError) {
        var outer = DERReader(try DERReader.single(DERTag.sequence, in: der))
        let signed = try outer.next(DERTag.sequence)
        let algorithm = try outer.next(DERTag.sequence)
        signature = Array(try outer.next(DERTag.bitString).bitStringBytes())
        try outer.finish()

        var fields = DERReader(signed)
        var version = DERReader(try fields.next(DERTag.constructed(0)))
        let number = try version.next(DERTag.integer)
        guard try number.smallInteger() == 2 else {
            throw DERError(number.offset, "the version is not 3")
        }
        try version.finish()
        let serial = try fields.next(DERTag.integer)
        let magnitude = try serial.magnitude()
        guard magnitude.count <= Self.serialBytesMax else {
            throw DERError(serial.offset, "the serial number is over 20 bytes long")
        }
        serialNumber = magnitude.isEmpty ? [0] : Array(magnitude)
        let innerAlgorithm = try fields.next(DERTag.sequence)
        guard innerAlgorithm.encoded == algorithm.encoded else {
            throw DERError(innerAlgorithm.offset, "the two signature algorithms differ")
        }
        issuer = try DistinguishedName(try fields.next(DERTag.sequence))
        var validity = DERReader(try fields.next(DERTag.sequence))
        notBefore = try CertificateTime.read(&validity)
        notAfter = try CertificateTime.read(&validity)
        try validity.finish()
        subject = try DistinguishedName(try fields.next(DERTag.sequence))
        // A key that is too weak or of a foreign kind must not hide the rest: the certificate may be
        // one of many, and a path that needs it fails when it comes to the key.
        let key = try fields.next(DERTag.sequence)
        subjectPublicKey = try? SubjectPublicKey(key)
        _ = try fields.nextIf(DERTag.context(1))
        _ = try fields.nextIf(DERTag.context(2))
        if let element = try fields.nextIf(DERTag.constructed(3)) {
            var wrapper = DERReader(element)
            extensions = try CertificateExtensions(try wrapper.next(DERTag.sequence))
            try wrapper.finish()
        } else {
            extensions = CertificateExtensions()
        }
        try fields.finish()
        signatureScheme = CertificateSignatureAlgorithm.scheme(of: algorithm.encoded)
        signedRange = signed.range
        encoded = der
        fingerprint = SHA256.digest(of: der)
    }

    /// PEM with one `CERTIFICATE` block.
    package var pem: String {
        PEM.encode(PEM.Block(label: Self.pemLabel, bytes: encoded))
    }

    /// The DER SubjectPublicKeyInfo, nil when the key is of a kind that is refused.
    package var spki: [UInt8]? { subjectPublicKey?.encoded }

    /// What kind of key is certified, nil when it is refused.
    package var keyKind: KeyKind? { subjectPublicKey?.kind }

    /// The certified key, made ready to verify at each call; throws when its kind is refused.
    package func publicKey() throws(CryptoError) -> PublicKey {
        guard let subjectPublicKey else {
            throw .unsupported(field: "certificate", problem: "its key is of a refused kind")
        }
        return try PublicKey(subjectPublicKey)
    }

    /// All subject alternative names in order, empty without the extension.
    package var subjectAlternativeNames: [GeneralName] { extensions.subjectAlternativeNames ?? [] }

    /// The URI names in order, exactly as they stand.
    package var uriNames: [String] {
        subjectAlternativeNames.compactMap { if case .uri(let text) = $0 { text } else { nil } }
    }

    /// The DNS names in order, exactly as they stand.
    package var dnsNames: [String] {
        subjectAlternativeNames.compactMap { if case .dns(let text) = $0 { text } else { nil } }
    }

    /// The IP addresses in order, 4 or 16 bytes each.
    package var ipAddresses: [[UInt8]] {
        subjectAlternativeNames.compactMap { if case .ip(let bytes) = $0 { bytes } else { nil } }
    }

    /// The key usage, nil without the extension.
    package var keyUsage: KeyUsage? { extensions.keyUsage }

    /// Whether the extended key usage names `role`, nil without the extension.
    package func isMeant(for role: PeerRole) -> Bool? {
        extensions.extendedKeyUsages.map { $0.contains(role.extendedKeyUsage) }
    }

    /// Whether the basic constraints say CA.
    package var isCA: Bool { extensions.basicConstraints?.isCA ?? false }

    /// The largest number of intermediates that may follow a CA, nil when unlimited.
    package var pathLength: Int? { extensions.basicConstraints?.pathLength }

    /// The subject key identifier, nil without the extension.
    package var subjectKeyIdentifier: [UInt8]? { extensions.subjectKeyIdentifier?.value }

    /// The authority key identifier, nil without it.
    package var authorityKeyIdentifier: [UInt8]? {
        extensions.authorityKeyIdentifier?.keyIdentifier
    }

    /// Whether issuer and subject have the same name (RFC 5280 §3.2).
    package var isSelfIssued: Bool { issuer == subject }

    /// Whether `time`, cut to whole seconds, lies within the validity, both ends included.
    package func isValid(at time: Timestamp) -> Bool {
        let second = time.secondsSinceEpoch
        return notBefore.secondsSinceEpoch <= second && second <= notAfter.secondsSinceEpoch
    }

    /// Whether `key` made the signature; says nothing about names, times or rights.
    package func isSigned(by key: PublicKey) -> Bool {
        guard let signatureScheme else { return false }
        let bytes = encoded
        let whole = bytes.span
        let signed = whole.extracting(signedRange)
        return key.isValid(signature: signature, of: signed, as: signatureScheme)
    }

    /// The same encoding.
    package static func == (left: Certificate, right: Certificate) -> Bool {
        left.fingerprint == right.fingerprint
    }

    /// Hashes the fingerprint.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(fingerprint)
    }
}
