import Synchronization

/// A number that only grows; safe to use from any thread.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    /// Starts at zero.
    package init() {}

    /// The present number.
    package var value: UInt64 { count.load(ordering: .relaxed) }

    /// Grows by `amount`; negative amounts are ignored, and the number wraps after 2^64.
    package func increment(by amount: Int = 1) {
        count.wrappingAdd(UInt64(clamping: amount), ordering: .relaxed)
    }
}
