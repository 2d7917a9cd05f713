/// The protocol version of a message; any other is refused.
package enum Version: Hashable, Sendable, CustomStringConvertible {
    case http10
    case http11

    package var description: String {
        switch self {
        case .http10: "HTTP/1.0"
        case .http11: "HTTP/1.1"
        }
    }
}

/// How the end of a body is found (RFC 9112 section 6).
package enum BodyFraming: Hashable, Sendable {
    case none
    /// Exactly that many bytes; never negative.
    case fixed(byteCount: Int)
    case chunked
    /// Until the connection closes; responses only.
    case untilClose

    /// Whether no byte of body can follow.
    package var isEmpty: Bool { self == .none || self == .fixed(byteCount: 0) }
}

/// A request without its body.
package struct RequestHead: Equatable, Sendable {
    package var method: Method
    package var target: RequestTarget
    package var version: Version
    /// What `Host` says; nil only for HTTP/1.0 without that field.
    package var authority: Authority?
    package var fields: HeaderFields
    /// How the body ends, as the parser decided it.
    package var framing: BodyFraming
    /// Whether the client waits for `100 Continue` before it sends the body.
    package var expectsContinue: Bool
    /// Whether the client allows another request on this connection.
    package var allowsReuse: Bool

    /// A request to send.
    package init(
        method: Method,
        target: RequestTarget,
        authority: Authority,
        fields: HeaderFields = HeaderFields(),
        framing: BodyFraming = .none
    ) {
        self.method = method
        self.target = target
        version = .http11
        self.authority = authority
        self.fields = fields
        self.framing = framing
        expectsContinue = false
        allowsReuse = true
    }

    package var path: String { target.path }
    package var query: String? { target.query }
}

/// A response without its body.
package struct ResponseHead: Equatable, Sendable {
    package var status: Status
    package var version: Version
    package var fields: HeaderFields
    /// How the body ends, as the parser decided it; a sender gives the framing with the response.
    package var framing: BodyFraming
    /// Whether the server allows another request on this connection.
    package var allowsReuse: Bool

    /// A response to send.
    package init(status: Status, fields: HeaderFields = HeaderFields()) {
        self.status = status
        version = .http11
        self.fields = fields
        framing = .none
        allowsReuse = true
    }
}
