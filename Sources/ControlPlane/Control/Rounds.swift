import Reactor

/// Requests that share transactions: what is asked for while a round is under way goes into the
/// next one, together with whatever else waits by then.
///
/// Nobody waits for company: a request that comes alone is a round of its own at once. There is one
/// round at a time for each key, so what one round locks no other of this process waits for.
actor Rounds<Key: Hashable & Sendable, Request: Sendable, Answer: Sendable> {
    typealias Outcome = Result<Answer, ControlError>
    /// Answers all requests of a round, in their order.
    typealias Work = @Sendable ([Request]) async -> [Outcome]

    /// Requests that wait for all keys together; further ones are refused.
    static var waitingMax: Int { 1_024 }

    private struct Waiter {
        let id: UInt64
        let request: Request
    }

    private let reactor: Reactor
    private let requestsMax: Int
    private var waiting: [Key: [Waiter]] = [:]
    private var waitingCount = 0
    private var running: Set<Key> = []
    /// Who waits, until they are answered or give up.
    private var continuations: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    private var latest: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe reactor.asUnownedSerialExecutor()
    }

    /// `requestsMax` is how many requests one round takes at most.
    init(on reactor: Reactor, requestsMax: Int) {
        self.reactor = reactor
        self.requestsMax = max(1, requestsMax)
    }

    /// Has a request answered in a round of its key; the work is that of whoever came first.
    func answer(
        _ request: Request,
        in key: Key,
        by work: @escaping Work
    ) async throws(ControlError) -> Answer {
        guard waitingCount < Self.waitingMax else { throw Self.overloaded }
        latest += 1
        let id = latest
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else {
                    return continuation.resume(returning: Outcome.failure(Self.cancelled))
                }
                continuations[id] = continuation
                waiting[key, default: []].append(Waiter(id: id, request: request))
                waitingCount += 1
                start(key, work)
            }
        } onCancel: {
            Task(executorPreference: reactor) { await self.cancel(id, key) }
        }
        return try outcome.get()
    }

    /// Whoever waits no longer is told at once; what is under way already is done for nobody.
    private func cancel(_ id: UInt64, _ key: Key) {
        if let index = waiting[key]?.firstIndex(where: { $0.id == id }) {
            waiting[key]?.remove(at: index)
            waitingCount -= 1
        }
        settle(id, .failure(Self.cancelled))
    }

    private func settle(_ id: UInt64, _ outcome: Outcome) {
        continuations.removeValue(forKey: id)?.resume(returning: outcome)
    }

    private func start(_ key: Key, _ work: @escaping Work) {
        guard running.insert(key).inserted else { return }
        Task(executorPreference: reactor) { await self.run(key, work) }
    }

    private func run(_ key: Key, _ work: Work) async {
        while let round = take(key) {
            let outcomes = await work(round.map(\.request))
            for (index, waiter) in round.enumerated() {
                settle(
                    waiter.id,
                    outcomes.indices.contains(index)
                        ? outcomes[index] : .failure(Self.unanswered)
                )
            }
        }
        running.remove(key)
    }

    /// Those who waited longest; nil where nobody waits.
    private func take(_ key: Key) -> [Waiter]? {
        guard var queue = waiting.removeValue(forKey: key), !queue.isEmpty else { return nil }
        let round = Array(queue.prefix(requestsMax))
        queue.removeFirst(round.count)
        if !queue.isEmpty { waiting[key] = queue }
        waitingCount -= round.count
        return round
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
