package import Observability
package import Wire

/// What `Control` may not reach by itself: clocks, randomness, the log and the counters.
package struct Surroundings: Sendable {
    /// The host's wall clock.
    package let now: @Sendable () -> Timestamp
    /// The host's monotonic clock.
    package let instant: @Sendable () -> ContinuousClock.Instant
    /// Unpredictable bytes of a count.
    package let randomBytes: @Sendable (Int) -> [UInt8]
    package let logger: Logger
    package let metrics: MetricRegistry

    package init(
        now: @escaping @Sendable () -> Timestamp,
        instant: @escaping @Sendable () -> ContinuousClock.Instant,
        randomBytes: @escaping @Sendable (Int) -> [UInt8],
        logger: Logger = .silent,
        metrics: MetricRegistry = MetricRegistry()
    ) {
        self.now = now
        self.instant = instant
        self.randomBytes = randomBytes
        self.logger = logger
        self.metrics = metrics
    }

    /// A number from 0 up to 1, for jitter.
    package func fraction() -> Double {
        let bits = randomBytes(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(bits) / (Double(UInt32.max) + 1)
    }

    /// A new identifier for a time.
    package func makeID(_ time: Timestamp) -> UUIDv7 {
        UUIDv7(timestamp: time, random: randomBytes(UUIDv7.randomByteCount))
    }
}
