/// The object identifiers of X.509, as the contents of their DER encoding.
enum ObjectIdentifier {
    // Certificate extensions (RFC 5280 §4.2) and CRL extensions (§5.2, §5.3).
    static let subjectKeyIdentifier: [UInt8] = [0x55, 0x1D, 0x0E]
    static let keyUsage: [UInt8] = [0x55, 0x1D, 0x0F]
    static let subjectAlternativeName: [UInt8] = [0x55, 0x1D, 0x11]
    static let issuerAlternativeName: [UInt8] = [0x55, 0x1D, 0x12]
    static let basicConstraints: [UInt8] = [0x55, 0x1D, 0x13]
    static let crlNumber: [UInt8] = [0x55, 0x1D, 0x14]
    static let reasonCode: [UInt8] = [0x55, 0x1D, 0x15]
    static let invalidityDate: [UInt8] = [0x55, 0x1D, 0x18]
    static let issuingDistributionPoint: [UInt8] = [0x55, 0x1D, 0x1C]
    static let nameConstraints: [UInt8] = [0x55, 0x1D, 0x1E]
    static let crlDistributionPoints: [UInt8] = [0x55, 0x1D, 0x1F]
    static let certificatePolicies: [UInt8] = [0x55, 0x1D, 0x20]
    static let policyMappings: [UInt8] = [0x55, 0x1D, 0x21]
    static let authorityKeyIdentifier: [UInt8] = [0x55, 0x1D, 0x23]
    static let policyConstraints: [UInt8] = [0x55, 0x1D, 0x24]
    static let extendedKeyUsage: [UInt8] = [0x55, 0x1D, 0x25]
    static let inhibitAnyPolicy: [UInt8] = [0x55, 0x1D, 0x36]
    static let authorityInformationAccess: [UInt8] = [
        0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01,
    ]

    // The attribute of a request that holds extensions (RFC 2985 §5.4.2).
    static let extensionRequest: [UInt8] = [
        0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E,
    ]

    // Attributes of names; the first is what those of X.520 begin with.
    static let attributes: [UInt8] = [0x55, 0x04]
    static let commonName: [UInt8] = [0x55, 0x04, 0x03]
    static let organization: [UInt8] = [0x55, 0x04, 0x0A]
    static let uniqueIdentifier: [UInt8] = [0x55, 0x04, 0x2D]
    static let emailAddress: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x01]

    // Extended key usages (RFC 5280 §4.2.1.12).
    static let serverAuthentication: [UInt8] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]
    static let clientAuthentication: [UInt8] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]
    static let anyExtendedKeyUsage: [UInt8] = [0x55, 0x1D, 0x25, 0x00]
}
