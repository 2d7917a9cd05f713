/// The time given to an operation was used up.
package struct DeadlineExceeded: Error, Hashable, Sendable, CustomStringConvertible {
    package init() {}

    package var description: String { "deadline exceeded" }
}

extension Reactor {
    /// Runs synchronous work on the reactor's thread and returns its result.
    ///
    /// From any task.
    package func perform<Value: Sendable>(
        _ work: @escaping @Sendable (Reactor) -> Value
    ) async -> Value {
        if isCurrent { return work(self) }
        return await withCheckedContinuation { continuation in
            post { reactor in continuation.resume(returning: work(reactor)) }
        }
    }

    /// Suspends the task for a duration.
    ///
    /// From any task; ends early with an error when cancelled.
    package func sleep(for duration: Duration) async throws(CancellationError) {
        try await sleep(until: Instant.now.advanced(by: duration))
    }

    /// Lets everybody else have a turn if this one has lasted for `slice`; for long loops.
    ///
    /// From any task; there is nobody to make room for off the reactor's thread.
    package func breathe(slice: Duration = .milliseconds(4)) async {
        guard isCurrent, now.duration(to: .now) >= slice else { return }
        try? await sleep(for: .zero)
    }

    /// Suspends the task until an instant.
    ///
    /// From any task; ends early with an error when cancelled.
    package func sleep(until deadline: Instant) async throws(CancellationError) {
        let suspension = Suspension<Bool>(on: self, outcomeAtDeadline: false)
        let isCancelled = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                execute { _ in suspension.begin(continuation, deadline: deadline) }
            }
        } onCancel: {
            post { _ in suspension.finish(true) }
        }
        if isCancelled { throw CancellationError() }
    }

    /// Runs an operation and cancels it when its time is up; it must react to cancellation to end.
    ///
    /// - Throws: `DeadlineExceeded`, `CancellationError`, or what the operation throws.
    package func withDeadline<Value: Sendable>(
        after duration: Duration,
        _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                try await self.sleep(for: duration)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else {
                throw DeadlineExceeded()
            }
            return value
        }
    }
}
