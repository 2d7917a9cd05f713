/// The named bits of the key usage extension (RFC 5280 §4.2.1.3).
package struct KeyUsage: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let digitalSignature = KeyUsage(rawValue: 1 << 15)
    package static let contentCommitment = KeyUsage(rawValue: 1 << 14)
    package static let keyEncipherment = KeyUsage(rawValue: 1 << 13)
    package static let dataEncipherment = KeyUsage(rawValue: 1 << 12)
    package static let keyAgreement = KeyUsage(rawValue: 1 << 11)
    package static let keyCertSign = KeyUsage(rawValue: 1 << 10)
    package static let crlSign = KeyUsage(rawValue: 1 << 9)

    func write(to writer: inout DERWriter) {
        let unused = rawValue.trailingZeroBitCount
        let high = UInt8(truncatingIfNeeded: rawValue >> 8)
        let low = UInt8(truncatingIfNeeded: rawValue)
        let content = low == 0 ? [UInt8(unused - 8), high] : [UInt8(unused), high, low]
        writer.element(DERTag.bitString, content)
    }
}

/// Who presents a certificate in a TLS handshake.
package enum PeerRole: String, Sendable, Hashable, CaseIterable {
    case server
    case client

    /// The extended key usage that the role needs.
    var extendedKeyUsage: [UInt8] {
        switch self {
        case .server: ObjectIdentifier.serverAuthentication
        case .client: ObjectIdentifier.clientAuthentication
        }
    }
}
