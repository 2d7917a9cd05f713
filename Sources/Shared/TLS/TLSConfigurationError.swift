/// What is wrong with credentials or settings that the owner gave.
///
/// Never quotes the bytes at fault: they may be a key's.
package enum TLSConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    case emptyChain
    case invalidCertificate(index: Int)
    case invalidPrivateKey
    case privateKeyMismatch
    case invalidApplicationProtocol
    case invalidServerName
    case wrongRole
    case openSSL(reason: String)

    package var description: String {
        switch self {
        case .emptyChain:
            "the certificate chain is empty: it must hold the leaf, then its intermediates"
        case .invalidCertificate(let index):
            "certificate \(index) of the chain is no X.509 certificate in DER or PEM"
        case .invalidPrivateKey:
            "the private key is no unencrypted PKCS#8 or SEC 1 key in DER or PEM"
        case .privateKeyMismatch:
            "the private key does not belong to the first certificate of the chain"
        case .invalidApplicationProtocol:
            "an application protocol name must hold 1 to 255 bytes, the list at most 16 names"
        case .invalidServerName:
            "a server name must be a DNS name of at most 253 letters, digits, '-' and '.'"
        case .wrongRole:
            "a server session needs a server context, a client session a client context"
        case .openSSL(let reason):
            "OpenSSL refused the setting: \(reason)"
        }
    }
}
