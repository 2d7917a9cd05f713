/// Why a message is refused: one case per rule, closed.
package enum MessageFault: Error, Hashable, Sendable, CaseIterable {
    case requestLineMalformed
    case methodInvalid
    case methodUnknown
    case methodRefused
    case targetTooLong
    case targetInvalid
    case versionRefused
    case versionUnsupported
    case statusLineMalformed

    case lineEndInvalid
    case fieldFolded
    case fieldColonMissing
    case fieldNameInvalid
    case fieldValueInvalid
    case fieldLineTooLong
    case fieldBlockTooLarge
    case fieldCountExceeded

    case hostMissing
    case hostRepeated
    case hostInvalid
    case hostMismatch
    case connectionFieldInvalid
    case connectionFieldNominatesProtected
    case expectationUnknown

    case contentLengthInvalid
    case contentLengthRepeated
    case lengthAndTransferEncoding
    case transferEncodingInvalid
    case transferEncodingRepeated
    case transferEncodingUnknown
    case transferEncodingInHTTP10
    case bodyTooLarge

    case chunkSizeInvalid
    case chunkExtensionInvalid
    case chunkExtensionTooLong
    case chunkUnterminated
    case trailerBlockTooLarge
    case trailerFieldRefused

    case messageTruncated
    case headTimeout
    case bodyTooSlow
    case writeStalled
    case heldBytesExceeded
    case peerVanished
    case informationalFlood
    case upgradeUnexpected
    case responseUnsolicited

    /// The status with which a server refuses a request for this reason.
    package var status: Status {
        switch self {
        case .methodUnknown, .transferEncodingUnknown: .notImplemented
        case .methodRefused: .methodNotAllowed
        case .targetTooLong: .targetTooLong
        case .versionUnsupported: .versionNotSupported
        case .fieldLineTooLong, .fieldBlockTooLarge, .fieldCountExceeded, .trailerBlockTooLarge:
            .fieldsTooLarge
        case .expectationUnknown: .expectationFailed
        case .bodyTooLarge: .contentTooLarge
        case .headTimeout, .bodyTooSlow: .requestTimeout
        case .statusLineMalformed, .informationalFlood, .upgradeUnexpected, .responseUnsolicited:
            .badGateway
        case .requestLineMalformed, .methodInvalid, .targetInvalid, .versionRefused,
            .lineEndInvalid, .fieldFolded, .fieldColonMissing, .fieldNameInvalid,
            .fieldValueInvalid, .hostMissing, .hostRepeated, .hostInvalid, .hostMismatch,
            .connectionFieldInvalid, .connectionFieldNominatesProtected, .contentLengthInvalid,
            .contentLengthRepeated, .lengthAndTransferEncoding, .transferEncodingInvalid,
            .transferEncodingRepeated, .transferEncodingInHTTP10, .chunkSizeInvalid,
            .chunkExtensionInvalid, .chunkExtensionTooLong, .chunkUnterminated,
            .trailerFieldRefused, .messageTruncated, .writeStalled, .heldBytesExceeded,
            .peerVanished:
            .badRequest
        }
    }

    /// The stable machine-readable name, as in the `code` of an error body.
    package var code: String { "http.\(self)" }

    /// What is wrong and what would be right, for people; quotes nothing that the peer sent.
    package var sentence: String {
        switch self {
        case .requestLineMalformed:
            "The request line is not METHOD, one space, target, one space, version."
        case .methodInvalid: "The method is not a token in upper case."
        case .methodUnknown: "The method is not one that this server implements."
        case .methodRefused: "TRACE and CONNECT are not served here."
        case .targetTooLong: "The request target is longer than the server reads."
        case .targetInvalid:
            "The request target is not in a form that its method allows, or holds a byte that must be percent-encoded."
        case .versionRefused: "The version is not HTTP/1.1 or HTTP/1.0."
        case .versionUnsupported: "This listener speaks HTTP/1.1 only."
        case .statusLineMalformed:
            "The status line is not version, space, three digits, space, reason."
        case .lineEndInvalid: "A line ends in CR LF; neither may stand alone."
        case .fieldFolded: "A field value may not continue on the next line."
        case .fieldColonMissing: "A field line has no colon."
        case .fieldNameInvalid:
            "A field name is a token with the colon directly behind it."
        case .fieldValueInvalid: "A field value holds a control character."
        case .fieldLineTooLong: "A field line is longer than the server reads."
        case .fieldBlockTooLarge: "The fields together are larger than the server reads."
        case .fieldCountExceeded: "There are more fields than the server reads."
        case .hostMissing: "HTTP/1.1 needs a Host field."
        case .hostRepeated: "There is more than one Host field."
        case .hostInvalid: "The Host field is not a host name or address with an optional port."
        case .hostMismatch: "The host in the request target differs from the Host field."
        case .connectionFieldInvalid: "The Connection field is not a list of tokens."
        case .connectionFieldNominatesProtected:
            "The Connection field may not name a field that routing, framing or identity needs."
        case .expectationUnknown: "The only expectation served is 100-continue."
        case .contentLengthInvalid: "Content-Length is not a plain decimal number."
        case .contentLengthRepeated: "There is more than one Content-Length."
        case .lengthAndTransferEncoding:
            "Content-Length and Transfer-Encoding may not stand together."
        case .transferEncodingInvalid: "Transfer-Encoding is not exactly chunked."
        case .transferEncodingRepeated: "There is more than one Transfer-Encoding."
        case .transferEncodingUnknown: "The only transfer coding served is chunked."
        case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding."
        case .bodyTooLarge: "The body is larger than this route reads."
        case .chunkSizeInvalid: "A chunk size is 1 to 16 hexadecimal digits."
        case .chunkExtensionInvalid: "A chunk extension holds a control character."
        case .chunkExtensionTooLong: "The chunk extensions are longer than the server reads."
        case .chunkUnterminated: "The data of a chunk does not end in CR LF."
        case .trailerBlockTooLarge: "The trailers are larger than the server reads."
        case .trailerFieldRefused:
            "A trailer may not carry a field of framing, routing or identity."
        case .messageTruncated: "The connection ended inside a message."
        case .headTimeout: "The request head did not arrive in time."
        case .bodyTooSlow: "The request body arrived too slowly."
        case .writeStalled: "The peer stopped reading."
        case .heldBytesExceeded: "The peer sent more than may be held back."
        case .peerVanished: "The connection was lost."
        case .informationalFlood: "The server sent too many interim responses."
        case .upgradeUnexpected: "The server switched protocols without being asked."
        case .responseUnsolicited: "The server sent bytes that no request asked for."
        }
    }
}
