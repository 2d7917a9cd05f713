/// A call that does not fit the state of the exchange: our own mistake, or an answer too late.
package enum ExchangeMisuse: Error, Equatable, Sendable, CaseIterable {
    /// No request is in service; it failed meanwhile, or was answered.
    case noExchange
    case headSentAlready
    case headNotSent
    /// The head asks for a framing that its status or version does not have.
    case framingNotAllowed
    /// More bytes than the declared length.
    case bodyTooLong

    /// What is wrong, for the log.
    package var sentence: String {
        switch self {
        case .noExchange: "No exchange is open on this connection."
        case .headSentAlready: "The head of this message was sent already."
        case .headNotSent: "The head of this message was not sent yet."
        case .framingNotAllowed: "This message can not have a body of that framing."
        case .bodyTooLong: "The body is longer than its declared length."
        }
    }
}

extension ServerConnectionMachine {
    /// Answers the request in service with a head; an informational one may come before it.
    ///
    /// `framing` is that of the body to come, `.none` and `.fixed(0)` alike for an empty one.
    /// Chunked becomes close-delimited for HTTP/1.0.
    package mutating func respond(
        _ head: ResponseHead,
        framing: BodyFraming,
        now: Instant
    ) throws(ExchangeMisuse) -> [Action] {
        guard case .exchange(var exchange) = state else { throw .noExchange }
        guard exchange.response == .awaited else { throw .headSentAlready }
        var actions: [Action] = []
        var head = head
        head.framing = framing
        if framing == .chunked, exchange.head.version == .http10 { head.framing = .untilClose }
        if !head.status.isInformational {
            if !head.allowsReuse || head.framing == .untilClose || isShuttingDown
                || isBodyHopeless(exchange)
            {
                exchange.closesAfterResponse = true
            }
            head.allowsReuse = !exchange.closesAfterResponse
            exchange.response = started(head, exchange.head.method)
        }
        do throws(SerializationFault) {
            send(try head.serialized(), now: now, into: &actions)
        } catch {
            throw .framingNotAllowed
        }
        state = .exchange(exchange)
        return actions
    }

    /// Sends part of the response's body; dropped where the response can have none (HEAD).
    package mutating func respondBody(
        _ bytes: [UInt8],
        now: Instant
    ) throws(ExchangeMisuse) -> [Action] {
        guard case .exchange(var exchange) = state else { throw .noExchange }
        guard case .started(let framing, let rest, let isSwallowed) = exchange.response else {
            throw exchange.response == .awaited ? .headNotSent : .noExchange
        }
        var actions: [Action] = []
        guard !isSwallowed, !bytes.isEmpty else { return [] }
        switch framing {
        case .none: throw .bodyTooLong
        case .fixed:
            guard bytes.count <= rest else { throw .bodyTooLong }
            exchange.response = .started(
                framing: framing,
                rest: rest - bytes.count,
                isSwallowed: false
            )
            send(bytes, now: now, into: &actions)
        case .chunked: send(ChunkedCoding.chunk(bytes), now: now, into: &actions)
        case .untilClose: send(bytes, now: now, into: &actions)
        }
        state = .exchange(exchange)
        return actions
    }

    /// Ends the response.
    ///
    /// One shorter than its declared length cuts the connection: the peer could not tell otherwise.
    package mutating func respondEnd(now: Instant) throws(ExchangeMisuse) -> [Action] {
        guard case .exchange(var exchange) = state else { throw .noExchange }
        guard case .started(let framing, let rest, let isSwallowed) = exchange.response else {
            throw exchange.response == .awaited ? .headNotSent : .noExchange
        }
        guard isSwallowed || rest == 0 else { return abandonResponse() }
        var actions: [Action] = []
        if framing == .chunked, !isSwallowed {
            send(ChunkedCoding.end, now: now, into: &actions)
        }
        exchange.response = .ended
        exchange.unconsumedByteCount = 0
        state = .exchange(exchange)
        if exchange.isRequestEnded || exchange.closesAfterResponse {
            finishExchange(exchange, now: now, into: &actions)
        }
        return actions + proceed(now: now)
    }

    /// Answers with a head and a whole body.
    package mutating func respond(
        _ head: ResponseHead,
        body: [UInt8],
        now: Instant
    ) throws(ExchangeMisuse) -> [Action] {
        let framing: BodyFraming =
            head.status.forbidsBody ? .none : .fixed(byteCount: body.count)
        guard framing != .none || body.isEmpty else { throw .framingNotAllowed }
        guard !head.status.isInformational else { throw .framingNotAllowed }
        var actions = try respond(head, framing: framing, now: now)
        actions += try respondBody(body, now: now)
        actions += try respondEnd(now: now)
        return actions
    }

    /// Gives up a response that began: the connection is cut.
    package mutating func abandonResponse() -> [Action] {
        guard case .exchange = state else { return [] }
        state = .closed
        held.removeAll()
        return [.abort]
    }

    /// Whether reading the rest of the request's body only to drop it is not worth it.
    private func isBodyHopeless(_ exchange: Exchange) -> Bool {
        guard !exchange.isRequestEnded else { return false }
        if exchange.isContinueOwed { return true }
        guard let rest = parser.restByteCount else { return false }
        return rest > limits.drainByteCountMax
    }

    private func started(_ head: ResponseHead, _ method: Method) -> Exchange.Response {
        let isSwallowed = method == .head || head.status.forbidsBody
        if case .fixed(let byteCount) = head.framing, !isSwallowed {
            return .started(framing: head.framing, rest: byteCount, isSwallowed: false)
        }
        return .started(framing: head.framing, rest: 0, isSwallowed: isSwallowed)
    }
}
