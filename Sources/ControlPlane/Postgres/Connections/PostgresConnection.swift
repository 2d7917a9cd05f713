import CPostgres
package import Reactor

/// One session of PostgreSQL, on one reactor.
///
/// Calls may come from anywhere; they run in order of arrival, on the reactor's thread, without
/// ever blocking it. Close it when done: a connection that is dropped closes itself, but later.
package actor PostgresConnection {
    package nonisolated let reactor: Reactor
    package nonisolated let settings: PostgresSettings
    /// The process that serves this session.
    package nonisolated let processID: Int32
    /// As in `server_version_num`, 150_018 for instance.
    package nonisolated let serverVersion: Int

    let libpq: LibpqConnection
    var current: ConnectionBatch?
    var queue: [ConnectionBatch] = []
    var prepared: PreparedStatements
    var transaction = TransactionState.none
    var isCancelInFlight = false
    private(set) var end: PostgresError?
    private var nextID: UInt64 = 1
    private var registration = DescriptorToken.none
    private var notificationHandler: (@Sendable (PostgresNotification) -> Void)?
    private var endHandler: (@Sendable (PostgresError) -> Void)?
    /// True once the server was found to log parameters and this role may not forbid it.
    package private(set) var serverMayLogParameters = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe reactor.asUnownedSerialExecutor()
    }

    /// A transaction in the making, running, or none.
    enum TransactionState: Equatable {
        case none
        /// BEGIN goes out with the first statement.
        case announced(UInt64, begin: SQL)
        case running(UInt64)
    }

    /// Connects on a thread of its own, since libpq looks names up and times hosts out only by
    /// blocking; the session then lives on `reactor`.
    package static func connect(
        _ settings: PostgresSettings,
        on reactor: Reactor
    ) async throws(PostgresError) -> PostgresConnection {
        let outcome = await BlockingWork.run { () -> Result<LibpqConnection, PostgresError> in
            do throws(PostgresError) {
                return .success(try LibpqConnection(blocking: settings))
            } catch {
                return .failure(error)
            }
        }
        let connection = PostgresConnection(try outcome.get(), settings: settings, on: reactor)
        do throws(PostgresError) {
            try await connection.prepareSession()
        } catch {
            await connection.close()
            throw error
        }
        return connection
    }

    private init(_ libpq: LibpqConnection, settings: PostgresSettings, on reactor: Reactor) {
        self.libpq = libpq
        self.settings = settings
        self.reactor = reactor
        processID = libpq.processID
        serverVersion = libpq.serverVersion
        prepared = PreparedStatements(countMax: settings.preparedStatementsMax)
    }

    deinit {
        let (libpq, registration) = (libpq, registration)
        reactor.execute { reactor in
            reactor.deregister(registration)
            libpq.finish()
        }
    }

    private func prepareSession() async throws(PostgresError) {
        do {
            registration = try reactor.register(
                number: libpq.socket,
                handler: Readiness(owner: self)
            )
        } catch {
            throw .connectFailed("the socket cannot be watched: \(error)")
        }
        // Parameters carry secrets, and only a superuser may forbid the server to log them.
        do throws(PostgresError) {
            _ = try await submit([SessionCommand.hideParameters], effect: .lostWithConnection)
        } catch {
            guard error.state == .insufficientPrivilege else { throw error }
            let rows = try await submit(
                [SessionCommand.showParameterLogging],
                effect: .lostWithConnection
            )
            let length = try rows.first?.single().decode(String.self)
            serverMayLogParameters = length != "0"
        }
    }
}

// MARK: - Statements

extension PostgresConnection {
    /// Runs one statement and returns its rows.
    @discardableResult
    package func query(
        _ statement: SQL,
        timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        let isAlone = transaction == .none
        let rows: [Rows]
        do throws(PostgresError) {
            rows = try await submit([statement], effect: currentEffect, timeout: timeout)
        } catch {
            // Nothing has run yet; inside a transaction the whole of it has to be run again.
            guard isAlone, case .server(let report) = error, report.isStalePlan else { throw error }
            rows = try await submit([statement], effect: currentEffect, timeout: timeout)
        }
        guard let first = rows.first else { throw .protocolViolation("no answer") }
        return first
    }

    /// Runs one statement and returns how many rows it touched.
    @discardableResult
    package func execute(
        _ statement: SQL,
        timeout: Duration? = nil
    ) async throws(PostgresError) -> Int {
        try await query(statement, timeout: timeout).affectedCount
    }

    /// Runs statements in one round trip: all take effect or none does.
    package func batch(
        _ statements: [SQL],
        timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        if statements.isEmpty { return [] }
        return try await submit(statements, effect: currentEffect, timeout: timeout)
    }

    /// Runs a script.
    ///
    /// Outside of a transaction its statements form one, unless they say otherwise.
    @discardableResult
    package func run(
        _ script: SQLScript,
        timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        // The simple protocol cannot carry BEGIN along.
        if case .announced = transaction { _ = try await submit([], effect: .lostWithConnection) }
        return try await submit(.script(script), effect: currentEffect, timeout: timeout)
    }

    /// Waits for messages of a channel from now on; they go to `onNotification`.
    package func listen(to channel: PostgresChannel) async throws(PostgresError) {
        _ = try await submit(
            [SessionCommand.listen(channel)],
            effect: .lostWithConnection,
            arePrepared: false
        )
    }

    /// Sets who gets notifications; called on the reactor's thread.
    package func onNotification(_ handler: @escaping @Sendable (PostgresNotification) -> Void) {
        notificationHandler = handler
    }

    /// Sets who hears that the connection ended; called once, on the reactor's thread.
    package func onEnd(_ handler: @escaping @Sendable (PostgresError) -> Void) {
        if let end { handler(end) } else { endHandler = handler }
    }

    /// Whether the session can be used.
    package var isOpen: Bool { end == nil }

    /// Whether the session is open, outside of a transaction and has nothing to do.
    package var isIdle: Bool {
        isOpen && current == nil && queue.isEmpty && transaction == .none && !isCancelInFlight
            && libpq.transactionStatus == PQTRANS_IDLE
    }

    /// Ends the session; what runs or waits fails.
    package func close() { finish(.closed) }

    /// What the server keeps in place of a password, safe to stand between quotes.
    func scramVerifier(
        of password: String,
        for role: PostgresName
    ) throws(PostgresError) -> String {
        let verifier = libpq.scramVerifier(password: password, user: role.text)
        let isPlain = verifier?.utf8.allSatisfy { byte in
            switch byte {
            case 43, 45, 47...58, 61, 65...90, 97...122, 36: true
            default: false
            }
        }
        guard let verifier, isPlain == true else {
            throw .protocolViolation("no SCRAM verifier")
        }
        return verifier
    }

    private var currentEffect: ConnectionBatch.Effect {
        transaction == .none ? .unknown : .lostWithConnection
    }

    func submit(
        _ statements: [SQL],
        effect: ConnectionBatch.Effect,
        timeout: Duration? = nil,
        arePrepared: Bool = true,
        isCancellable: Bool = true
    ) async throws(PostgresError) -> [Rows] {
        let bytes = statements.reduce(0) { sum, statement in
            statement.parameters.reduce(sum) { $0 + ($1.bytes?.count ?? 0) }
        }
        guard statements.count <= PostgresLimits.statementsPerBatchMax,
            bytes <= PostgresLimits.parameterByteCountMax,
            statements.allSatisfy({ $0.parameters.count <= PostgresLimits.parametersMax })
        else { throw .statementTooLarge }
        return try await submit(
            .statements(statements, arePrepared: arePrepared),
            effect: effect,
            timeout: timeout,
            isCancellable: isCancellable
        )
    }

    private func submit(
        _ content: ConnectionBatch.Content,
        effect: ConnectionBatch.Effect,
        timeout: Duration?,
        isCancellable: Bool = true
    ) async throws(PostgresError) -> [Rows] {
        if let end { throw end }
        guard queue.count < PostgresLimits.queuedBatchesMax else { throw .tooManyWaiting }
        if isCancellable, Task.isCancelled { throw .cancelled }
        let id = makeID()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enqueue(
                    ConnectionBatch(
                        id: id,
                        content: content,
                        effect: effect,
                        isCancellable: isCancellable,
                        timeout: timeout ?? settings.statementTimeout + settings.answerGrace,
                        complete: { continuation.resume(returning: $0) }
                    )
                )
            }
        } onCancel: {
            reactor.execute { _ in self.assumeIsolated { $0.taskCancelled(id) } }
        }
        return try outcome.get()
    }
}

// MARK: - End

extension PostgresConnection {
    /// A number that names one batch or transaction of this connection.
    func makeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }
}

extension PostgresConnection {
    /// The first reason counts; everything that runs or waits is answered.
    func finish(_ reason: PostgresError) {
        guard end == nil else { return }
        // The reason may be about one statement only; the others just find no session.
        end = reason == .closed ? .closed : .connectionLost
        transaction = .none
        reactor.deregister(registration)
        libpq.finish()
        let running = current
        current = nil
        let waiting = queue
        queue = []
        if let running {
            reactor.cancel(running.timer)
            running.complete(.failure(running.lossError))
        }
        for batch in waiting {
            reactor.cancel(batch.timer)
            batch.complete(.failure(reason))
        }
        endHandler?(reason)
        endHandler = nil
        notificationHandler = nil
    }

    func deliverNotifications() {
        while let notification = libpq.nextNotification() { notificationHandler?(notification) }
    }
}

/// Held by the reactor in place of the connection, which can so be dropped while registered.
private final class Readiness: EventHandler {
    private weak var owner: PostgresConnection?

    init(owner: PostgresConnection) { self.owner = owner }

    func ready(_ events: ReadyEvents, on reactor: Reactor) {
        owner?.assumeIsolated { $0.socketReady() }
    }
}
