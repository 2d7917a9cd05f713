/// Why a session ended other than by close_notify.
///
/// Holds no key material and no plaintext: `reason` is a constant of ours or of OpenSSL's, or the
/// verifier's own words.
package struct TLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong.
    package enum Kind: Equatable, Sendable {
        /// The peer sent a fatal alert.
        case peerAlert
        /// Our verifier refused the peer's chain.
        case peerRefused
        /// The peer showed no certificate although one is required.
        case noPeerCertificate
        /// More certificates or bytes than `TLSLimits` allows.
        case peerChainTooLong
        /// The client named no server, or one that we have no credentials for.
        case unknownServerName
        /// No application protocol in common.
        case noApplicationProtocol
        /// The peer speaks no version that is accepted.
        case protocolVersion
        /// Bytes that are no valid TLS 1.3.
        case protocolViolation
        /// The byte stream ended without close_notify: what was read may be cut short.
        case truncated
        /// The byte stream ended before the handshake did.
        case endedDuringHandshake
        /// More handshake bytes than `TLSLimits.handshakeByteCountMax`.
        case handshakeTooLarge
        /// OpenSSL refused for a reason of its own, such as memory.
        case internalError
    }

    /// Which side ended the session.
    package enum Side: Equatable, Sendable {
        case local
        case peer
    }

    /// What went wrong.
    package let kind: Kind
    /// Which side ended the session.
    package let side: Side
    /// The alert that `side` sent, where one was sent.
    package let alert: TLSAlert?
    /// One sentence for a log.
    package let reason: String

    package init(kind: Kind, side: Side, alert: TLSAlert? = nil, reason: String) {
        self.kind = kind
        self.side = side
        self.alert = alert
        self.reason = reason
    }

    package var description: String {
        guard let alert else { return reason }
        return switch side {
        case .local: "\(reason) (we sent \(alert))"
        case .peer: "\(reason) (the peer sent \(alert))"
        }
    }
}
