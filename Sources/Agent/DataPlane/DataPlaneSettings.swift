package import Reactor
package import Wire

/// What the operator of an agent sets for its data path.
package struct DataPlaneSettings: Sendable {
    /// Where other agents connect; port 0 takes any free one.
    package var meshAddress: SocketAddress
    /// The loopback address on which upstream ports listen.
    package var upstreamAddress: SocketAddress
    /// Connections of the whole agent, both directions together.
    package var connectionsMax = 100_000
    /// Inbound connections whose peers have not proved who they are; beyond it the oldest end.
    package var handshakesMax = 2_048
    /// Bytes that the process may occupy; nil without a limit.
    package var memoryLimit: Int?
    /// How many reactors share the process.
    package var reactorCount = 1
    /// Gives what the process occupies; nil where that cannot be told.
    package var residentByteCount: @Sendable () -> Int? = { ProcessLimits.residentByteCount() }
    /// From the first byte of a TLS handshake to its end.
    package var handshakeTimeout = Duration.seconds(10)
    /// For one attempt to reach an instance or another agent.
    package var connectTimeout = Duration.seconds(5)
    /// How long a connection may be quiet; nil is for ever.
    package var idleTimeout: Duration?
    /// How long connections may finish after `drain()` began.
    package var drainTimeout = Duration.seconds(10)
    /// How long another agent may acknowledge nothing of what is under way to it.
    ///
    /// Longer than the kernel's longest pause between two attempts, which is 120 s.
    package var unacknowledgedTimeout = Duration.seconds(150)
    /// Gives the wall clock; dates of certificates, rules and manifests are compared with it.
    package var now: @Sendable () -> Timestamp

    /// Listens on `meshAddress`, and for upstreams on the address of `upstreamAddress`, whose port
    /// does not count.
    package init(
        meshAddress: SocketAddress,
        upstreamAddress: SocketAddress = .loopback(),
        now: @escaping @Sendable () -> Timestamp = {
            Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
        }
    ) {
        self.meshAddress = meshAddress
        self.upstreamAddress = upstreamAddress
        self.now = now
    }
}

/// The bounds of the data path that nobody sets.
enum DataPlaneLimits {
    /// Bytes taken from a socket at once: what one scratch buffer can hold decrypted.
    static let receiveByteCountMax = 64 * 1_024
    /// The same where both ends speak TLS, so that what is decrypted can be encrypted again.
    static let outsideByteCountMax = 48 * 1_024
    /// Transfers of one connection before the others of its reactor have their turn.
    static let transfersPerTurnMax = 16
    /// Ciphertext that may wait for a peer: one transfer and the answers to its key updates.
    static let heldByteCountMax = 256 * 1_024
    /// How long a refused peer may take to read its alert.
    static let lingerTimeout = Duration.seconds(1)
    /// How long a peer that was cut may take to hang up.
    static let cutGrace = Duration.milliseconds(500)
    /// Bytes that a refused peer may still send meanwhile.
    static let lingerByteCountMax = 64 * 1_024
    /// How often quiet connections give their buffers back and long ones report their bytes.
    static let sweepInterval = Duration.milliseconds(250)
    /// Sweeps between two reports of bytes.
    static let sweepsPerReport = 60
    /// How often the wall clock is looked at while there are connections, since it may be set.
    static let clockInterval = Duration.seconds(1)
    /// The longest wait before all connections are decided again.
    static let decisionIntervalMax = Duration.seconds(30)
    /// Verified leaves that one reactor remembers.
    static let verifiedLeavesMax = 4_096
    /// Attempts for one connection: the first, and one more at another address.
    static let attemptsMax = 2
}
