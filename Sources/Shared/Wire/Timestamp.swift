/// A point of wall-clock time, in nanoseconds since the Unix epoch (years 1677 to 2262).
package struct Timestamp: Comparable, Hashable, Sendable, CustomStringConvertible {
    /// 1970-01-01T00:00:00Z.
    package static let epoch = Timestamp(nanosecondsSinceEpoch: 0)
    /// The earliest point that can be held.
    package static let distantPast = Timestamp(nanosecondsSinceEpoch: .min)
    /// The latest point that can be held.
    package static let distantFuture = Timestamp(nanosecondsSinceEpoch: .max)

    static let nanosecondsPerSecond: Int64 = 1_000_000_000

    /// Nanoseconds since the Unix epoch, negative before it.
    package let nanosecondsSinceEpoch: Int64

    /// From nanoseconds since the Unix epoch.
    package init(nanosecondsSinceEpoch: Int64) {
        self.nanosecondsSinceEpoch = nanosecondsSinceEpoch
    }

    /// From seconds since the Unix epoch; what cannot be held becomes the nearest that can.
    package init(secondsSinceEpoch: Int64) {
        let (product, overflow) =
            secondsSinceEpoch.multipliedReportingOverflow(by: Self.nanosecondsPerSecond)
        nanosecondsSinceEpoch = overflow ? (secondsSinceEpoch < 0 ? .min : .max) : product
    }

    /// From milliseconds since the Unix epoch; what cannot be held becomes the nearest that can.
    package init(millisecondsSinceEpoch: Int64) {
        let (product, overflow) = millisecondsSinceEpoch.multipliedReportingOverflow(by: 1_000_000)
        nanosecondsSinceEpoch = overflow ? (millisecondsSinceEpoch < 0 ? .min : .max) : product
    }

    /// Whole seconds since the Unix epoch, rounded down.
    package var secondsSinceEpoch: Int64 {
        Self.floorDivide(nanosecondsSinceEpoch, Self.nanosecondsPerSecond).quotient
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    package var millisecondsSinceEpoch: Int64 {
        Self.floorDivide(nanosecondsSinceEpoch, 1_000_000).quotient
    }

    /// Whole microseconds since the Unix epoch, rounded down: what PostgreSQL can hold.
    package var microsecondsSinceEpoch: Int64 {
        Self.floorDivide(nanosecondsSinceEpoch, 1_000).quotient
    }

    /// The time from `earlier` until this point, exact.
    package func duration(since earlier: Timestamp) -> Duration {
        .nanoseconds(nanosecondsSinceEpoch) - .nanoseconds(earlier.nanosecondsSinceEpoch)
    }

    /// Orders by time.
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }

    /// Moves later; stops at `distantFuture` or `distantPast` instead of overflowing.
    package static func + (time: Timestamp, span: Duration) -> Timestamp {
        let nanoseconds = span.nanosecondsClamped
        guard nanoseconds != .max, nanoseconds != .min else {
            return nanoseconds < 0 ? .distantPast : .distantFuture
        }
        let (sum, overflow) = time.nanosecondsSinceEpoch.addingReportingOverflow(nanoseconds)
        return Timestamp(nanosecondsSinceEpoch: overflow ? (nanoseconds < 0 ? .min : .max) : sum)
    }

    /// Moves earlier; stops at `distantPast` or `distantFuture` instead of overflowing.
    package static func - (time: Timestamp, span: Duration) -> Timestamp {
        let nanoseconds = span.nanosecondsClamped
        guard nanoseconds != .max, nanoseconds != .min else {
            return nanoseconds < 0 ? .distantFuture : .distantPast
        }
        return time + .nanoseconds(-nanoseconds)
    }

    /// The time between two points, exact.
    package static func - (left: Timestamp, right: Timestamp) -> Duration {
        left.duration(since: right)
    }

    static func floorDivide(
        _ dividend: Int64,
        _ divisor: Int64
    ) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension Duration {
    /// Whole nanoseconds, towards zero; what 64 bits cannot hold becomes the nearest that they can.
    package var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) =
            seconds.multipliedReportingOverflow(by: Timestamp.nanosecondsPerSecond)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }
}
