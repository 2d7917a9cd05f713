package import TLS
package import Wire

/// How a stream is protected.
package enum StreamSecurity: Sendable {
    /// Not at all: bytes as they are.
    case none
    /// TLS, as the server.
    case server(TLSContext)
    /// TLS, as the client; nil for `verifier` means the context's.
    case client(
        TLSContext,
        serverName: String?,
        credentials: TLSCredentials?,
        verifier: PeerVerifier?
    )

    func makeSession() throws(TLSConfigurationError) -> TLSSession? {
        switch self {
        case .none:
            nil
        case .server(let context):
            try TLSSession(server: context)
        case .client(let context, let serverName, let credentials, let verifier):
            try TLSSession(
                client: context,
                serverName: serverName,
                credentials: credentials,
                verifier: verifier
            )
        }
    }
}

/// What a TLS handshake agreed on; empty for a plain stream.
package struct StreamIdentity: Equatable, Sendable {
    /// Who the peer is; nil without a certificate.
    package var peer: PeerIdentity?
    /// The server name that the client asked for, in lower case.
    package var serverName: String?
    /// What ALPN agreed on.
    package var applicationProtocol: String?
    /// Whether the stream is TLS at all.
    package var isSecure = false

    /// The identity of a plain stream.
    package init() {}

    /// What a verified certificate says, for rooms that know nothing of TLS.
    package struct ShownCertificate: Equatable, Sendable {
        /// A SPIFFE id, or the DNS name that was verified.
        package let name: String
        /// Big-endian.
        package let serialNumber: [UInt8]
        /// SHA-256 of its DER.
        package let digest: [UInt8]
        package let notAfter: Timestamp
        /// SHA-256 of the root that it was verified under.
        package let root: [UInt8]
    }

    /// The peer's certificate; nil without one.
    package var shownCertificate: ShownCertificate? {
        peer.map { peer in
            ShownCertificate(
                name: peer.name,
                serialNumber: peer.serialNumber,
                digest: peer.leafDigest,
                notAfter: peer.notAfter,
                root: peer.root
            )
        }
    }

    init(_ session: TLSSession) {
        peer = session.peer
        serverName = session.serverName
        applicationProtocol = session.applicationProtocol
        isSecure = true
    }
}
