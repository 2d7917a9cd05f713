import Synchronization

/// A number that goes up and down; safe to use from any thread.
package final class Gauge: Sendable {
    private let number = Atomic<Int64>(0)

    /// Starts at zero.
    package init() {}

    /// The present number.
    package var value: Int64 { number.load(ordering: .relaxed) }

    /// Replaces the number.
    package func set(_ value: Int64) {
        number.store(value, ordering: .relaxed)
    }

    /// Adds to the number.
    package func add(_ amount: Int64) {
        number.wrappingAdd(amount, ordering: .relaxed)
    }
}
