extension ServerConnectionMachine {
    /// A request in service and its response.
    struct Exchange {
        enum Response: Equatable {
            case awaited
            /// `rest` counts down a fixed length; a body that may not be sent is swallowed.
            case started(framing: BodyFraming, rest: Int, isSwallowed: Bool)
            case ended
        }

        let head: RequestHead
        var isRequestEnded = false
        var response = Response.awaited
        var closesAfterResponse: Bool
        var isContinueOwed: Bool
        var unconsumedByteCount = 0
        var drainedByteCount = 0
        var rate = RateWindow()

        init(_ head: RequestHead, now: Instant) {
            self.head = head
            closesAfterResponse = !head.allowsReuse
            isContinueOwed = head.expectsContinue && !head.framing.isEmpty
            if !head.framing.isEmpty, !isContinueOwed { rate.start(now: now) }
        }
    }

    /// Parses what may be parsed now; the rest stays for later.
    mutating func advance(
        _ bytes: Span<UInt8>,
        from offset: inout Int,
        now: Instant,
        into actions: inout [Action]
    ) {
        while mayParse {
            let event: RequestEvent
            do throws(MessageFault) {
                event = try parser.next(in: bytes, from: &offset)
            } catch {
                offset = bytes.count
                fail(error, now: now, into: &actions)
                return
            }
            switch event {
            case .incomplete:
                if case .idle = state, !parser.isBetweenRequests { state = .head(since: now) }
                return
            case .head(let head):
                isFirstRequest = false
                state = .exchange(Exchange(head, now: now))
                actions.append(.request(head))
            case .body(let range): accept(bytes, range, now: now, into: &actions)
            case .end: requestEnded(now: now, into: &actions)
            }
        }
        if case .lingering = state { offset = bytes.count }
        if case .closed = state { offset = bytes.count }
    }

    mutating func advanceHeld(now: Instant, into actions: inout [Action]) {
        guard mayParse else { return }
        let (bytes, start) = held.take()
        var offset = start
        advance(bytes.span, from: &offset, now: now, into: &actions)
        held.restore(bytes, from: offset)
    }

    /// After the state changed otherwise than by input.
    mutating func proceed(now: Instant) -> [Action] {
        var actions: [Action] = []
        advanceHeld(now: now, into: &actions)
        settleInputEnd(now: now, into: &actions)
        adjustReading(now: now, into: &actions)
        return actions
    }

    /// Once the peer ended and all it sent is parsed, nothing unfinished can become complete.
    mutating func settleInputEnd(now: Instant, into actions: inout [Action]) {
        guard isInputEnded, held.isEmpty else { return }
        switch state {
        case .idle, .head: close(into: &actions)
        case .exchange(let exchange):
            // While the handler has too much to use, the end of the body may not be parsed yet.
            if !exchange.isRequestEnded, mayParse {
                fail(.messageTruncated, now: now, into: &actions)
            }
        case .lingering, .closed: break
        }
    }

    private var mayParse: Bool {
        switch state {
        case .idle, .head: true
        case .exchange(let exchange):
            !exchange.isRequestEnded
                && exchange.unconsumedByteCount < limits.unconsumedByteCountMax
        case .lingering, .closed: false
        }
    }

    private mutating func accept(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>,
        now: Instant,
        into actions: inout [Action]
    ) {
        guard case .exchange(var exchange) = state else { return }
        exchange.isContinueOwed = false
        if !exchange.rate.isRunning { exchange.rate.start(now: now) }
        exchange.rate.received(byteCount: range.count)
        guard exchange.response == .ended else {
            exchange.unconsumedByteCount += range.count
            state = .exchange(exchange)
            actions.append(.body(bytes.bytes(range)))
            return
        }
        exchange.drainedByteCount += range.count
        state = .exchange(exchange)
        if exchange.drainedByteCount > limits.drainByteCountMax { close(into: &actions) }
    }

    private mutating func requestEnded(now: Instant, into actions: inout [Action]) {
        guard case .exchange(var exchange) = state else { return }
        exchange.isRequestEnded = true
        exchange.rate.stop()
        state = .exchange(exchange)
        if exchange.response == .ended {
            finishExchange(exchange, now: now, into: &actions)
        } else {
            actions.append(.requestEnded)
        }
    }

    /// Request and response are complete: the next request, or the end.
    mutating func finishExchange(
        _ exchange: Exchange,
        now: Instant,
        into actions: inout [Action]
    ) {
        if exchange.closesAfterResponse || isShuttingDown {
            linger(dropped: exchange.drainedByteCount, now: now, into: &actions)
        } else {
            state = held.isEmpty ? .idle(since: now) : .head(since: now)
        }
    }

    /// Ends our side and drops what still comes, for a while.
    mutating func linger(dropped: Int, now: Instant, into actions: inout [Action]) {
        held.removeAll()
        if isInputEnded {
            close(into: &actions)
            return
        }
        let until = output.unsentByteCount == 0 ? now + limits.lingerTimeout : nil
        state = .lingering(droppedByteCount: dropped, until: until)
        actions.append(.finish)
        if isReadingPaused {
            isReadingPaused = false
            actions.append(.resumeReading)
        }
    }

    mutating func drop(
        _ byteCount: Int,
        after dropped: Int,
        until: Instant?,
        into actions: inout [Action]
    ) {
        let total = dropped + byteCount
        state = .lingering(droppedByteCount: total, until: until)
        if total > limits.drainByteCountMax { close(into: &actions) }
    }

    mutating func close(into actions: inout [Action]) {
        state = .closed
        held.removeAll()
        actions.append(.close)
    }

    mutating func send(_ bytes: [UInt8], now: Instant, into actions: inout [Action]) {
        guard !bytes.isEmpty else { return }
        output.queued(byteCount: bytes.count, now: now)
        actions.append(.send(bytes))
    }

    /// Refuses what the peer sent or failed to send; answers when no answer began yet.
    mutating func fail(_ fault: MessageFault, now: Instant, into actions: inout [Action]) {
        actions.append(.refused(fault))
        if case .exchange(let exchange) = state {
            if exchange.response != .ended { actions.append(.requestFailed(fault)) }
            guard exchange.response == .awaited else {
                held.removeAll()
                // A started response must not look complete; an ended one must still arrive.
                let isComplete = exchange.response == .ended
                state = .closed
                actions.append(isComplete ? .close : .abort)
                return
            }
        }
        send(Refusal.response(to: fault), now: now, into: &actions)
        linger(dropped: 0, now: now, into: &actions)
    }

    /// Pauses reading while bytes are held back or too many wait for the handler.
    mutating func adjustReading(now: Instant, into actions: inout [Action]) {
        let shouldPause: Bool
        switch state {
        case .idle, .head: shouldPause = false
        case .exchange(let exchange):
            shouldPause =
                !held.isEmpty || exchange.unconsumedByteCount >= limits.unconsumedByteCountMax
        case .lingering, .closed: return
        }
        guard shouldPause != isReadingPaused else { return }
        isReadingPaused = shouldPause
        actions.append(shouldPause ? .pauseReading : .resumeReading)
        guard case .exchange(var exchange) = state, !exchange.isRequestEnded else { return }
        // Time in which we did not read is not the peer's slowness.
        if shouldPause {
            exchange.rate.stop()
        } else if !exchange.isContinueOwed {
            exchange.rate.start(now: now)
        }
        state = .exchange(exchange)
    }
}

/// The answer of the connection itself to a message that no handler gets to see.
enum Refusal {
    static func response(to fault: MessageFault) -> [UInt8] {
        let body = "{\"errors\":[\"\(fault.sentence)\"],\"code\":\"\(fault.code)\"}"
        let status = fault.status
        var text = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n"
        text += "content-type: application/json\r\n"
        if status == .methodNotAllowed {
            text += "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, LIST\r\n"
        }
        text += "content-length: \(body.utf8.count)\r\nconnection: close\r\n\r\n"
        return Array((text + body).utf8)
    }
}
