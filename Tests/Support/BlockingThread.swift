import Foundation

/// Runs blocking work on a thread of its own, so that it holds up no task of the test run.
package func onThread<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value
) async -> Value {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: work()) }
    }
}

/// Runs blocking work in the background until it returns.
package func inBackground(_ work: @escaping @Sendable () -> Void) {
    Thread.detachNewThread(work)
}
