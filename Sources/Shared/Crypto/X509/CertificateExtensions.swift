/// The extensions of one certificate, each read by its own grammar (RFC 5280 §4.2).
struct CertificateExtensions: Sendable {
    /// The most extensions that a certificate may have.
    static let extensionsMax = 64

    struct AuthorityKeyIdentifier: Sendable {
        var isCritical = false
        var keyIdentifier: [UInt8]?
        var namesCertificate = false
    }

    struct SubjectKeyIdentifier: Sendable {
        var isCritical = false
        var value: [UInt8] = []
    }

    struct BasicConstraints: Sendable {
        var isCritical = false
        var isCA = false
        var pathLength: Int?
    }

    var authorityKeyIdentifier: AuthorityKeyIdentifier?
    var subjectKeyIdentifier: SubjectKeyIdentifier?
    var keyUsage: KeyUsage?
    var isKeyUsageCritical = false
    var extendedKeyUsages: [[UInt8]]?
    var basicConstraints: BasicConstraints?
    var nameConstraints: NameConstraints?
    var subjectAlternativeNames: [GeneralName]?
    var isSubjectAlternativeNameCritical = false
    /// The full names of all distribution points, nil where the extension is absent.
    var distributionPointNames: [GeneralName]?
    var requiresExplicitPolicy = false
    /// What makes the certificate unusable in any path, although it can be read.
    var flaw: String?

    init() {}

    init(_ element: DERElement) throws(DERError) {
        var reader = DERReader(element)
        var seen: [ArraySlice<UInt8>] = []
        repeat {
            var parts = DERReader(try reader.next(DERTag.sequence))
            let type = try parts.nextObjectIdentifier()
            var isCritical = false
            if let flag = try parts.nextIf(DERTag.boolean) {
                isCritical = try flag.boolean()
                guard isCritical else { throw DERError(flag.offset, "a default is written out") }
            }
            let value = try parts.next(DERTag.octetString)
            try parts.finish()
            guard seen.count < Self.extensionsMax, !seen.contains(where: { $0 == type }) else {
                throw DERError(value.offset, "an extension occurs twice, or there are too many")
            }
            seen.append(type)
            try read(type: type, isCritical: isCritical, value: value)
        } while !reader.isAtEnd
    }

    private mutating func read(
        type: ArraySlice<UInt8>,
        isCritical: Bool,
        value: DERElement
    ) throws(DERError) {
        var reader = DERReader(value)
        switch Array(type) {
        case ObjectIdentifier.authorityKeyIdentifier:
            authorityKeyIdentifier = try Self.readAuthority(&reader, isCritical: isCritical)
        case ObjectIdentifier.subjectKeyIdentifier:
            let identifier = try reader.next(DERTag.octetString)
            guard !identifier.isEmpty else { throw DERError(value.offset, "a key id is empty") }
            subjectKeyIdentifier = SubjectKeyIdentifier(
                isCritical: isCritical,
                value: Array(identifier.content)
            )
        case ObjectIdentifier.keyUsage:
            let usage = KeyUsage(rawValue: try reader.next(DERTag.bitString).namedBits())
            guard !usage.isEmpty else { throw DERError(value.offset, "the key usage is empty") }
            keyUsage = usage
            isKeyUsageCritical = isCritical
        case ObjectIdentifier.extendedKeyUsage:
            var inner = DERReader(try reader.next(DERTag.sequence))
            var usages: [[UInt8]] = []
            repeat {
                usages.append(Array(try inner.nextObjectIdentifier()))
            } while !inner.isAtEnd
            extendedKeyUsages = usages
        case ObjectIdentifier.basicConstraints:
            basicConstraints = try Self.readBasic(&reader, isCritical: isCritical)
        case ObjectIdentifier.nameConstraints:
            nameConstraints = try NameConstraints(try reader.next(DERTag.sequence))
        case ObjectIdentifier.subjectAlternativeName:
            let names = try GeneralName.list(try reader.next(DERTag.sequence))
            for case .ip(let bytes) in names where bytes.count != 4 && bytes.count != 16 {
                throw DERError(value.offset, "an IP address has 4 or 16 bytes")
            }
            subjectAlternativeNames = names
            isSubjectAlternativeNameCritical = isCritical
        case ObjectIdentifier.crlDistributionPoints:
            distributionPointNames = try DistributionPoint.fullNames(
                try reader.next(DERTag.sequence)
            )
        case ObjectIdentifier.authorityInformationAccess:
            if isCritical { flaw = "its authority information access is marked critical" }
            try Self.checkAccess(try reader.next(DERTag.sequence))
        case ObjectIdentifier.policyConstraints:
            if !isCritical { flaw = "its policy constraints are not marked critical" }
            requiresExplicitPolicy = try Self.readPolicy(try reader.next(DERTag.sequence))
        case ObjectIdentifier.certificatePolicies, ObjectIdentifier.policyMappings,
            ObjectIdentifier.inhibitAnyPolicy:
            // No path here asks for a policy, so these change nothing (RFC 5280 §6.1.5 (g)).
            return
        default:
            if isCritical { flaw = "it has a critical extension that is not understood" }
            return
        }
        try reader.finish()
    }

    private static func readAuthority(
        _ reader: inout DERReader,
        isCritical: Bool
    ) throws(DERError) -> AuthorityKeyIdentifier {
        var identifier = AuthorityKeyIdentifier(isCritical: isCritical)
        var parts = DERReader(try reader.next(DERTag.sequence))
        if let key = try parts.nextIf(DERTag.context(0)) {
            guard !key.isEmpty else { throw DERError(key.offset, "a key id is empty") }
            identifier.keyIdentifier = Array(key.content)
        }
        if let issuer = try parts.nextIf(DERTag.constructed(1)) {
            _ = try GeneralName.list(issuer)
            identifier.namesCertificate = true
        }
        if let serial = try parts.nextIf(DERTag.context(2)) {
            _ = try serial.integer()
            identifier.namesCertificate = true
        }
        try parts.finish()
        return identifier
    }

    private static func readBasic(
        _ reader: inout DERReader,
        isCritical: Bool
    ) throws(DERError) -> BasicConstraints {
        var constraints = BasicConstraints(isCritical: isCritical)
        let element = try reader.next(DERTag.sequence)
        var parts = DERReader(element)
        if let flag = try parts.nextIf(DERTag.boolean) {
            constraints.isCA = try flag.boolean()
            guard constraints.isCA else { throw DERError(flag.offset, "a default is written out") }
        }
        if let length = try parts.nextIf(DERTag.integer) {
            constraints.pathLength = try length.smallInteger()
            guard constraints.isCA else {
                throw DERError(length.offset, "only a CA has a path length")
            }
        }
        try parts.finish()
        return constraints
    }

    private static func readPolicy(_ element: DERElement) throws(DERError) -> Bool {
        var parts = DERReader(element)
        let explicit = try parts.nextIf(DERTag.context(0))
        let inhibit = try parts.nextIf(DERTag.context(1))
        try parts.finish()
        guard explicit != nil || inhibit != nil else {
            throw DERError(element.offset, "the policy constraints are empty")
        }
        return explicit != nil
    }

    private static func checkAccess(_ element: DERElement) throws(DERError) {
        var descriptions = DERReader(element)
        repeat {
            var description = DERReader(try descriptions.next(DERTag.sequence))
            _ = try description.nextObjectIdentifier()
            _ = try GeneralName(&description)
            try description.finish()
        } while !descriptions.isAtEnd
    }
}

/// The DistributionPointName of RFC 5280 §4.2.1.13 and §5.2.5.
enum DistributionPoint {
    /// The full names of all points of a CRLDistributionPoints.
    static func fullNames(_ element: DERElement) throws(DERError) -> [GeneralName] {
        var names: [GeneralName] = []
        var points = DERReader(element)
        repeat {
            var parts = DERReader(try points.next(DERTag.sequence))
            let point = try parts.nextIf(DERTag.constructed(0))
            if let point { names += try fullNames(inChoice: point) ?? [] }
            _ = try parts.nextIf(DERTag.context(1))
            let issuer = try parts.nextIf(DERTag.constructed(2))
            if let issuer { _ = try GeneralName.list(issuer) }
            try parts.finish()
            // Reasons alone point nowhere (RFC 5280 §4.2.1.13).
            guard point != nil || issuer != nil else {
                throw DERError(element.offset, "a distribution point has neither name nor issuer")
            }
        } while !points.isAtEnd
        return names
    }

    /// The full names of one point, nil when it has a name relative to its issuer instead.
    static func fullNames(inChoice element: DERElement) throws(DERError) -> [GeneralName]? {
        var choice = DERReader(element)
        guard let full = try choice.nextIf(DERTag.constructed(0)) else {
            _ = try choice.next(DERTag.constructed(1))
            try choice.finish()
            return nil
        }
        try choice.finish()
        return try GeneralName.list(full)
    }
}
