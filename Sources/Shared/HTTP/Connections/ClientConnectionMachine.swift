/// Why an exchange of a client failed.
package enum ClientFault: Error, Equatable, Sendable {
    /// The response broke a rule.
    case response(MessageFault)
    /// The connection ended before any byte of the response. Safe to retry elsewhere when the
    /// connection had served before and the method is idempotent.
    case closedBeforeResponse(isRetrySafe: Bool)
    /// The connection ended inside the response.
    case truncated
    case responseTimeout
    case bodyTimeout
    case writeStalled

    /// What is wrong, for people.
    package var sentence: String {
        switch self {
        case .response(let fault): "The server's response is malformed. \(fault.sentence)"
        case .closedBeforeResponse: "The server closed the connection without a response."
        case .truncated: "The server closed the connection inside its response."
        case .responseTimeout: "The server did not answer in time."
        case .bodyTimeout: "The server stopped sending inside its response."
        case .writeStalled: "The server stopped reading the request."
        }
    }
}

/// One HTTP/1.1 connection as a client sees it, without its socket: one exchange at a time.
///
/// Idle -> exchange -> idle …, or closed. The driver hands in events with the time, executes the
/// actions in order, reports bytes with `written` and `consumed`, and calls `timerFired` at
/// `deadline`.
package struct ClientConnectionMachine: ~Copyable {
    package typealias Instant = ContinuousClock.Instant

    /// What the driver does next.
    package enum Action: Equatable, Sendable {
        case send([UInt8])
        /// An interim response; the final one follows.
        case informational(ResponseHead)
        case response(ResponseHead)
        /// Part of the body; report it with `consumed` when it is used.
        case body([UInt8])
        /// The response is complete; the connection may take another request only if said so.
        case responseEnded(isReusable: Bool)
        /// The exchange is over without a complete response.
        case failed(ClientFault)
        case pauseReading
        case resumeReading
        /// Close at once.
        case close
    }

    private struct Exchange {
        let method: Method
        let framing: BodyFraming
        let responseTimeout: Duration
        var rest: Int
        var isReusable: Bool
        var isRequestEnded: Bool
        var isResponseBegun = false
        var isResponseHeadSeen = false
        var unconsumedByteCount = 0
        /// Since when the response, or its next part, is waited for.
        var waitingSince: Instant?
    }

    private enum State {
        case idle
        case exchange(Exchange)
        case closed
    }

    private let limits: Limits
    private var state = State.idle
    private var parser: ResponseParser
    private var held = HeldInput()
    private var output = OutputMeter()
    private var isReadingPaused = false
    private var isInputEnded = false
    private var servedCount = 0

    /// A connection that was just established; `limits` bound the responses.
    package init(limits: Limits = .standard) {
        self.limits = limits
        parser = ResponseParser(limits: limits)
    }

    /// Whether a request may be sent now.
    package var isIdle: Bool {
        if case .idle = state { return true }
        return false
    }

    /// Whether the connection is of no more use.
    package var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// Bytes queued by `send` and not yet reported written; stop producing when it is large.
    package var unsentByteCount: Int { output.unsentByteCount }

    /// Sends a request's head; its body follows as `head.framing` says, then `requestEnd`.
    ///
    /// A request without a body ends by itself. `responseTimeout` is for long polls.
    package mutating func request(
        _ head: RequestHead,
        responseTimeout: Duration? = nil,
        now: Instant
    ) throws(ExchangeMisuse) -> [Action] {
        guard case .idle = state else { throw .noExchange }
        guard head.method != .connect else { throw .framingNotAllowed }
        var actions: [Action] = []
        do throws(SerializationFault) {
            send(try head.serialized(), now: now, into: &actions)
        } catch {
            throw .framingNotAllowed
        }
        parser.expect(head.method)
        var rest = 0
        if case .fixed(let byteCount) = head.framing { rest = byteCount }
        let isEnded = head.framing.isEmpty
        state = .exchange(
            Exchange(
                method: head.method,
                framing: head.framing,
                responseTimeout: responseTimeout ?? limits.responseHeadTimeout,
                rest: rest,
                isReusable: head.allowsReuse,
                isRequestEnded: isEnded,
                waitingSince: isEnded ? now : nil
            )
        )
        return actions
    }

    /// Sends part of the request's body.
    package mutating func requestBody(
        _ bytes: [UInt8],
        now: Instant
    ) throws(ExchangeMisuse) -> [Action] {
        guard case .exchange(var exchange) = state else { throw .noExchange }
        guard !exchange.isRequestEnded else { throw .bodyTooLong }
        var actions: [Action] = []
        if exchange.framing == .chunked {
            send(ChunkedCoding.chunk(bytes), now: now, into: &actions)
        } else {
            guard bytes.count <= exchange.rest else { throw .bodyTooLong }
            exchange.rest -= bytes.count
            send(bytes, now: now, into: &actions)
        }
        state = .exchange(exchange)
        return actions
    }

    /// Ends the request; one shorter than its declared length cuts the connection.
    package mutating func requestEnd(now: Instant) throws(ExchangeMisuse) -> [Action] {
        guard case .exchange(var exchange) = state else { throw .noExchange }
        guard !exchange.isRequestEnded else { return [] }
        guard exchange.rest == 0 else {
            state = .closed
            return [.failed(.truncated), .close]
        }
        var actions: [Action] = []
        if exchange.framing == .chunked { send(ChunkedCoding.end, now: now, into: &actions) }
        exchange.isRequestEnded = true
        exchange.waitingSince = now
        state = .exchange(exchange)
        return actions
    }

    /// Sends a request with its whole body.
    package mutating func request(
        _ head: RequestHead,
        body: [UInt8],
        responseTimeout: Duration? = nil,
        now: Instant
    ) throws(ExchangeMisuse) -> [Action] {
        var head = head
        head.framing = body.isEmpty ? .none : .fixed(byteCount: body.count)
        var actions = try request(head, responseTimeout: responseTimeout, now: now)
        guard !body.isEmpty else { return actions }
        actions += try requestBody(body, now: now)
        actions += try requestEnd(now: now)
        return actions
    }

    /// Bytes arrived.
    package mutating func received(_ bytes: Span<UInt8>, now: Instant) -> [Action] {
        var actions: [Action] = []
        switch state {
        case .closed: return []
        case .idle:
            guard !bytes.isEmpty else { return [] }
            // Nobody asked: an answer to nothing would become the answer to the next request.
            state = .closed
            return [.close]
        case .exchange: break
        }
        if held.isEmpty {
            var offset = 0
            advance(bytes, from: &offset, now: now, into: &actions)
            if !isClosed { held.append(bytes, from: offset) }
        } else {
            held.append(bytes, from: 0)
            advanceHeld(now: now, into: &actions)
        }
        if held.byteCount > limits.heldByteCountMax {
            fail(.response(.heldBytesExceeded), into: &actions)
        }
        adjustReading(now: now, into: &actions)
        return actions
    }

    /// The peer ended its side; that ends a response without a length.
    package mutating func peerClosed(now: Instant) -> [Action] {
        var actions: [Action] = []
        isInputEnded = true
        switch state {
        case .closed: break
        case .idle:
            state = .closed
            actions.append(.close)
        case .exchange:
            settleInputEnd(into: &actions)
        }
        return actions
    }

    /// The connection broke.
    package mutating func connectionLost() -> [Action] {
        guard case .exchange(let exchange) = state else {
            state = .closed
            return []
        }
        state = .closed
        return [.failed(earlyEnd(exchange))]
    }

    /// Bytes that `send` queued were written.
    package mutating func written(byteCount: Int, now: Instant) {
        output.written(byteCount: byteCount, now: now)
        guard case .exchange(var exchange) = state, exchange.isRequestEnded,
            !exchange.isResponseBegun
        else { return }
        exchange.waitingSince = now
        state = .exchange(exchange)
    }

    /// Body bytes that were handed over are used; reading may go on.
    package mutating func consumed(byteCount: Int, now: Instant) -> [Action] {
        guard case .exchange(var exchange) = state else { return [] }
        exchange.unconsumedByteCount = max(0, exchange.unconsumedByteCount - byteCount)
        state = .exchange(exchange)
        var actions: [Action] = []
        advanceHeld(now: now, into: &actions)
        settleInputEnd(into: &actions)
        adjustReading(now: now, into: &actions)
        return actions
    }

    /// When `timerFired` must be called, unless something happens before; nil for never.
    package var deadline: Instant? {
        guard case .exchange(let exchange) = state else { return nil }
        let stall = output.deadline(limits.writeStallTimeout)
        guard !isReadingPaused, let since = exchange.waitingSince else { return stall }
        let timeout =
            exchange.isResponseHeadSeen ? limits.responseBodyTimeout : exchange.responseTimeout
        return stall.map { min($0, since + timeout) } ?? (since + timeout)
    }

    /// The time of `deadline` came, or a later one.
    package mutating func timerFired(now: Instant) -> [Action] {
        guard let deadline, now >= deadline, case .exchange(let exchange) = state else {
            return []
        }
        var actions: [Action] = []
        if let stall = output.deadline(limits.writeStallTimeout), now >= stall {
            fail(.writeStalled, into: &actions)
        } else {
            fail(exchange.isResponseHeadSeen ? .bodyTimeout : .responseTimeout, into: &actions)
        }
        return actions
    }
}

extension ClientConnectionMachine {
    private var mayParse: Bool {
        guard case .exchange(let exchange) = state else { return false }
        return exchange.unconsumedByteCount < limits.unconsumedByteCountMax
    }

    private mutating func advance(
        _ bytes: Span<UInt8>,
        from offset: inout Int,
        now: Instant,
        into actions: inout [Action]
    ) {
        while mayParse, case .exchange(var exchange) = state {
            if offset < bytes.count { exchange.isResponseBegun = true }
            let event: ResponseEvent
            do throws(MessageFault) {
                event = try parser.next(in: bytes, from: &offset)
            } catch {
                fail(.response(error), into: &actions)
                return
            }
            switch event {
            case .incomplete:
                state = .exchange(exchange)
                return
            case .informational(let head): actions.append(.informational(head))
            case .head(let head):
                exchange.isResponseHeadSeen = true
                exchange.waitingSince = now
                if !head.allowsReuse { exchange.isReusable = false }
                actions.append(.response(head))
            case .body(let range):
                exchange.waitingSince = now
                exchange.unconsumedByteCount += range.count
                actions.append(.body(bytes.bytes(range)))
            case .end:
                responseEnded(exchange, hasMore: offset < bytes.count, into: &actions)
                return
            }
            state = .exchange(exchange)
        }
    }

    private mutating func advanceHeld(now: Instant, into actions: inout [Action]) {
        guard mayParse else { return }
        let (bytes, start) = held.take()
        var offset = start
        advance(bytes.span, from: &offset, now: now, into: &actions)
        if !isClosed { held.restore(bytes, from: offset) }
    }

    /// A response that ends before its request, or with bytes behind it, leaves the connection in
    /// doubt; such a one is never used again.
    private mutating func responseEnded(
        _ exchange: Exchange,
        hasMore: Bool,
        into actions: inout [Action]
    ) {
        let isReusable =
            exchange.isReusable && exchange.isRequestEnded && !hasMore && !isInputEnded
        servedCount += 1
        state = isReusable ? .idle : .closed
        actions.append(.responseEnded(isReusable: isReusable))
        if isReusable, isReadingPaused {
            isReadingPaused = false
            actions.append(.resumeReading)
        }
        if !isReusable { actions.append(.close) }
    }

    /// Once the peer ended and all it sent is parsed, the response is complete or never will be.
    private mutating func settleInputEnd(into actions: inout [Action]) {
        guard isInputEnded, held.isEmpty, mayParse, case .exchange(let exchange) = state else {
            return
        }
        if exchange.isResponseHeadSeen, parser.peerClosed() {
            responseEnded(exchange, hasMore: false, into: &actions)
        } else {
            fail(earlyEnd(exchange), into: &actions)
        }
    }

    private func earlyEnd(_ exchange: Exchange) -> ClientFault {
        guard !exchange.isResponseBegun else { return .truncated }
        return .closedBeforeResponse(
            isRetrySafe: servedCount > 0 && exchange.method.isIdempotent
        )
    }

    private mutating func fail(_ fault: ClientFault, into actions: inout [Action]) {
        guard !isClosed else { return }
        state = .closed
        held.removeAll()
        actions.append(.failed(fault))
        actions.append(.close)
    }

    private mutating func send(_ bytes: [UInt8], now: Instant, into actions: inout [Action]) {
        guard !bytes.isEmpty else { return }
        output.queued(byteCount: bytes.count, now: now)
        actions.append(.send(bytes))
    }

    private mutating func adjustReading(now: Instant, into actions: inout [Action]) {
        guard case .exchange(var exchange) = state else { return }
        let shouldPause =
            !held.isEmpty || exchange.unconsumedByteCount >= limits.unconsumedByteCountMax
        guard shouldPause != isReadingPaused else { return }
        isReadingPaused = shouldPause
        if exchange.isResponseHeadSeen { exchange.waitingSince = now }
        state = .exchange(exchange)
        actions.append(shouldPause ? .pauseReading : .resumeReading)
    }
}
