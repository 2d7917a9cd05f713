import CLinux
import Synchronization

/// A few threads for work that would hold a reactor up: large JSON, bursts of signatures.
package final class WorkerPool: Sendable {
    /// Why work was not taken.
    package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        case queueFull
        case stopped

        package var description: String {
            switch self {
            case .queueFull: "the worker pool's queue is full"
            case .stopped: "the worker pool is stopped"
            }
        }
    }

    /// Work that may wait, if not said otherwise.
    package static let queuedMaxDefault = 256

    private let queue: WorkQueue
    private let threads: Mutex<[UInt64]>

    /// Starts the threads, one per CPU of the affinity mask if not told otherwise.
    package init(
        name: String,
        threadCount: Int? = nil,
        queuedMax: Int = queuedMaxDefault
    ) throws(SystemError) {
        let queue = try WorkQueue(limit: queuedMax)
        let count = max(1, threadCount ?? SystemThread.processors().count)
        var threads: [UInt64] = []
        do throws(SystemError) {
            for index in 0..<count {
                threads.append(
                    try SystemThread.start(name: "\(name)-\(index)", processor: nil) {
                        while let work = queue.take() { work() }
                    }
                )
            }
        } catch {
            queue.stop(threadCount: threads.count)
            for thread in threads { SystemThread.detach(thread) }
            throw error
        }
        self.queue = queue
        self.threads = Mutex(threads)
    }

    /// Runs work on a thread of the pool and returns its result to the caller's executor.
    ///
    /// From any task. The work is not cancelled with the task.
    package func run<Value: Sendable>(
        _ work: @escaping @Sendable () -> Value
    ) async throws(Refusal) -> Value {
        let result: Result<Value, Refusal> = await withCheckedContinuation { continuation in
            let refusal = queue.add { continuation.resume(returning: .success(work())) }
            if let refusal { continuation.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }

    /// Refuses new work, finishes what is queued and waits for the threads to end.
    ///
    /// Not from one of them.
    package func stop() {
        for thread in end() { SystemThread.join(thread) }
    }

    private func end() -> [UInt64] {
        let ending = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        if !ending.isEmpty { queue.stop(threadCount: ending.count) }
        return ending
    }

    deinit {
        for thread in end() { SystemThread.detach(thread) }
    }
}

/// Work between those who have it and the threads that do it.
private final class WorkQueue: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var waiting: [Work] = []
        var isStopped = false
    }

    private let state = Mutex(State())
    /// Counts one for each piece of work, and one for each thread that shall end.
    private let semaphore: Descriptor
    private let limit: Int

    init(limit: Int) throws(SystemError) {
        self.limit = limit
        let number = try SystemError.check(clinux_eventfd_semaphore(), .eventfd)
        semaphore = Descriptor(owning: number)
    }

    func add(_ work: @escaping Work) -> WorkerPool.Refusal? {
        let refusal: WorkerPool.Refusal? = state.withLock { state in
            if state.isStopped { return .stopped }
            if state.waiting.count >= limit { return .queueFull }
            state.waiting.append(work)
            return nil
        }
        if refusal == nil { _ = clinux_eventfd_add(semaphore.number, 1) }
        return refusal
    }

    /// Waits for work; nil when the thread shall end.
    func take() -> Work? {
        let taken = clinux_eventfd_take(semaphore.number)
        precondition(taken == 0, "the worker pool's semaphore is gone")
        return state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
    }

    func stop(threadCount: Int) {
        state.withLock { $0.isStopped = true }
        _ = clinux_eventfd_add(semaphore.number, UInt64(threadCount))
    }
}
