package import HTTP
package import Reactor
import Wire

/// A complete request, with what its connection knows about the caller.
package struct HTTPRequest: Sendable {
    /// Method, target, authority and fields.
    package var head: RequestHead
    /// The whole body, within the limit of its route.
    package var body: [UInt8]
    /// Who asks, over which connection.
    package var context: RequestContext

    /// A request, for tests and internal calls as well.
    package init(head: RequestHead, body: [UInt8], context: RequestContext) {
        self.head = head
        self.body = body
        self.context = context
    }
}

/// What the connection of a request knows about the caller.
package struct RequestContext: Sendable {
    /// Where the request came from.
    package var peerAddress: SocketAddress
    /// The caller's verified certificate, the server name it asked for, ALPN.
    package var identity: StreamIdentity
    /// A UUIDv7 of ours; goes back as `x-request-id`.
    package var requestID: String

    /// A context, for tests and internal calls as well.
    package init(peerAddress: SocketAddress, identity: StreamIdentity, requestID: String) {
        self.peerAddress = peerAddress
        self.identity = identity
        self.requestID = requestID
    }
}

extension RequestContext {
    /// An id for the next request.
    static func makeRequestID() -> String {
        var random = [UInt8](repeating: 0, count: UUIDv7.randomByteCount)
        var span = random.mutableSpan
        // An id without randomness is still an id: it is no secret and opens nothing.
        try? Entropy.fill(&span)
        let now = Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
        return UUIDv7(timestamp: now, random: random).description
    }
}
