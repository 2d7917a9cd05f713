package import Wire

/// What the operator sets for the agent's control side, and what the process lends it.
package struct SubscriptionSettings: Sendable {
    /// `host:port` of servers that take the place of those that enrolment named; empty for none.
    package var servers: [String] = []
    /// `host:port` under which other agents reach the mesh port; nil says nothing.
    package var meshAddress: String?
    /// The name and version that servers and people see.
    package var software: String
    /// Evidence on disk while no server takes it.
    package var evidenceByteCountMax = ByteCount.mebibytes(64)
    /// The wall clock.
    package var now: @Sendable () -> Timestamp
    /// Random numbers from 0 to 1, for jitter.
    package var jitter: @Sendable () -> Double

    package init(
        software: String,
        now: @escaping @Sendable () -> Timestamp,
        jitter: @escaping @Sendable () -> Double
    ) {
        self.software = software
        self.now = now
        self.jitter = jitter
    }
}

/// The bounds of the control side that nobody sets.
enum SubscriptionLimits {
    /// TCP and TLS together, per address.
    static let connectTimeout = Duration.seconds(10)
    /// A server that says nothing for so long, not even an answer to a ping, is gone.
    static let silenceTimeout = Duration.seconds(45)
    /// How often the server is asked whether it is there.
    static let pingInterval = Duration.seconds(15)
    /// How often the state is reported.
    static let statusInterval = Duration.seconds(10)
    /// How often evidence is written and due work is looked for.
    static let tickInterval = Duration.seconds(1)
    /// How long what servers said of other hosts' health holds without any server.
    static let healthLifetime = Duration.seconds(60)
    /// The most instances whose health a status names; those that are down come first.
    static let findingsMax = 4_000
    /// Bytes that may wait for a server that does not read.
    static let outboxByteCountMax = 8 << 20
}
