/// An alert's description byte (RFC 8446 section 6).
package struct TLSAlert: Equatable, Sendable, CustomStringConvertible {
    /// The byte on the wire.
    package let code: UInt8

    /// An alert with this description byte.
    package init(code: UInt8) {
        self.code = code
    }

    /// close_notify(0).
    package static let closeNotify = TLSAlert(code: 0)
    /// unexpected_message(10).
    package static let unexpectedMessage = TLSAlert(code: 10)
    /// bad_record_mac(20).
    package static let badRecordMAC = TLSAlert(code: 20)
    /// record_overflow(22).
    package static let recordOverflow = TLSAlert(code: 22)
    /// handshake_failure(40).
    package static let handshakeFailure = TLSAlert(code: 40)
    /// bad_certificate(42).
    package static let badCertificate = TLSAlert(code: 42)
    /// unsupported_certificate(43).
    package static let unsupportedCertificate = TLSAlert(code: 43)
    /// certificate_revoked(44).
    package static let certificateRevoked = TLSAlert(code: 44)
    /// certificate_expired(45).
    package static let certificateExpired = TLSAlert(code: 45)
    /// certificate_unknown(46).
    package static let certificateUnknown = TLSAlert(code: 46)
    /// illegal_parameter(47).
    package static let illegalParameter = TLSAlert(code: 47)
    /// unknown_ca(48).
    package static let unknownCA = TLSAlert(code: 48)
    /// access_denied(49).
    package static let accessDenied = TLSAlert(code: 49)
    /// decode_error(50).
    package static let decodeError = TLSAlert(code: 50)
    /// decrypt_error(51).
    package static let decryptError = TLSAlert(code: 51)
    /// protocol_version(70).
    package static let protocolVersion = TLSAlert(code: 70)
    /// internal_error(80).
    package static let internalError = TLSAlert(code: 80)
    /// user_canceled(90).
    package static let userCanceled = TLSAlert(code: 90)
    /// missing_extension(109).
    package static let missingExtension = TLSAlert(code: 109)
    /// unrecognized_name(112).
    package static let unrecognizedName = TLSAlert(code: 112)
    /// certificate_required(116).
    package static let certificateRequired = TLSAlert(code: 116)
    /// no_application_protocol(120).
    package static let noApplicationProtocol = TLSAlert(code: 120)

    /// The RFC's own name, or the number where we have none.
    package var description: String {
        switch self {
        case .closeNotify: "close_notify"
        case .unexpectedMessage: "unexpected_message"
        case .badRecordMAC: "bad_record_mac"
        case .recordOverflow: "record_overflow"
        case .handshakeFailure: "handshake_failure"
        case .badCertificate: "bad_certificate"
        case .unsupportedCertificate: "unsupported_certificate"
        case .certificateRevoked: "certificate_revoked"
        case .certificateExpired: "certificate_expired"
        case .certificateUnknown: "certificate_unknown"
        case .illegalParameter: "illegal_parameter"
        case .unknownCA: "unknown_ca"
        case .accessDenied: "access_denied"
        case .decodeError: "decode_error"
        case .decryptError: "decrypt_error"
        case .protocolVersion: "protocol_version"
        case .internalError: "internal_error"
        case .userCanceled: "user_canceled"
        case .missingExtension: "missing_extension"
        case .unrecognizedName: "unrecognized_name"
        case .certificateRequired: "certificate_required"
        case .noApplicationProtocol: "no_application_protocol"
        default: "alert \(code)"
        }
    }
}
