/// How the agent of an instance's host finds out whether the instance takes connections.
///
/// It grants nothing: a check can only keep connections away from an instance, never bring one.
package struct HealthCheck: Hashable, Sendable {
    /// What a probe does.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Connects and hangs up.
        case tcp
        /// Nothing: every instance counts as up.
        case none
    }

    /// The shortest and the longest time between two probes.
    package static let intervalRange = Duration.seconds(1)...Duration.seconds(600)
    /// The shortest and the longest wait for an answer.
    package static let timeoutRange = Duration.milliseconds(50)...Duration.seconds(60)
    /// The most answers in a row that may be asked for.
    package static let thresholdMax = 100
    /// What holds where nothing is said.
    package static let standard = HealthCheck()

    package var kind: Kind
    /// From one probe to the next, before jitter.
    package var interval: Duration
    /// How long a probe may take; at most the interval.
    package var timeout: Duration
    /// Answers in a row after which an instance is up.
    package var successes: Int
    /// Failures in a row after which an instance is down.
    package var failures: Int

    package init(
        kind: Kind = .tcp,
        interval: Duration = .seconds(5),
        timeout: Duration = .seconds(2),
        successes: Int = 2,
        failures: Int = 3
    ) {
        self.kind = kind
        self.interval = interval
        self.timeout = timeout
        self.successes = successes
        self.failures = failures
    }

    /// Checks ranges and that a probe ends before the next begins; the error names the field.
    package func validate() throws(InvalidField) {
        guard Self.intervalRange.contains(interval) else {
            throw InvalidField("health_check.interval", .wrong("must lie between 1s and 10m"))
        }
        guard Self.timeoutRange.contains(timeout), timeout <= interval else {
            throw InvalidField(
                "health_check.timeout",
                .wrong("must lie between 50ms and 60s and not exceed the interval")
            )
        }
        for (field, count) in [("successes", successes), ("failures", failures)] {
            guard (1...Self.thresholdMax).contains(count) else {
                throw InvalidField(
                    "health_check.\(field)",
                    .outOfRange(least: 1, most: Self.thresholdMax)
                )
            }
        }
    }
}
