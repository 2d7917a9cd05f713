import Synchronization

/// How many tokens of one source are looked up at the same time, so that a flood of wrong ones
/// from one place leaves the database's connections to everybody else.
final class LookupGate: Sendable {
    static let lookupsPerSourceMax = 64

    private let underWay = Mutex<[String: Int]>([:])

    /// Takes a place for a source, to be left later; false when all are taken.
    func enter(_ source: String) -> Bool {
        underWay.withLock { counts in
            guard counts[source, default: 0] < Self.lookupsPerSourceMax else { return false }
            counts[source, default: 0] += 1
            return true
        }
    }

    /// Leaves a place that was taken.
    func leave(_ source: String) {
        underWay.withLock { counts in
            let left = counts[source, default: 1] - 1
            counts[source] = left > 0 ? left : nil
        }
    }
}
