/// One HTTP/1.1 connection as a server sees it, without its socket.
///
/// Idle -> head -> exchange -> idle … -> lingering -> closed. One request is served at a time; bytes
/// of the next ones are held back, bounded, and reading pauses. When a response ends before its
/// request, up to `drainByteCountMax` bytes of body are dropped, then the connection closes. After
/// a fault the peer gets one answer, our side ends, and what still arrives is dropped for a short
/// while, so that a reset does not swallow the answer.
///
/// The driver hands in events with the time, executes the actions in order, reports bytes with
/// `written` and `consumed`, and calls `timerFired` at `deadline`.
package struct ServerConnectionMachine: ~Copyable {
    package typealias Instant = ContinuousClock.Instant

    /// What the driver does next.
    package enum Action: Equatable, Sendable {
        /// A request to serve; answer with `respond`. Its body follows if its framing says so.
        case request(RequestHead)
        /// Part of the body; report it with `consumed` when it is used.
        case body([UInt8])
        /// The request is complete.
        case requestEnded
        /// The request in service is dead; nothing may be answered any more.
        case requestFailed(MessageFault)
        /// The peer was refused for that reason, for log and metric; the answer is sent by itself.
        case refused(MessageFault)
        case send([UInt8])
        case pauseReading
        case resumeReading
        /// Write what is queued, then end our side; go on reading.
        case finish
        /// Write what is queued, then close.
        case close
        /// Close at once.
        case abort
    }

    enum State {
        case idle(since: Instant)
        case head(since: Instant)
        case exchange(Exchange)
        /// Our side ended, or will when all is written; `until` is set from then on.
        case lingering(droppedByteCount: Int, until: Instant?)
        case closed
    }

    let policy: RequestPolicy
    var limits: Limits { policy.limits }
    var state: State
    var parser: RequestParser
    var held = HeldInput()
    var output = OutputMeter()
    var isReadingPaused = false
    var isFirstRequest = true
    var isShuttingDown = false
    var isInputEnded = false

    /// A connection that was just accepted.
    package init(policy: RequestPolicy = .standard, now: Instant) {
        self.policy = policy
        parser = RequestParser(policy: policy)
        state = .idle(since: now)
    }

    /// Bytes queued by `send` and not yet reported written; stop producing when it is large.
    package var unsentByteCount: Int { output.unsentByteCount }

    /// Whether no request is in service.
    package var isIdle: Bool {
        switch state {
        case .idle, .head: true
        case .exchange, .lingering, .closed: false
        }
    }

    /// Whether nothing will happen any more, once the queued bytes are written.
    package var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// Bytes arrived.
    package mutating func received(_ bytes: Span<UInt8>, now: Instant) -> [Action] {
        var actions: [Action] = []
        switch state {
        case .closed: return []
        case .lingering(let dropped, let until):
            drop(bytes.count, after: dropped, until: until, into: &actions)
            return actions
        case .idle, .head, .exchange: break
        }
        if held.isEmpty {
            var offset = 0
            advance(bytes, from: &offset, now: now, into: &actions)
            held.append(bytes, from: offset)
        } else {
            held.append(bytes, from: 0)
            advanceHeld(now: now, into: &actions)
        }
        if held.byteCount > limits.heldByteCountMax {
            fail(.heldBytesExceeded, now: now, into: &actions)
        }
        adjustReading(now: now, into: &actions)
        return actions
    }

    /// The peer ended its side; requests that are complete are still answered.
    package mutating func peerClosed(now: Instant) -> [Action] {
        var actions: [Action] = []
        isInputEnded = true
        switch state {
        case .closed: break
        case .idle, .head, .lingering: close(into: &actions)
        case .exchange: settleInputEnd(now: now, into: &actions)
        }
        return actions
    }

    /// The connection broke; nothing can be written any more.
    package mutating func connectionLost() -> [Action] {
        guard case .exchange = state else {
            state = .closed
            return []
        }
        state = .closed
        return [.requestFailed(.peerVanished)]
    }

    /// Bytes that `send` queued were written.
    package mutating func written(byteCount: Int, now: Instant) {
        output.written(byteCount: byteCount, now: now)
        if output.unsentByteCount == 0, case .lingering(let dropped, nil) = state {
            state = .lingering(droppedByteCount: dropped, until: now + limits.lingerTimeout)
        }
    }

    /// Body bytes that were handed over are used; reading may go on.
    package mutating func consumed(byteCount: Int, now: Instant) -> [Action] {
        guard case .exchange(var exchange) = state else { return [] }
        exchange.unconsumedByteCount = max(0, exchange.unconsumedByteCount - byteCount)
        state = .exchange(exchange)
        return proceed(now: now)
    }

    /// Takes no further request: closes now when idle, after the response otherwise.
    package mutating func shutDown(now: Instant) -> [Action] {
        isShuttingDown = true
        var actions: [Action] = []
        switch state {
        case .idle: close(into: &actions)
        case .head, .exchange, .lingering, .closed: break
        }
        return actions
    }

    /// Lowers the body limit for the request in service, as its route asks.
    package mutating func limitBody(byteCount: Int, now: Instant) -> [Action] {
        guard case .exchange = state, !parser.limitBody(byteCount: byteCount) else { return [] }
        var actions: [Action] = []
        fail(.bodyTooLarge, now: now, into: &actions)
        return actions
    }

    /// The body is wanted: sends `100 Continue` when the client waits for it.
    package mutating func bodyWanted(now: Instant) -> [Action] {
        guard case .exchange(var exchange) = state, exchange.isContinueOwed else { return [] }
        exchange.isContinueOwed = false
        exchange.rate.start(now: now)
        state = .exchange(exchange)
        var actions: [Action] = []
        send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), now: now, into: &actions)
        return actions
    }
}
