import Synchronization

/// A distribution over fixed buckets; safe to use from any thread.
package final class Histogram: Sendable {
    /// Inclusive upper bounds, ascending, without the last bucket of everything larger.
    package let bounds: [Double]
    private let buckets: [Counter]
    private let sumBits = Atomic<UInt64>(0)

    /// Empty, with one bucket per bound and one for everything larger.
    package init(bounds: [Double]) {
        precondition(
            zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 },
            "bucket bounds must ascend"
        )
        self.bounds = bounds
        self.buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// How many observations each bucket holds by itself, the larger rest last.
    package var counts: [UInt64] { buckets.map(\.value) }

    /// The sum of all observations.
    package var sum: Double { Double(bitPattern: sumBits.load(ordering: .relaxed)) }

    /// Counts one observation; NaN is ignored.
    package func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        buckets[bucket].increment()
        var expected = sumBits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: expected) + value).bitPattern
            let (exchanged, original) = sumBits.weakCompareExchange(
                expected: expected,
                desired: next,
                ordering: .relaxed
            )
            if exchanged { return }
            expected = original
        }
    }

    /// Counts one duration, in seconds.
    package func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) / 1e18)
    }
}
