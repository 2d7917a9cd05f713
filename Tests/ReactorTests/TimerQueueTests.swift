import Testing

@testable import Reactor

struct TimerQueueTests {
    private final class Silent: TimerHandler {
        func timerFired(_ timer: TimerToken, on reactor: Reactor) {}
    }

    private let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        start.advanced(by: .milliseconds(milliseconds))
    }

    private func pop(from queue: inout TimerQueue, at milliseconds: Int) -> TimerToken? {
        queue.popExpired(now: at(milliseconds))?.token
    }

    @Test func firesInOrderOfDeadlines() {
        var queue = TimerQueue()
        var number: UInt64 = 1
        var expected: [Int] = []
        var deadlines: [TimerToken: Int] = [:]
        for _ in 0..<2_000 {
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let deadline = Int(number >> 40) % 10_000
            expected.append(deadline)
            deadlines[queue.insert(at: at(deadline), handler: Silent())] = deadline
        }
        var fired: [Int] = []
        while let (token, _) = queue.popExpired(now: at(10_000)) {
            fired.append(deadlines[token] ?? -1)
        }
        #expect(fired == expected.sorted())
        #expect(queue.count == 0)
    }

    @Test func cancelledTimerDoesNotFireAndItsTokenIsStale() {
        var queue = TimerQueue()
        let kept = queue.insert(at: at(2), handler: Silent())
        let cancelled = queue.insert(at: at(1), handler: Silent())
        let isDone1 = queue.cancel(cancelled)
        #expect(isDone1)
        let isDone2 = queue.cancel(cancelled)
        #expect(!isDone2)
        let reused = queue.insert(at: at(3), handler: Silent())
        let isDone3 = queue.cancel(cancelled)
        #expect(!isDone3)
        let isDone4 = queue.move(cancelled, to: at(9))
        #expect(!isDone4)
        #expect(pop(from: &queue, at: 5) == kept)
        #expect(pop(from: &queue, at: 5) == reused)
        #expect(pop(from: &queue, at: 5) == nil)
    }

    @Test func movedTimerFiresAtItsNewDeadlineOnly() {
        var queue = TimerQueue()
        let token = queue.insert(at: at(10), handler: Silent())
        let isDone5 = queue.move(token, to: at(100))
        #expect(isDone5)
        #expect(pop(from: &queue, at: 50) == nil)
        #expect(queue.nextCheck == at(100))
        let isDone6 = queue.move(token, to: at(60))
        #expect(isDone6)
        #expect(queue.nextCheck == at(60))
        #expect(pop(from: &queue, at: 60) == token)
    }

    @Test func randomMovesAndCancelsKeepTheHeapOrdered() {
        var queue = TimerQueue()
        var number: UInt64 = 7
        func next(_ bound: Int) -> Int {
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(number >> 33) % bound
        }
        var live: [TimerToken: Int] = [:]
        for _ in 0..<5_000 {
            let deadline = next(1_000)
            switch next(3) {
            case 0: live[queue.insert(at: at(deadline), handler: Silent())] = deadline
            case 1:
                guard let token = live.keys.first else { continue }
                let isDone7 = queue.move(token, to: at(deadline))
                #expect(isDone7)
                live[token] = deadline
            default:
                guard let token = live.keys.first else { continue }
                let isDone8 = queue.cancel(token)
                #expect(isDone8)
                live[token] = nil
            }
        }
        var fired: [Int] = []
        while let (token, _) = queue.popExpired(now: at(1_000)) { fired.append(live[token] ?? -1) }
        #expect(fired == live.values.sorted())
    }
}
