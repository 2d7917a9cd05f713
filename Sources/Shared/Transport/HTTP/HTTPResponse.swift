package import HTTP

/// The answer to a request.
package struct HTTPResponse: Sendable {
    /// What follows the head.
    package enum Body: Sendable {
        /// A body that is complete already.
        case bytes([UInt8])
        /// A body that is produced while it is sent (chunked); cut off if the producer throws.
        case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
    }

    /// The status code.
    package var status: Status
    /// Without framing fields, which come from the body.
    package var fields: HeaderFields
    /// The body; dropped where the status or the method has none.
    package var body: Body
    /// Whether the connection ends after this answer.
    package var closesConnection = false

    /// An answer with a complete body.
    package init(
        status: Status,
        fields: HeaderFields = HeaderFields(),
        body: [UInt8] = []
    ) {
        self.status = status
        self.fields = fields
        self.body = .bytes(body)
    }

    /// An answer whose body is produced while it is sent.
    package init(
        status: Status,
        fields: HeaderFields = HeaderFields(),
        stream: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
    ) {
        self.status = status
        self.fields = fields
        body = .stream(stream)
    }
}

/// Where the producer of a streamed body writes; each write waits until the peer keeps up.
package struct HTTPBodyWriter: Sendable {
    let connection: HTTPServerConnection

    /// Sends part of the body; throws when the peer is gone or too slow.
    package func write(_ bytes: [UInt8]) async throws(StreamError) {
        try await connection.writeBody(bytes)
    }
}
