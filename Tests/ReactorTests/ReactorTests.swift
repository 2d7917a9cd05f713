import Synchronization
import Testing

@testable import Reactor

/// Writes back what it reads; stops when its peer does.
final class EchoConnection: EventHandler {
    private var descriptor: Descriptor
    private var token = DescriptorToken.none

    init(_ descriptor: consuming Descriptor, on reactor: Reactor) throws(SystemError) {
        self.descriptor = descriptor
        token = try reactor.register(self.descriptor, handler: self)
    }

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        guard events.isReadable else { return }
        reactor.withScratch { scratch in
            // One read per call: what is left comes back through `revisit`.
            switch descriptor.receive(into: &scratch) {
            case .bytes(let count):
                _ = descriptor.send(scratch.span.extracting(first: count))
                reactor.revisit(token, as: .readable)
            case .wouldBlock: return
            case .endOfFile, .failed:
                reactor.deregister(token, closing: descriptor.take())
            }
        }
    }
}

final class Recorder: EventHandler {
    var calls: [ReadyEvents] = []

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        calls.append(events)
    }
}

/// Accepts everything and gives it to echo connections.
final class EchoListener: EventHandler {
    private let descriptor: Descriptor
    private(set) var acceptedCount = 0

    init(_ descriptor: consuming Descriptor, on reactor: Reactor) throws(SystemError) {
        self.descriptor = descriptor
        _ = try reactor.register(self.descriptor, handler: self)
    }

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        while true {
            switch Socket.accept(from: descriptor) {
            case .accepted(var accepted):
                acceptedCount += 1
                _ = try? EchoConnection(accepted.descriptor.take(), on: reactor)
            case .wouldBlock: return
            case .failed: return
            }
        }
    }
}

struct ReactorTests {
    @Test func registeredDescriptorReportsItsEdges() throws {
        let reactor = try Reactor()
        let pair = try Socket.pair()
        let recorder = Recorder()
        let token = try reactor.register(pair.first, tag: 7, handler: recorder)
        #expect(pair.second.send([UInt8]([1, 2, 3]).span) == .bytes(3))
        reactor.schedule(after: .milliseconds(20)) { $0.stop() }
        reactor.run()
        #expect(recorder.calls.contains { $0.isReadable && $0.isWritable && $0.tag == 7 })
        #expect(recorder.calls.allSatisfy { !$0.isPeerClosed })
        reactor.deregister(token)
        #expect(reactor.registrationCount == 0)
    }

    @Test func closingPeerIsReportedAsPeerClosed() throws {
        let reactor = try Reactor()
        var pair = try Socket.pair()
        let recorder = Recorder()
        let token = try reactor.register(pair.first, handler: recorder)
        pair.second.close()
        for _ in 0..<4_000 where !recorder.calls.contains(where: \.isPeerClosed) {
            reactor.schedule(after: .milliseconds(5)) { $0.stop() }
            reactor.run()
        }
        #expect(recorder.calls.contains { $0.isPeerClosed && $0.isReadable })
        reactor.deregister(token)
    }

    /// An event that the kernel reported for a slot must not reach the slot's next tenant.
    @Test func staleEventIsDroppedAfterCloseAndReuse() throws {
        final class Usurper: EventHandler {
            var other: DescriptorToken
            var victim: Descriptor
            let tenant: Recorder
            let fresh: Descriptor

            init(victim: consuming Descriptor, tenant: Recorder, fresh: consuming Descriptor) {
                other = .none
                self.victim = victim
                self.tenant = tenant
                self.fresh = fresh
            }

            func ready(_ events: ReadyEvents, on reactor: Reactor) {
                guard other != .none, events.isReadable else { return }
                reactor.deregister(other, closing: victim.take())
                other = .none
                _ = try? reactor.register(fresh, handler: tenant)
            }
        }
        let reactor = try Reactor()
        var first = try Socket.pair()
        var second = try Socket.pair()
        var third = try Socket.pair()
        let tenant = Recorder()
        let doomed = Recorder()
        let usurper = Usurper(
            victim: second.first.take(),
            tenant: tenant,
            fresh: third.first.take()
        )
        let own = try reactor.register(first.first, handler: usurper)
        usurper.other = try reactor.register(usurper.victim, handler: doomed)
        let stale = usurper.other
        // Both are in one batch; the first one's handler replaces the second.
        _ = first.second.send([UInt8]([1]).span)
        _ = second.second.send([UInt8]([1]).span)
        reactor.schedule(after: .milliseconds(20)) { $0.stop() }
        reactor.run()
        #expect(doomed.calls.isEmpty)
        // The tenant's own first edge says writable; the victim's byte is not its business.
        #expect(tenant.calls.allSatisfy { !$0.isReadable })
        #expect(!tenant.calls.isEmpty)
        let countBefore = reactor.registrationCount
        reactor.deregister(stale)
        #expect(reactor.registrationCount == countBefore)
        reactor.deregister(own)
        withExtendedLifetime(third) {}
        third.second.close()
        first.second.close()
        second.second.close()
    }

    @Test func revisitOfAStaleTokenDoesNothing() throws {
        let reactor = try Reactor()
        let pair = try Socket.pair()
        let recorder = Recorder()
        let token = try reactor.register(pair.first, handler: recorder)
        reactor.revisit(token, as: .readable)
        reactor.deregister(token)
        reactor.revisit(token, as: .readable)
        reactor.later { $0.stop() }
        reactor.run()
        #expect(recorder.calls.isEmpty)
    }

    @Test func theLongestTurnIsRemembered() async throws {
        let thread = try ReactorThread(name: "pause")
        defer { thread.stop() }
        let reactor = thread.reactor
        await reactor.perform { _ in }
        let before = reactor.longestTurn
        await reactor.perform { reactor in
            let end = reactor.now + .milliseconds(30)
            while Reactor.Instant.now < end {}
        }
        // The turn is over when the next one has begun.
        await reactor.perform { _ in }
        #expect(reactor.longestTurn >= .milliseconds(30))
        #expect(reactor.longestTurn >= before)
    }

    @Test func aLongLoopThatBreathesLetsOthersHaveTheirTurns() async throws {
        let thread = try ReactorThread(name: "breath")
        defer { thread.stop() }
        let reactor = thread.reactor
        let others = Atomic<Int>(0)
        let turns = await Task(executorPreference: reactor) {
            for _ in 0..<3 {
                reactor.post { _ in others.wrappingAdd(1, ordering: .relaxed) }
                let end = Reactor.Instant.now + .milliseconds(6)
                while Reactor.Instant.now < end {}
                await reactor.breathe()
            }
            return others.load(ordering: .relaxed)
        }.value
        #expect(turns == 3)
    }

    @Test func whatIsDoneAsideGivesItsResultOrItsError() async throws {
        let thread = try ReactorThread(name: "aside")
        defer { thread.stop() }
        let reactor = thread.reactor
        let outcome = await Task(executorPreference: reactor) { () async -> [Bool] in
            var results: [Bool] = []
            do throws(DeadlineExceeded) {
                results.append(
                    try await reactor.aside { () async throws(DeadlineExceeded) in
                        reactor.isCurrent
                    }
                )
                _ = try await reactor.aside { () async throws(DeadlineExceeded) -> Bool in
                    throw DeadlineExceeded()
                }
            } catch {
                results.append(error == DeadlineExceeded())
            }
            return results
        }.value
        #expect(outcome == [true, true])
    }

    @Test func postedWorkRunsInOrderFromManyThreads() throws {
        let thread = try ReactorThread(name: "posted")
        let lists = Confined([Int: [Int]](), to: thread.reactor)
        let posters = try (0..<4).map { number in
            try SystemThread.start(name: "poster", processor: nil) {
                for value in 0..<2_500 {
                    thread.reactor.post { _ in lists.value[number, default: []].append(value) }
                }
            }
        }
        for poster in posters { SystemThread.join(poster) }
        let box = Collected()
        thread.reactor.post { _ in box.value.withLock { $0 = lists.value } }
        thread.stop()
        let collected = box.value.withLock { $0 }
        #expect(collected.count == 4)
        #expect(collected.values.allSatisfy { $0 == Array(0..<2_500) })
    }

    private final class Collected: Sendable {
        let value = Mutex<[Int: [Int]]>([:])
    }

    @Test func lentBytesAreKeptByCopy() throws {
        let reactor = try Reactor()
        var kept: [UInt8] = [7]
        reactor.withScratch { scratch in
            for index in 0..<3 { scratch[index] = UInt8(index) }
            kept.append(copying: scratch.span.extracting(first: 3))
            kept.append(copying: scratch.span.extracting(first: 0))
            scratch[0] = 9
        }
        #expect(kept == [7, 0, 1, 2])
    }

    @Test func nestedScratchBuffersAreDistinct() throws {
        let reactor = try Reactor()
        let isDistinct = reactor.withScratch { outer in
            outer[0] = 1
            return reactor.withScratch { inner in
                inner[0] = 2
                return outer[0] == 1
                    && inner.count == Reactor.scratchByteCount
            }
        }
        #expect(isDistinct)
    }

    @Test func thousandConnectionsEchoAtOnce() async throws {
        let limit = try ProcessLimits.raiseDescriptorLimit()
        try #require(limit >= 4_096)
        let server = try ReactorThread(name: "echo")
        defer { server.stop() }
        let descriptor = try Socket.listen(on: .loopback(), backlog: 4_096)
        let address = try descriptor.localAddress()
        let number = descriptor.relinquish()
        await server.reactor.perform { reactor in
            _ = try? EchoListener(Descriptor(owning: number), on: reactor)
        }
        let client = try ReactorThread(name: "client")
        defer { client.stop() }
        let reactor = client.reactor
        let echoed = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<1_000 {
                group.addTask(executorPreference: reactor) {
                    try await roundTrip(index, to: address, on: reactor)
                }
            }
            return try await group.reduce(0) { $1 ? $0 + 1 : $0 }
        }
        #expect(echoed == 1_000)
    }
}

/// Connects, sends a message of its own and reads it back.
///
/// On the reactor.
private func roundTrip(
    _ index: Int,
    to address: SocketAddress,
    on reactor: Reactor
) async throws -> Bool {
    var connecting = try Socket.connect(to: address)
    let socket = connecting.descriptor.take()
    let source = try ReadinessSource.make(for: socket, on: reactor)
    defer { source.close() }
    let deadline = ContinuousClock.now.advanced(by: .seconds(20))
    try await source.writable(deadline: deadline)
    if let error = socket.takeError() { throw error }
    let message = (0..<300).map { UInt8(truncatingIfNeeded: $0 &+ index) }
    guard socket.send(message.span) == .bytes(message.count) else { return false }
    var received: [UInt8] = []
    while received.count < message.count {
        var chunk = [UInt8](repeating: 0, count: 512)
        var bytes = chunk.mutableSpan
        switch socket.receive(into: &bytes) {
        case .bytes(let count): received += chunk[..<count]
        case .wouldBlock: try await source.readable(deadline: deadline)
        case .endOfFile: return false
        case .failed(let error): throw error
        }
    }
    return received == message
}
