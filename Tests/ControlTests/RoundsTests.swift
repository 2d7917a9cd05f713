import Reactor
import Support
import Synchronization
import Testing

@testable import Control

/// What one round of requests costs and answers.
@Suite struct RoundsTests {
    private typealias Doublings = Rounds<String, Int, Int>

    /// Records the rounds that were made, and holds each of them up until it is let go.
    private final class Rounding: Sendable {
        private let state = Mutex<(rounds: [[Int]], isOpen: Bool)>(([], false))

        var rounds: [[Int]] { state.withLock { $0.rounds } }

        func open() { state.withLock { $0.isOpen = true } }

        func double(_ requests: [Int]) async -> [Doublings.Outcome] {
            state.withLock { $0.rounds.append(requests) }
            while !state.withLock({ $0.isOpen }) { try? await Task.sleep(for: .milliseconds(1)) }
            return requests.map { $0 < 0 ? .failure(Self.refusal) : .success($0 * 2) }
        }

        static let refusal = ControlError.conflict(Complaint("negative", "below zero"))
    }

    private func rounds(_ requestsMax: Int) -> Doublings {
        Doublings(on: TestDatabase.reactor, requestsMax: requestsMax)
    }

    private func until(_ condition: () -> Bool) async throws {
        for _ in 0..<2_000 where !condition() { try await Task.sleep(for: .milliseconds(1)) }
        try #require(condition())
    }

    @Test func thoseWhoComeMeanwhileGoTogetherAndAreAnsweredEach() async throws {
        let rounding = Rounding()
        let rounds = rounds(3)
        let first = Task { try await rounds.answer(1, in: "a", by: rounding.double) }
        try await until { rounding.rounds.count == 1 }
        let others = [2, -3, 4, 5].map { number in
            Task { try await rounds.answer(number, in: "a", by: rounding.double) }
        }
        // Another key waits for nobody here.
        let apart = Task { try await rounds.answer(9, in: "b", by: rounding.double) }
        try await until { rounding.rounds.count == 2 }
        try await Task.sleep(for: .milliseconds(20))
        #expect(rounding.rounds == [[1], [9]])
        rounding.open()
        #expect(try await first.value == 2)
        #expect(try await apart.value == 18)
        var answers: [Int?] = []
        for other in others { answers.append(try? await other.value) }
        #expect(answers == [4, nil, 8, 10])
        let sizes = rounding.rounds.dropFirst(2).map(\.count)
        #expect(sizes == [3, 1], "\(rounding.rounds)")
    }

    @Test func whoGivesUpIsToldAtOnceAndTheRestGoesOn() async throws {
        let rounding = Rounding()
        let rounds = rounds(8)
        let first = Task { try await rounds.answer(1, in: "a", by: rounding.double) }
        try await until { rounding.rounds.count == 1 }
        let impatient = Task { try await rounds.answer(2, in: "a", by: rounding.double) }
        let patient = Task { try await rounds.answer(3, in: "a", by: rounding.double) }
        try await Task.sleep(for: .milliseconds(20))
        impatient.cancel()
        let end = await impatient.result
        #expect(throws: ControlError.self) { try end.get() }
        rounding.open()
        #expect(try await first.value == 2)
        #expect(try await patient.value == 6)
        #expect(rounding.rounds == [[1], [3]])
    }

    @Test func oneThatSpoilsARoundSpoilsOnlyItself() async throws {
        let fault = ControlError.faulted(Complaint("spoilt", "the round failed"))
        let tried = Mutex<[[Int]]>([])
        let outcomes = await Doublings.work([1, 2, 3]) { requests throws(ControlError) in
            tried.withLock { $0.append(requests) }
            if requests.contains(2) { throw fault }
            return requests.map { .success($0 * 2) }
        }
        #expect(tried.withLock { $0 } == [[1, 2, 3], [1], [2], [3]])
        #expect(outcomes.map { try? $0.get() } == [2, nil, 6])
    }

    @Test func aDatabaseThatIsAwayIsAskedOnce() async throws {
        let away = ControlError.unavailable(Complaint("storage.unavailable", "away"))
        let count = Mutex(0)
        let outcomes = await Doublings.work([1, 2, 3]) { _ throws(ControlError) in
            count.withLock { $0 += 1 }
            throw away
        }
        #expect(count.withLock { $0 } == 1)
        #expect(outcomes.count == 3)
        #expect(outcomes.allSatisfy { (try? $0.get()) == nil })
    }
}
