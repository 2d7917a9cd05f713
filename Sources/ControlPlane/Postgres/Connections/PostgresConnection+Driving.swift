import CPostgres
import Reactor

// The turns of a connection: one batch is on the wire at a time; it is sent whole, its answers are
// matched in order, its sync ends it and starts the next one.

extension PostgresConnection {
    func enqueue(_ batch: ConnectionBatch) {
        let id = batch.id
        batch.timer = reactor.schedule(after: batch.timeout) { [weak self] _ in
            self?.assumeIsolated { $0.deadlinePassed(id) }
        }
        queue.append(batch)
        startNext()
    }

    /// The socket has become readable or writable.
    func socketReady() {
        guard end == nil else { return }
        let isAlive = libpq.readAll()
        receive()
        guard end == nil else { return }
        guard isAlive, libpq.isOpen else { return finish(.connectionLost) }
        deliverNotifications()
        flush()
    }

    private func startNext() {
        guard current == nil, !isCancelInFlight, end == nil, !queue.isEmpty else { return }
        let batch = queue.removeFirst()
        current = batch
        let isSent =
            switch batch.content {
            case .statements(let statements, let arePrepared):
                send(statements, of: batch, arePrepared: arePrepared)
            case .script(let script):
                libpq.exitPipeline() && libpq.sendScript(script.text)
            }
        guard isSent else { return finish(.connectionLost) }
        flush()
    }

    private func send(
        _ statements: [SQL],
        of batch: ConnectionBatch,
        arePrepared: Bool
    ) -> Bool {
        if libpq.transactionStatus == PQTRANS_IDLE {
            for name in prepared.evict() {
                guard sendDiscarded(text: "DEALLOCATE \(name)", of: batch) else { return false }
            }
        }
        if case .announced(let id, let begin) = transaction {
            guard sendDiscarded(text: begin.text, of: batch) else { return false }
            transaction = .running(id)
        }
        var fresh: [String: String] = [:]
        for statement in statements {
            let text = statement.text
            let parameters = statement.parameters
            guard arePrepared, let known = fresh[text] ?? prepared.name(of: text) else {
                guard arePrepared, let name = prepared.newName() else {
                    guard libpq.sendUnprepared(text: text, parameters: parameters) else {
                        return false
                    }
                    batch.expectations.append(.answer)
                    continue
                }
                let types = parameters.map(\.type)
                guard libpq.sendPrepare(name: name, text: text, types: types),
                    libpq.sendPrepared(name: name, parameters: parameters)
                else { return false }
                fresh[text] = name
                batch.expectations.append(.preparation(text: text, name: name))
                batch.expectations.append(.answer)
                continue
            }
            guard libpq.sendPrepared(name: known, parameters: parameters) else { return false }
            batch.expectations.append(.answer)
        }
        return libpq.sendSync()
    }

    private func sendDiscarded(text: String, of batch: ConnectionBatch) -> Bool {
        batch.expectations.append(.discarded)
        return libpq.sendUnprepared(text: text, parameters: [])
    }

    private func flush() {
        guard end == nil else { return }
        // A blocked socket reports when it takes bytes again.
        if libpq.flush() == .failed { finish(.connectionLost) }
    }

    // MARK: Answers

    private func receive() {
        while let batch = current, !libpq.isBusy {
            guard let result = libpq.nextResult() else {
                if case .script = batch.content { return completeScript(batch) }
                // nil ends the answers to one statement; nil before them means "nothing yet".
                guard batch.hasAnswer else { return }
                batch.hasAnswer = false
                batch.answered += 1
                continue
            }
            take(result, for: batch)
        }
    }

    private func take(_ result: LibpqResult, for batch: ConnectionBatch) {
        switch result.status {
        case PGRES_PIPELINE_SYNC:
            return complete(batch)
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            note(result, for: batch)
        case PGRES_PIPELINE_ABORTED:
            break
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE:
            noteFailure(result, for: batch)
        default:
            // COPY and the like are never asked for here.
            finish(.protocolViolation("a result of unknown kind"))
        }
        batch.hasAnswer = true
    }

    private func note(_ result: LibpqResult, for batch: ConnectionBatch) {
        if case .script = batch.content { return batch.rows.append(Rows(result)) }
        guard batch.answered < batch.expectations.count else {
            return finish(.protocolViolation("more answers than statements"))
        }
        switch batch.expectations[batch.answered] {
        case .answer: batch.rows.append(Rows(result))
        case .preparation(let text, let name): prepared.insert(text: text, name: name)
        case .discarded: break
        }
    }

    private func noteFailure(_ result: LibpqResult, for batch: ConnectionBatch) {
        guard let report = result.serverError else {
            // Written by libpq: the connection is gone, or the answer made no sense.
            return finish(.connectionLost)
        }
        if report.state == .invalidStatementName || report.isStalePlan {
            prepared.removeAll()
        }
        let error = batch.meaning(of: report, isFatal: result.isFatal)
        batch.error = batch.error ?? error
        if result.isFatal { finish(error) }
    }

    private func completeScript(_ batch: ConnectionBatch) {
        guard libpq.enterPipeline() else { return finish(.protocolViolation("no pipeline")) }
        complete(batch)
    }

    private func complete(_ batch: ConnectionBatch) {
        reactor.cancel(batch.timer)
        current = nil
        if let error = batch.error {
            batch.complete(.failure(error))
        } else if batch.stop != nil, batch.effect == .unknown {
            batch.complete(.failure(.outcomeUnknown))
        } else {
            batch.complete(.success(batch.rows))
        }
        startNext()
    }

    // MARK: Deadlines

    private func deadlinePassed(_ id: UInt64) {
        stop(id, because: .deadline)
    }

    func taskCancelled(_ id: UInt64) {
        stop(id, because: .cancellation)
    }

    private func stop(_ id: UInt64, because reason: ConnectionBatch.Stop) {
        if let index = queue.firstIndex(where: { $0.id == id }) {
            guard queue[index].isCancellable || reason == .deadline else { return }
            let batch = queue.remove(at: index)
            reactor.cancel(batch.timer)
            let error: PostgresError = reason == .deadline ? .timedOut(.answer) : .cancelled
            return batch.complete(.failure(error))
        }
        guard let batch = current, batch.id == id else { return }
        guard batch.isCancellable || reason == .deadline else { return }
        guard batch.stop == nil else {
            // A deadline after a cancellation changes nothing; the second timer is under way.
            return
        }
        batch.stop = reason
        reactor.cancel(batch.timer)
        batch.timer = reactor.schedule(after: settings.answerGrace) { [weak self] _ in
            self?.assumeIsolated { $0.answerOverdue(id) }
        }
        // A COMMIT that waits for a synchronous standby succeeds when it is cancelled, without the
        // standby: what would be acknowledged then is lost with the primary.
        if batch.isCancellable || batch.effect == .lostWithConnection { sendCancel() }
    }

    /// Neither the statement nor the request to stop it was answered.
    private func answerOverdue(_ id: UInt64) {
        guard let batch = current, batch.id == id else { return }
        finish(batch.lossError)
    }

    /// Asks the server to stop the current statement.
    ///
    /// Nothing else is sent until the request has been passed on, or it could hit the next one.
    private func sendCancel() {
        guard !isCancelInFlight, let canceller = libpq.makeCanceller() else { return }
        isCancelInFlight = true
        BlockingWork.start { [reactor, self] in
            canceller.cancel()
            reactor.execute { _ in self.assumeIsolated { $0.cancelPassedOn() } }
        }
    }

    private func cancelPassedOn() {
        isCancelInFlight = false
        startNext()
    }
}
