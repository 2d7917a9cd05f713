package import TLS

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

    init(_ session: TLSSession) {
        peer = session.peer
        serverName = session.serverName
        applicationProtocol = session.applicationProtocol
        isSecure = true
    }
}
