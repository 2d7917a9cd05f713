/// What a connection of HTTP/1.1 may cost: sizes in bytes, counts and times.
package struct Limits: Equatable, Sendable {
    /// Longest request target; beyond it 414.
    package var targetByteCountMax = 8 * 1024
    /// Longest field line; beyond it 431.
    package var fieldLineByteCountMax = 8 * 1024
    /// All field lines of a head together; beyond it 431.
    package var fieldBlockByteCountMax = 16 * 1024
    /// Most field lines of a head; beyond it 431.
    package var fieldCountMax = 100
    /// Longest body, beyond which 413; a route may lower it, never raise it.
    package var bodyByteCountMax = 1024 * 1024
    /// Extensions of one chunk; they are dropped.
    package var chunkExtensionByteCountMax = 256
    /// Extensions of all chunks of a message, so that tiny chunks can not carry a flood of them.
    package var chunkExtensionsByteCountMax = 16 * 1024
    /// All trailer lines together; they are checked and dropped.
    package var trailerBlockByteCountMax = 4 * 1024
    /// Interim responses before the final one.
    package var informationalCountMax = 8

    /// Body bytes handed over and not yet consumed, beyond which reading pauses.
    package var unconsumedByteCountMax = 64 * 1024
    /// Bytes of pipelined requests held back, beyond which the connection is given up.
    package var heldByteCountMax = 256 * 1024
    /// Body bytes dropped after an early response before the connection closes instead.
    package var drainByteCountMax = 64 * 1024

    /// From the first byte of a head, or from the accept, to its end; beyond it 408.
    package var headTimeout: Duration = .seconds(10)
    /// Length of the window in which a body must bring `bodyRateMin` per second.
    package var bodyRateWindow: Duration = .seconds(5)
    /// Bytes per second; a slower body is answered 408.
    package var bodyRateMin = 240
    /// Without one byte written while some wait.
    package var writeStallTimeout: Duration = .seconds(30)
    /// Between two requests of a connection.
    package var idleTimeout: Duration = .seconds(60)
    /// Between our end of the connection and the peer's.
    package var lingerTimeout: Duration = .seconds(2)
    /// From the end of a request that we sent to the response's head.
    package var responseHeadTimeout: Duration = .seconds(30)
    /// Between two parts of a response that we read.
    package var responseBodyTimeout: Duration = .seconds(30)

    package init() {}

    package static let standard = Limits()
}

/// What a server accepts beyond the plain request.
package struct RequestPolicy: Equatable, Sendable {
    package var limits: Limits
    /// Whether a method outside the known set passes the parser; otherwise 501.
    package var acceptsUnknownMethods: Bool
    /// Whether CONNECT passes the parser; otherwise 405.
    package var acceptsConnect: Bool
    /// Whether `Upgrade: websocket` stays in the fields; every other upgrade is always removed.
    package var keepsWebSocketUpgrade: Bool

    package init(
        limits: Limits = .standard,
        acceptsUnknownMethods: Bool = false,
        acceptsConnect: Bool = false,
        keepsWebSocketUpgrade: Bool = false
    ) {
        self.limits = limits
        self.acceptsUnknownMethods = acceptsUnknownMethods
        self.acceptsConnect = acceptsConnect
        self.keepsWebSocketUpgrade = keepsWebSocketUpgrade
    }

    package static let standard = RequestPolicy()
}
