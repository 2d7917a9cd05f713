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

    /// Lets everybody else go first; before a costly step that may come a thousand times at once,
    /// such as one of a handshake.
    ///
    /// On the reactor's thread. Whoever has begun goes on before whoever has not, so that of many
    /// some are through early. While nothing is to be done it returns at once.
    package func giveWay(hasBegun: Bool) async {
        preconditionOnReactor()
        guard hasPatients || now.duration(to: .now) >= Self.unhurried else { return }
        await withCheckedContinuation { continuation in
            if hasBegun {
                patients.begun.append(continuation)
            } else {
                patients.fresh.append(continuation)
            }
        }
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

    /// Does what a long-lived task does but once in a task of its own, which is not cancelled with it.
    ///
    /// A task keeps the room of the deepest calls that it ever made for as long as it lives; where
    /// there is one for every connection, that is most of what a quiet one costs.
    package func aside<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await Task(executorPreference: self) { () async -> Result<Value, Failure> in
            do throws(Failure) {
                return .success(try await work())
            } catch {
                return .failure(error)
            }
        }.value.get()
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

/// Those who wait for their turn, in their order.
struct PatientQueue<Patient> {
    private var waiting: [Patient] = []
    private var done = 0

    var isEmpty: Bool { done == waiting.count }

    var count: Int { waiting.count - done }

    /// With those whose turn has been.
    var keptCount: Int { waiting.count }

    /// Places that are kept of those who had their turn, at most so many more than wait.
    private var passedMax: Int { 256 }

    mutating func append(_ patient: Patient) {
        waiting.append(patient)
    }

    mutating func next() -> Patient? {
        guard done < waiting.count else { return nil }
        defer {
            done += 1
            if done == waiting.count {
                waiting = []
                done = 0
            } else if done > passedMax, done * 2 > waiting.count {
                // A queue that is never empty would keep everybody for ever.
                waiting.removeFirst(done)
                done = 0
            }
        }
        return waiting[done]
    }
}

extension Reactor {
    /// A turn that is younger has room for a costly step.
    private static let unhurried = Duration.milliseconds(1)

    var hasPatients: Bool { !patients.begun.isEmpty || !patients.fresh.isEmpty }

    /// How many connections a listener may take in this turn: whatever comes is taken while there is
    /// time, what a turn can work off once there is not, and none while a queue waits already.
    ///
    /// Connections that wait in the kernel cost nothing; those taken too early time out here, come
    /// again, and keep everybody from being served.
    var acceptsPerTurnMax: Int {
        if patients.begun.count + patients.fresh.count >= Self.patientsMax { return 0 }
        return hasJobs ? Self.patientsPerTurn : Listener.acceptsPerTurnMax
    }

    /// Lets some of those who gave way go on.
    func admitPatients() {
        for _ in 0..<Self.patientsPerTurn {
            guard let next = patients.begun.next() ?? patients.fresh.next() else { return }
            next.resume()
        }
    }
}
