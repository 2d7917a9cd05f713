import Synchronization

/// A sum that threads share.
final class Counted: Sendable {
    private let sum = Mutex(0)

    /// Adds and gives the new sum.
    func add(_ count: Int) -> Int {
        sum.withLock { sum in
            sum += count
            return sum
        }
    }
}
