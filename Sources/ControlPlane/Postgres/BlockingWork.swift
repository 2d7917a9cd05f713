import Foundation

/// Runs what can only block (connecting, cancelling) on a thread that ends with it.
///
/// The number of such threads is bounded by their callers: one per connection being made or
/// cancelled.
enum BlockingWork {
    static func start(_ work: @escaping @Sendable () -> Void) {
        Thread.detachNewThread(work)
    }

    static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: work()) }
        }
    }
}
