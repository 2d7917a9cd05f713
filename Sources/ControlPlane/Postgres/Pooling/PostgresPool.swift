package import Reactor

/// A bounded set of connections on one reactor, lent one task at a time.
///
/// Calls may come from anywhere. Rules: `PoolMachine`.
package actor PostgresPool {
    package nonisolated let reactor: Reactor
    package nonisolated let settings: PostgresSettings

    private var machine: PoolMachine
    private var connections: [PoolMachine.ConnectionID: PostgresConnection] = [:]
    private var waiting: [PoolMachine.RequestID: CheckedContinuation<Loan, Never>] = [:]
    private var nextRequest: PoolMachine.RequestID = 1
    private var wake = TimerToken.none
    private var wakeAt: PoolMachine.Instant?
    private var lastFailure: PostgresError?
    let random: @Sendable () -> Double

    typealias Loan = Result<Lent, PostgresError>

    struct Lent: Sendable {
        let id: PoolMachine.ConnectionID
        let connection: PostgresConnection
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe reactor.asUnownedSerialExecutor()
    }

    /// Makes no connection yet; `random` gives numbers from 0 up to 1 for jitter.
    package init(
        _ settings: PostgresSettings,
        limits: PoolLimits = PoolLimits(),
        on reactor: Reactor,
        random: @escaping @Sendable () -> Double
    ) {
        self.settings = settings
        self.reactor = reactor
        self.random = random
        machine = PoolMachine(limits: limits)
    }

    /// What a pool looks like at one moment.
    package struct Status: Equatable, Sendable {
        package let connectionCount: Int
        package let idleCount: Int
        package let waiterCount: Int
        package let failedAttemptCount: Int
        package let lastFailure: PostgresError?
    }

    /// The pool at this moment.
    package var status: Status {
        Status(
            connectionCount: machine.connectionCount,
            idleCount: machine.idleCount,
            waiterCount: machine.waiterCount,
            failedAttemptCount: machine.failureCount,
            lastFailure: lastFailure
        )
    }

    /// Refuses further requests, ends idle connections now and lent ones when they come back.
    package func close() {
        perform(machine.closeRequested())
    }
}

// MARK: - Lending

extension PostgresPool {
    func borrow() async throws(PostgresError) -> Lent {
        if Task.isCancelled { throw .cancelled }
        let id = nextRequest
        nextRequest += 1
        let loan = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiting[id] = continuation
                perform(machine.connectionRequested(by: id, now: .now))
            }
        } onCancel: {
            reactor.execute { _ in self.assumeIsolated { $0.requestCancelled(id) } }
        }
        return try loan.get()
    }

    private func requestCancelled(_ id: PoolMachine.RequestID) {
        guard let continuation = waiting.removeValue(forKey: id) else { return }
        machine.requestCancelled(id)
        continuation.resume(returning: .failure(.cancelled))
        rearm()
    }

    func giveBack(_ lent: Lent) async {
        let isReusable = await lent.connection.isIdle
        perform(machine.returned(lent.id, isReusable: isReusable, now: .now))
    }

    private func perform(_ actions: [PoolMachine.Action]) {
        for action in actions {
            switch action {
            case .connect(let id): connect(id)
            case .validate(let id): validate(id)
            case .lend(let id, let request): lend(id, to: request)
            case .refuse(let request, let refusal): refuse(request, refusal)
            case .disconnect(let id): disconnect(id)
            }
        }
        rearm()
    }

    private func lend(_ id: PoolMachine.ConnectionID, to request: PoolMachine.RequestID) {
        guard let connection = connections[id] else { return }
        guard let continuation = waiting.removeValue(forKey: request) else {
            return perform(machine.returned(id, isReusable: true, now: .now))
        }
        continuation.resume(returning: .success(Lent(id: id, connection: connection)))
    }

    private func refuse(_ request: PoolMachine.RequestID, _ refusal: PoolMachine.Refusal) {
        guard let continuation = waiting.removeValue(forKey: request) else { return }
        let error: PostgresError =
            switch refusal {
            case .tooManyWaiting: .tooManyWaiting
            case .closed: .closed
            // While the server is away, why is worth more than "in time".
            case .timedOut:
                machine.failureCount > 0
                    ? lastFailure ?? .timedOut(.connection)
                    : .timedOut(.connection)
            }
        continuation.resume(returning: .failure(error))
    }

    private func disconnect(_ id: PoolMachine.ConnectionID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        Task(executorPreference: reactor) { await connection.close() }
    }

    private func rearm() {
        let next = machine.nextWake
        guard next != wakeAt else { return }
        wakeAt = next
        reactor.cancel(wake)
        guard let next else { return }
        wake = reactor.schedule(at: next) { [weak self] _ in
            self?.assumeIsolated { $0.timePassed() }
        }
    }

    private func timePassed() {
        wakeAt = nil
        perform(machine.timePassed(now: .now))
    }
}

// MARK: - Making and checking

extension PostgresPool {
    private func connect(_ id: PoolMachine.ConnectionID) {
        Task(executorPreference: reactor) { await self.makeConnection(id) }
    }

    private func makeConnection(_ id: PoolMachine.ConnectionID) async {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(settings, on: reactor)
            await connection.onEnd { [weak self] _ in
                self?.assumeIsolated { $0.connectionEnded(id) }
            }
            connections[id] = connection
            perform(machine.connected(id, now: .now, random: random()))
        } catch {
            lastFailure = error
            perform(machine.connectFailed(id, now: .now, random: random()))
        }
    }

    private func validate(_ id: PoolMachine.ConnectionID) {
        guard let connection = connections[id] else { return }
        Task(executorPreference: reactor) { await self.askForSignOfLife(id, connection) }
    }

    private func askForSignOfLife(
        _ id: PoolMachine.ConnectionID,
        _ connection: PostgresConnection
    ) async {
        do throws(PostgresError) {
            try await connection.query(SessionCommand.signOfLife, timeout: settings.answerGrace)
            perform(machine.validated(id, now: .now))
        } catch {
            perform(machine.connectionLost(id, now: .now))
        }
    }

    private func connectionEnded(_ id: PoolMachine.ConnectionID) {
        perform(machine.connectionLost(id, now: .now))
    }
}
