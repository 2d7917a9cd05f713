import Reactor
import Synchronization

/// Requests that share transactions: what is asked for while a round is under way goes into the
/// next one, together with whatever else waits by then.
///
/// Nobody waits for company: a request that comes alone is a round of its own at once. There is one
/// round at a time for each key, so what one round locks no other of this process waits for.
final class Rounds<Key: Hashable & Sendable, Request: Sendable, Answer: Sendable>: Sendable {
    typealias Outcome = Result<Answer, ControlError>
    /// Answers all requests of a round, in their order.
    typealias Work = @Sendable ([Request]) async -> [Outcome]

    /// Requests that wait for all keys together; further ones are refused.
    static var waitingMax: Int { 1_024 }

    private struct Waiter: Sendable {
        let id: UInt64
        let request: Request
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State: Sendable {
        var waiting: [Key: [Waiter]] = [:]
        var waitingCount = 0
        var running: Set<Key> = []
        var latest: UInt64 = 0
    }

    private let reactor: Reactor
    private let requestsMax: Int
    private let state = Mutex(State())

    /// `requestsMax` is how many requests one round takes at most.
    init(on reactor: Reactor, requestsMax: Int) {
        self.reactor = reactor
        self.requestsMax = max(1, requestsMax)
    }

    /// Has a request answered in a round of its key; the work is that of whoever came first.
    ///
    /// Whoever is cancelled while waiting is told at once; what is under way is waited for, since it
    /// may be committed.
    func answer(
        _ request: Request,
        in key: Key,
        by work: @escaping Work
    ) async throws(ControlError) -> Answer {
        let id = state.withLock { state in
            state.latest += 1
            return state.latest
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enter(Waiter(id: id, request: request, continuation: continuation), key, work)
            }
        } onCancel: {
            cancel(id, key)
        }
        return try outcome.get()
    }

    private func enter(_ waiter: Waiter, _ key: Key, _ work: @escaping Work) {
        // A cancellation that came before this has found nobody.
        guard !Task.isCancelled else {
            return waiter.continuation.resume(returning: .failure(Self.cancelled))
        }
        let (isTaken, isFirst) = state.withLock { state in
            guard state.waitingCount < Self.waitingMax else { return (false, false) }
            state.waiting[key, default: []].append(waiter)
            state.waitingCount += 1
            return (true, state.running.insert(key).inserted)
        }
        guard isTaken else {
            return waiter.continuation.resume(returning: .failure(Self.overloaded))
        }
        guard isFirst else { return }
        Task(executorPreference: reactor) { await self.run(key, work) }
    }

    private func cancel(_ id: UInt64, _ key: Key) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiting[key]?.firstIndex(where: { $0.id == id }) else {
                return nil
            }
            state.waitingCount -= 1
            return state.waiting[key]?.remove(at: index)
        }
        waiter?.continuation.resume(returning: .failure(Self.cancelled))
    }

    private func run(_ key: Key, _ work: Work) async {
        while let round = take(key) {
            let outcomes = await work(round.map(\.request))
            for (index, waiter) in round.enumerated() {
                waiter.continuation.resume(
                    returning: outcomes.indices.contains(index)
                        ? outcomes[index] : .failure(Self.unanswered)
                )
            }
        }
    }

    /// Those who waited longest; nil where nobody waits, and then the next one begins anew.
    private func take(_ key: Key) -> [Waiter]? {
        state.withLock { state in
            guard var queue = state.waiting.removeValue(forKey: key), !queue.isEmpty else {
                state.running.remove(key)
                return nil
            }
            let round = Array(queue.prefix(requestsMax))
            queue.removeFirst(round.count)
            if !queue.isEmpty { state.waiting[key] = queue }
            state.waitingCount -= round.count
            return round
        }
    }

    private static var overloaded: ControlError {
        .tooMany(
            Complaint("server.busy", "too much of this kind is being done: try again shortly"),
            retryAfter: .seconds(1)
        )
    }

    private static var cancelled: ControlError {
        .unavailable(Complaint("request.cancelled", "the request was given up"))
    }

    private static var unanswered: ControlError {
        .faulted(Complaint("internal", "the server failed to answer one of several requests"))
    }
}

extension Rounds {
    /// Does a round together, and request by request where that fails for what one of them brought.
    ///
    /// A database that is away is away for all of them, and what may have been committed is not done
    /// again.
    static func work(
        _ requests: [Request],
        together: ([Request]) async throws(ControlError) -> [Outcome]
    ) async -> [Outcome] {
        do throws(ControlError) {
            return try await together(requests)
        } catch {
            if case .unavailable = error { return requests.map { _ in .failure(error) } }
            guard requests.count > 1 else { return [.failure(error)] }
        }
        var outcomes: [Outcome] = []
        for request in requests {
            do throws(ControlError) {
                outcomes += try await together([request])
            } catch {
                outcomes.append(.failure(error))
            }
        }
        return outcomes
    }
}
