import COpenSSL

extension TLSSession {
    /// Turns the refusal, the alert or OpenSSL's reason into a failure; empties the error queue.
    func takeDiagnosis() -> TLSFailure {
        let code = ERR_peek_last_error()
        let number = tp_err_reason(code)
        let text = takeErrorReason()
        if let refusal {
            return TLSFailure(
                kind: refusal,
                side: .local,
                alert: sentAlert,
                reason: reason(of: refusal)
            )
        }
        if let receivedAlert {
            return TLSFailure(
                kind: .peerAlert,
                side: .peer,
                alert: receivedAlert,
                reason: "the peer refused the connection"
            )
        }
        let kind: TLSFailure.Kind =
            switch number {
            case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: .noPeerCertificate
            case SSL_R_EXCESSIVE_MESSAGE_SIZE: .peerChainTooLong
            case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_VERSION_NUMBER,
                SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW, SSL_R_HTTP_REQUEST:
                .protocolVersion
            default:
                sentAlert == .internalError ? .internalError : .protocolViolation
            }
        return TLSFailure(kind: kind, side: .local, alert: sentAlert, reason: text)
    }

    private func reason(of kind: TLSFailure.Kind) -> String {
        switch kind {
        case .unknownServerName: "no credentials for the server name asked for"
        case .noApplicationProtocol: "no application protocol in common"
        case .peerChainTooLong:
            "a chain of more than \(TLSLimits.peerChainCountMax) certificates"
        case .peerRefused: refusedPeerReason ?? "the peer's certificate was refused"
        case .peerAlert, .noPeerCertificate, .protocolVersion, .protocolViolation, .truncated,
            .endedDuringHandshake, .handshakeTooLarge, .internalError:
            "refused"
        }
    }
}

extension PeerRefusal {
    /// The code that OpenSSL's table maps to the alert that fits.
    var verificationCode: Int32 {
        switch kind {
        case .badCertificate: X509_V_ERR_CERT_REJECTED
        case .unsupportedCertificate: X509_V_ERR_INVALID_PURPOSE
        case .revoked: X509_V_ERR_CERT_REVOKED
        case .expired: X509_V_ERR_CERT_HAS_EXPIRED
        case .unknownCA: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        case .otherIdentity: X509_V_ERR_APPLICATION_VERIFICATION
        }
    }
}
