/// How many connections one listener holds, and how long it waits for their beginning.
package struct ConnectionLimits: Equatable, Sendable {
    /// Connections per reactor; further ones wait in the kernel's queue.
    package var connectionCountMax = 10_000
    /// Connections per source address and reactor; further ones are closed at once (nil: no limit).
    package var connectionsPerSourceMax: Int?
    /// From the accept to the end of the TLS handshake.
    package var handshakeTimeout = Duration.seconds(10)
    /// Connections that may wait in the kernel's queue.
    package var backlog = 1_024

    /// The defaults above.
    package init() {}
}
