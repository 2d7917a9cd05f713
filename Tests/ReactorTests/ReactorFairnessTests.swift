import Testing

@testable import Reactor

/// Keeps a pair of sockets open.
final class HeldPair {
    let pair: SocketPair

    init(_ pair: consuming SocketPair) { self.pair = pair }
}

/// Is busy for a while at every call and stops the reactor with the last.
final class Burst: EventHandler {
    private let total: Int
    private(set) var count = 0
    private(set) var countInFirstTurn = 0

    init(of total: Int) { self.total = total }

    func ready(_ events: ReadyEvents, on reactor: Reactor) { work(on: reactor) }

    func work(on reactor: Reactor) {
        count += 1
        if count == 1 { reactor.later { _ in self.countInFirstTurn = self.count } }
        let end = Reactor.Instant.now + .milliseconds(1)
        while Reactor.Instant.now < end {}
        if count == total { reactor.stop() }
    }
}

/// Who has much to do must leave the others their turns.
@Suite struct ReactorFairnessTests {
    @Test func aTurnEndsBeforeAllEventsOfABurstAreDelivered() throws {
        let reactor = try Reactor()
        let burst = Burst(of: 24)
        var held: [HeldPair] = []
        for _ in 0..<24 {
            let pair = HeldPair(try Socket.pair())
            _ = try reactor.register(pair.pair.first, handler: burst)
            held.append(pair)
        }
        reactor.run()
        #expect(burst.countInFirstTurn >= 1)
        #expect(burst.countInFirstTurn < 24)
        #expect(burst.count == 24)
        withExtendedLifetime(held) {}
    }

    @Test func aTurnEndsBeforeAllJobsOfABurstHaveRun() throws {
        let reactor = try Reactor()
        let burst = Confined(Burst(of: 24), to: reactor)
        for _ in 0..<24 {
            Task(executorPreference: reactor) { burst.value.work(on: reactor) }
        }
        reactor.run()
        #expect(burst.value.countInFirstTurn >= 1)
        #expect(burst.value.countInFirstTurn < 24)
        #expect(burst.value.count == 24)
    }

    @Test func whoGivesWayGoesOnAfterTheOthersAndWhoHasBegunFirst() throws {
        let reactor = try Reactor()
        let order = Confined([String](), to: reactor)
        let count = 12
        @Sendable func note(_ what: String) {
            order.value.append(what)
            if order.value.count == count + 1 { reactor.stop() }
        }
        Task(executorPreference: reactor) {
            // Somebody is busy, so that those who come now must wait.
            let end = Reactor.Instant.now + .milliseconds(2)
            while Reactor.Instant.now < end {}
            for number in 0..<count {
                let hasBegun = number % 2 == 1
                Task.immediate(executorPreference: reactor) {
                    await reactor.giveWay(hasBegun: hasBegun)
                    note(hasBegun ? "begun" : "fresh")
                }
            }
            Task(executorPreference: reactor) { note("other") }
        }
        reactor.run()
        let half = count / 2
        #expect(
            order.value == ["other"] + Array(repeating: "begun", count: half)
                + Array(repeating: "fresh", count: half)
        )
    }

    @Test func aQueueThatIsNeverEmptyKeepsNobodyWhoHadTheirTurn() {
        var queue = PatientQueue<Int>()
        for number in 0..<10 { queue.append(number) }
        for number in 10..<10_000 {
            queue.append(number)
            #expect(queue.next() == number - 10)
        }
        #expect(queue.count == 10)
        #expect(queue.keptCount < 600)
    }

    @Test func nobodyGivesWayWhileThereIsNothingToDo() async throws {
        let thread = try ReactorThread(name: "unhurried")
        defer { thread.stop() }
        let reactor = thread.reactor
        let isLeft = await Task(executorPreference: reactor) {
            for _ in 0..<100 { await reactor.giveWay(hasBegun: false) }
            return reactor.hasPatients
        }.value
        #expect(!isLeft)
    }

    @Test func noFurtherConnectionIsTakenWhileManyWaitForTheirTurn() throws {
        let reactor = try Reactor()
        let through = Confined(0, to: reactor)
        let throughBefore = Confined([Int](), to: reactor)
        let listener = try Listener(Socket.listen(on: .loopback()), on: reactor) { _, _, reactor in
            throughBefore.value.append(through.value)
            reactor.stop()
        }
        let address = listener.localAddress
        let tooMany = 40
        Task(executorPreference: reactor) {
            let end = Reactor.Instant.now + .milliseconds(2)
            while Reactor.Instant.now < end {}
            for _ in 0..<Reactor.patientsMax + tooMany {
                Task.immediate(executorPreference: reactor) {
                    await reactor.giveWay(hasBegun: false)
                    through.value += 1
                }
            }
            #expect(reactor.acceptsPerTurnMax == 0)
            _ = try Socket.connect(to: address)
        }
        reactor.run()
        #expect(throughBefore.value.count == 1)
        #expect(throughBefore.value.allSatisfy { $0 > tooMany })
        listener.close()
    }

    @Test func whileThereIsMoreToDoThanATurnHoldsFewConnectionsAreTaken() throws {
        let reactor = try Reactor()
        #expect(reactor.acceptsPerTurnMax == Listener.acceptsPerTurnMax)
        Task(executorPreference: reactor) {
            Task(executorPreference: reactor) { reactor.stop() }
            #expect(reactor.acceptsPerTurnMax == Reactor.patientsPerTurn)
        }
        reactor.run()
        #expect(reactor.acceptsPerTurnMax == Listener.acceptsPerTurnMax)
    }
}
