import Wire

/// A CRL, version 2 (RFC 5280 §5), read strictly; nothing in it is believed yet.
package final class CertificateRevocationList: Sendable {
    /// The longest CRL that is looked at.
    package static let encodedBytesMax = 16 << 20
    /// The label of a CRL in PEM (RFC 7468 §6).
    package static let pemLabel = "X509 CRL"

    /// The issuing distribution point (RFC 5280 §5.2.5): which certificates the CRL speaks about.
    struct Scope: Sendable {
        var names: [GeneralName]?
        var onlyUserCertificates = false
        var onlyCACertificates = false
        /// Attribute certificates, some reasons, indirect, or a relative name: never ours.
        var isForeign = false
    }

    let issuer: DistinguishedName
    let thisUpdate: Timestamp
    let nextUpdate: Timestamp
    let scope: Scope?
    private let revokedSerials: Set<[UInt8]>
    private let signatureScheme: SignatureScheme?
    private let signature: [UInt8]
    private let signed: [UInt8]

    /// Reads one DER CRL and nothing after it.
    package convenience init(der: [UInt8]) throws(CryptoError) {
        guard der.count <= Self.encodedBytesMax else {
            throw .malformed(field: "CRL", problem: "at most \(Self.encodedBytesMax) bytes")
        }
        do {
            try self.init(parsing: der)
        } catch {
            throw error.inField("CRL")
        }
    }

    /// Reads exactly one `X509 CRL` block.
    package convenience init(pem: String) throws(CryptoError) {
        guard let blocks = try? PEM.decode(pem), blocks.count == 1, let block = blocks.first,
            block.label == Self.pemLabel
        else {
            throw .malformed(field: "CRL", problem: "the text must hold one '\(Self.pemLabel)'")
        }
        try self.init(der: block.bytes)
    }

    private init(parsing der: [UInt8]) throws(DERError) {
        var outer = DERReader(try DERReader.single(DERTag.sequence, in: der))
        let list = try outer.next(DERTag.sequence)
        let algorithm = try outer.next(DERTag.sequence)
        signature = Array(try outer.next(DERTag.bitString).bitStringBytes())
        try outer.finish()
        var fields = DERReader(list)
        let version = try fields.next(DERTag.integer)
        guard try version.smallInteger() == 1 else {
            throw DERError(version.offset, "the version is not 2")
        }
        let innerAlgorithm = try fields.next(DERTag.sequence)
        guard innerAlgorithm.encoded == algorithm.encoded else {
            throw DERError(innerAlgorithm.offset, "the two signature algorithms differ")
        }
        issuer = try DistinguishedName(try fields.next(DERTag.sequence))
        thisUpdate = try CertificateTime.read(&fields)
        nextUpdate = try CertificateTime.read(&fields)
        var serials: Set<[UInt8]> = []
        if let entries = try fields.nextIf(DERTag.sequence) {
            var reader = DERReader(entries)
            repeat {
                let serial = try Self.readEntry(try reader.next(DERTag.sequence))
                guard serials.insert(serial).inserted else {
                    throw DERError(entries.offset, "a serial number occurs twice")
                }
            } while !reader.isAtEnd
        }
        revokedSerials = serials
        var wrapper = DERReader(try fields.next(DERTag.constructed(0)))
        scope = try Self.readExtensions(try wrapper.next(DERTag.sequence))
        try wrapper.finish()
        try fields.finish()
        signatureScheme = CertificateSignatureAlgorithm.scheme(of: algorithm.encoded)
        signed = Array(list.encoded)
    }

    /// Whether the CRL is in force and speaks about `certificate`.
    func covers(_ certificate: Certificate, at time: Timestamp) -> Bool {
        let second = time.secondsSinceEpoch
        guard thisUpdate.secondsSinceEpoch <= second, second <= nextUpdate.secondsSinceEpoch else {
            return false
        }
        guard let scope else { return true }
        guard !scope.isForeign, !(scope.onlyUserCertificates && certificate.isCA),
            !(scope.onlyCACertificates && !certificate.isCA)
        else { return false }
        guard let names = scope.names else { return true }
        guard let points = certificate.extensions.distributionPointNames,
            points.allSatisfy(\.isURI)
        else { return false }
        return points.contains { names.contains($0) }
    }

    /// Whether it names the certificate's serial number, whatever the date or reason.
    func revokes(_ certificate: Certificate) -> Bool {
        revokedSerials.contains(certificate.serialNumber)
    }

    /// Whether `key` made the signature.
    func isSigned(by key: PublicKey) -> Bool {
        guard let signatureScheme else { return false }
        return key.isValid(signature: signature, of: signed, as: signatureScheme)
    }

    private static func readEntry(_ element: DERElement) throws(DERError) -> [UInt8] {
        var reader = DERReader(element)
        let serial = try reader.next(DERTag.integer).magnitude()
        _ = try CertificateTime.read(&reader)
        if let extensions = try reader.nextIf(DERTag.sequence) {
            try forEachExtension(extensions) { (_, isCritical, value) throws(DERError) in
                // A critical one may name another issuer for this and all entries that follow.
                guard !isCritical else {
                    throw DERError(value.offset, "an entry has a critical extension")
                }
            }
        }
        try reader.finish()
        return Array(serial)
    }

    private static func readExtensions(_ element: DERElement) throws(DERError) -> Scope? {
        var scope: Scope?
        var hasNumber = false
        try forEachExtension(element) { (type, isCritical, value) throws(DERError) in
            switch type {
            case ObjectIdentifier.crlNumber:
                guard !isCritical else { throw DERError(value.offset, "the number is critical") }
                hasNumber = true
            case ObjectIdentifier.issuingDistributionPoint:
                var reader = DERReader(value)
                scope = try readScope(try reader.next(DERTag.sequence))
            case ObjectIdentifier.authorityKeyIdentifier:
                return
            default:
                // A delta CRL is one of these: its indicator is always critical.
                guard !isCritical else {
                    throw DERError(value.offset, "a critical extension is not understood")
                }
            }
        }
        guard hasNumber else { throw DERError(element.offset, "the CRL number is missing") }
        return scope
    }

    private static func readScope(_ element: DERElement) throws(DERError) -> Scope {
        var scope = Scope()
        var reader = DERReader(element)
        if let point = try reader.nextIf(DERTag.constructed(0)) {
            scope.names = try DistributionPoint.fullNames(inChoice: point)
            // A name relative to the issuer, or one that is no URI, is never that of our points.
            scope.isForeign = scope.names?.allSatisfy(\.isURI) != true
        }
        if try reader.nextIf(DERTag.context(1)) != nil { scope.onlyUserCertificates = true }
        if try reader.nextIf(DERTag.context(2)) != nil { scope.onlyCACertificates = true }
        // Any of the rest narrows or redirects the CRL in a way that does not occur for us.
        while !reader.isAtEnd {
            _ = try reader.next()
            scope.isForeign = true
        }
        return scope
    }

    private static func forEachExtension(
        _ element: DERElement,
        _ body: ([UInt8], Bool, DERElement) throws(DERError) -> Void
    ) throws(DERError) {
        var reader = DERReader(element)
        var seen: Set<[UInt8]> = []
        repeat {
            var parts = DERReader(try reader.next(DERTag.sequence))
            let type = Array(try parts.nextObjectIdentifier())
            var isCritical = false
            if let flag = try parts.nextIf(DERTag.boolean) { isCritical = try flag.boolean() }
            let value = try parts.next(DERTag.octetString)
            try parts.finish()
            guard seen.insert(type).inserted else {
                throw DERError(value.offset, "an extension occurs twice")
            }
            try body(type, isCritical, value)
        } while !reader.isAtEnd
    }
}
