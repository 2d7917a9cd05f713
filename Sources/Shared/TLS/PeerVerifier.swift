package import Wire

/// Decides on a peer's chain; OpenSSL's own verification does not run at all.
///
/// Called once per handshake on the thread that drives the session, before any application byte
/// passes. It must decide by itself that it knows the time, the roots and the names.
package typealias PeerVerifier = @Sendable (PeerChain) -> PeerVerdict

/// The side of a handshake.
package enum TLSRole: Equatable, Sendable {
    case client
    case server
}

/// The certificates that a peer showed, as they came over the wire.
package struct PeerChain: Sendable {
    /// DER, the leaf first; 1 to `TLSLimits.peerChainCountMax` of them.
    package let certificates: [[UInt8]]
    /// What the peer is: `client` when we are the server.
    package let peerRole: TLSRole
    /// The server name of this session, sent or received.
    package let serverName: String?
    /// The application protocol agreed so far; nil where there is none.
    package let applicationProtocol: String?
}

/// What a verifier decided.
package enum PeerVerdict: Sendable {
    case accept(PeerIdentity)
    case refuse(PeerRefusal)
}

/// Who a verified peer is, as the verifier names it.
package struct PeerIdentity: Equatable, Sendable {
    /// A SPIFFE id, or the DNS name that was verified.
    package let name: String
    /// The leaf's serial number, big-endian, for revocation lists.
    package let serialNumber: [UInt8]
    /// SHA-256 of the leaf's DER.
    package let leafDigest: [UInt8]
    /// The leaf's expiry; connections that outlive it need a reason.
    package let notAfter: Timestamp
    /// SHA-256 of the root that the chain was verified under; empty where nobody asks.
    package let root: [UInt8]

    package init(
        name: String,
        serialNumber: [UInt8],
        leafDigest: [UInt8],
        notAfter: Timestamp,
        root: [UInt8] = []
    ) {
        self.root = root
        self.name = name
        self.serialNumber = serialNumber
        self.leafDigest = leafDigest
        self.notAfter = notAfter
    }
}

/// Why a verifier refused, with the alert that tells the peer.
package struct PeerRefusal: Equatable, Sendable {
    /// Names the alert that the peer is sent.
    package enum Kind: Equatable, Sendable {
        case badCertificate
        case unsupportedCertificate
        case revoked
        case expired
        case unknownCA
        case otherIdentity
    }

    /// Chooses the alert.
    package let kind: Kind
    /// For our own log only; the peer sees the alert.
    package let reason: String

    package init(_ kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }
}
