import CLinux
import Testing

@testable import Reactor

struct WorkerPoolTests {
    /// Holds a pool's thread until opened.
    private final class Gate: Sendable {
        private let descriptor: Descriptor

        init() throws(SystemError) {
            descriptor = Descriptor(
                owning: try SystemError.check(clinux_eventfd_semaphore(), .eventfd)
            )
        }

        func wait() { _ = clinux_eventfd_take(descriptor.number) }
        func open() { _ = clinux_eventfd_add(descriptor.number, 1) }
    }

    @Test func resultsComeBackToTheCallersReactor() async throws {
        let thread = try ReactorThread(name: "caller")
        defer { thread.stop() }
        let pool = try WorkerPool(name: "pool", threadCount: 2)
        defer { pool.stop() }
        let reactor = thread.reactor
        let total = await withTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask(executorPreference: reactor) {
                    let doubled = try? await pool.run { reactor.isCurrent ? -1 : number * 2 }
                    return reactor.isCurrent ? doubled ?? -1 : -1
                }
            }
            return await group.reduce(0, +)
        }
        #expect(total == 199 * 200)
    }

    @Test func fullQueueAndStoppedPoolRefuse() async throws {
        let pool = try WorkerPool(name: "pool", threadCount: 1, queuedMax: 2)
        let entered = try Gate()
        let released = try Gate()
        let busy = Task {
            try await pool.run {
                entered.open()
                released.wait()
            }
        }
        await withCheckedContinuation { continuation in
            let waiting = try? SystemThread.start(name: "wait", processor: nil) {
                entered.wait()
                continuation.resume()
            }
            if let waiting { SystemThread.detach(waiting) } else { continuation.resume() }
        }
        // The thread is held, two may wait, so exactly one of three is refused.
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    do throws(WorkerPool.Refusal) {
                        _ = try await pool.run { 1 }
                        return false
                    } catch {
                        // Only now may the others be done, or nobody would have been refused.
                        released.open()
                        return error == .queueFull
                    }
                }
            }
            return await group.reduce(0) { $1 ? $0 + 1 : $0 }
        }
        #expect(refused == 1)
        try await busy.value
        pool.stop()
        await #expect(throws: WorkerPool.Refusal.stopped) { try await pool.run { 1 } }
    }
}
