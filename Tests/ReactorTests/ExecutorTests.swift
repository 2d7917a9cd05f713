import Synchronization
import Testing

@testable import Reactor

private actor Counter: ReactorBound {
    nonisolated let reactor: Reactor
    private var count = 0

    init(on reactor: Reactor) {
        self.reactor = reactor
    }

    func increment() -> Bool {
        count += 1
        return reactor.isCurrent
    }

    func total() -> Int { count }
}

struct ExecutorTests {
    @Test func tenThousandTasksRunOnTheReactorThread() async throws {
        let thread = try ReactorThread(name: "tasks")
        defer { thread.stop() }
        let reactor = thread.reactor
        let counter = Counter(on: reactor)
        let onThread = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<10_000 {
                group.addTask(executorPreference: reactor) {
                    let isBefore = reactor.isCurrent
                    await Task.yield()
                    let isInActor = await counter.increment()
                    return isBefore && isInActor && reactor.isCurrent
                }
            }
            return await group.reduce(0) { $1 ? $0 + 1 : $0 }
        }
        #expect(onThread == 10_000)
        #expect(await counter.total() == 10_000)
    }

    @Test func actorMayAssumeIsolationOnItsReactor() async throws {
        let thread = try ReactorThread(name: "assumed")
        defer { thread.stop() }
        let counter = Counter(on: thread.reactor)
        let isOnThread = await thread.reactor.perform { _ in
            counter.assumeIsolated { $0.increment() }
        }
        #expect(isOnThread)
        #expect(await counter.total() == 1)
    }

    @Test func runUntilFinishedReturnsTheOperationsValue() async throws {
        let reactor = try Reactor(owner: 0)
        let handle = try SystemThread.start(name: "main", processor: nil) {
            let value = reactor.runUntilFinished {
                try? await reactor.sleep(for: .milliseconds(5))
                return reactor.isCurrent ? 42 : 0
            }
            Shared.value.withLock { $0 = value }
        }
        SystemThread.join(handle)
        #expect(Shared.value.withLock { $0 } == 42)
    }

    private enum Shared {
        static let value = Mutex(0)
    }

    @Test func sleepEndsEarlyWhenCancelled() async throws {
        let thread = try ReactorThread(name: "sleep")
        defer { thread.stop() }
        let reactor = thread.reactor
        let task = Task(executorPreference: reactor) {
            do {
                try await reactor.sleep(for: .seconds(3_600))
                return false
            } catch {
                return true
            }
        }
        try await reactor.sleep(for: .milliseconds(5))
        task.cancel()
        #expect(await task.value)
        #expect(await reactor.perform { $0.timerCount } == 0)
    }

    @Test func deadlineCancelsTheOperation() async throws {
        let thread = try ReactorThread(name: "deadline")
        defer { thread.stop() }
        let reactor = thread.reactor
        await #expect(throws: DeadlineExceeded.self) {
            try await reactor.withDeadline(after: .milliseconds(5)) {
                try await reactor.sleep(for: .seconds(3_600))
            }
        }
        let value = try await reactor.withDeadline(after: .seconds(60)) { 5 }
        #expect(value == 5)
        #expect(await reactor.perform { $0.timerCount } == 0)
    }

    @Test func groupHandsOutItsReactorsInTurn() throws {
        let group = try ReactorGroup(count: 3, name: "group")
        defer { group.stop() }
        let firstRound = (0..<3).map { _ in ObjectIdentifier(group.next()) }
        let secondRound = (0..<3).map { _ in ObjectIdentifier(group.next()) }
        #expect(Set(firstRound).count == 3)
        #expect(firstRound == secondRound)
    }
}

struct ReadinessSourceTests {
    @Test func deadlineCancellationAndCloseEndTheWait() async throws {
        let thread = try ReactorThread(name: "ready")
        defer { thread.stop() }
        let reactor = thread.reactor
        let pair = try Socket.pair()
        let number = pair.first.number
        let source = try #require(
            await reactor.perform { try? ReadinessSource.make(number: number, on: $0) }
        )
        await #expect(throws: ReadinessError.deadlineExceeded) {
            try await source.readable(deadline: .now.advanced(by: .milliseconds(5)))
        }
        let waiting = Task { try await source.readable() }
        try await reactor.sleep(for: .milliseconds(5))
        waiting.cancel()
        await #expect(throws: ReadinessError.cancelled) { try await waiting.value }
        // Neither ended wait may have eaten the edge of this byte.
        #expect(pair.second.send([UInt8]([1]).span) == .bytes(1))
        try await source.readable(deadline: .now.advanced(by: .seconds(20)))
        let closed = Task { try await source.readable() }
        try await reactor.sleep(for: .milliseconds(5))
        source.close()
        await #expect(throws: ReadinessError.closed) { try await closed.value }
        await #expect(throws: ReadinessError.closed) { try await source.writable() }
        withExtendedLifetime(pair) {}
    }
}
