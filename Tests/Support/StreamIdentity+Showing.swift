import TLS
package import Transport
package import Wire

extension StreamIdentity {
    /// A connection whose peer has shown a certificate, as the handshake would have left it.
    package static func showing(
        _ spiffeID: String,
        serialNumber: [UInt8],
        digest: [UInt8],
        notAfter: Timestamp,
        root: [UInt8] = []
    ) -> StreamIdentity {
        var identity = StreamIdentity()
        identity.peer = PeerIdentity(
            name: spiffeID,
            serialNumber: serialNumber,
            leafDigest: digest,
            notAfter: notAfter,
            root: root
        )
        identity.isSecure = true
        return identity
    }
}
