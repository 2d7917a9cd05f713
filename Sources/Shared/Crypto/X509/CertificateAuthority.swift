import Wire

/// A CA certificate with its key: issues what templates say, and nothing of its own accord.
///
/// Which certificate may be issued to whom is decided elsewhere; no clock and no randomness here.
package struct CertificateAuthority: Sendable {
    /// The CA's own certificate.
    package let certificate: Certificate

    private let key: SigningKey
    private let keyIdentifier: [UInt8]
    private let algorithm: [UInt8]

    /// Puts a CA's certificate and key together; throws when they do not belong together.
    package init(certificate: Certificate, key: SigningKey) throws(CryptoError) {
        guard certificate.isCA, let identifier = certificate.subjectKeyIdentifier else {
            throw .malformed(field: "CA certificate", problem: "it must be that of a CA")
        }
        guard certificate.spki == key.publicKey.spki else {
            throw .malformed(field: "CA certificate", problem: "it must certify the CA's own key")
        }
        guard let algorithm = CertificateSignatureAlgorithm.encoded(key.kind.certificateScheme)
        else {
            throw .unsupported(field: "CA key", problem: "a \(key.kind) key signs no certificates")
        }
        self.certificate = certificate
        self.key = key
        self.algorithm = algorithm
        keyIdentifier = identifier
    }

    /// A new root, signed by itself; `template.purpose` must be `root`.
    package static func root(
        _ template: CertificateTemplate,
        key: SigningKey
    ) throws(CryptoError) -> CertificateAuthority {
        guard case .root = template.purpose else {
            throw .malformed(field: "purpose", problem: "only a root signs itself")
        }
        try template.check()
        guard let algorithm = CertificateSignatureAlgorithm.encoded(key.kind.certificateScheme)
        else {
            throw .unsupported(field: "CA key", problem: "a \(key.kind) key signs no certificates")
        }
        let contents = template.contents(
            publicKey: key.publicKey,
            issuer: template.subject,
            issuerKeyIdentifier: key.publicKey.keyIdentifier,
            algorithm: algorithm
        )
        let der = try SignedDER.sign(contents, key)
        return try CertificateAuthority(certificate: Certificate(der: der), key: key)
    }

    /// Issues a certificate for `publicKey`; gives its DER.
    ///
    /// Throws when the template is malformed, asks for a root, outlives this CA, or asks for a CA
    /// below a CA that may have none.
    package func issue(
        _ template: CertificateTemplate,
        for publicKey: PublicKey
    ) throws(CryptoError) -> [UInt8] {
        try template.check()
        switch template.purpose {
        case .root:
            throw .malformed(field: "purpose", problem: "a root signs itself")
        case .intermediate:
            guard certificate.pathLength != 0 else {
                throw .malformed(field: "purpose", problem: "this CA may issue leaves only")
            }
        case .leaf, .peer:
            break
        }
        guard template.notAfter <= certificate.notAfter else {
            throw .malformed(field: "validity", problem: "it must not outlive its CA")
        }
        let contents = template.contents(
            publicKey: publicKey,
            issuer: certificate.subject,
            issuerKeyIdentifier: keyIdentifier,
            algorithm: algorithm
        )
        return try SignedDER.sign(contents, key)
    }

    /// Issues an intermediate CA for `key`, ready to issue itself.
    package func intermediate(
        _ template: CertificateTemplate,
        key: SigningKey
    ) throws(CryptoError) -> CertificateAuthority {
        let der = try issue(template, for: key.publicKey)
        return try CertificateAuthority(certificate: Certificate(der: der), key: key)
    }
}
