package import HTTP
package import Reactor

/// Where an HTTP client connects to, and how.
package struct HTTPClientConfiguration: Sendable {
    /// Tried in order until one accepts.
    package var addresses: [SocketAddress]
    /// What goes into `Host`.
    package var authority: Authority
    /// TLS with its verifier, or none.
    package var security: StreamSecurity
    /// For TCP and TLS together, per address.
    package var connectTimeout = Duration.seconds(10)
    /// Bounds of the answer, above all `bodyByteCountMax`.
    package var limits = Limits.standard

    /// The defaults: 10 s to connect, 1 MiB of answer.
    package init(addresses: [SocketAddress], authority: Authority, security: StreamSecurity) {
        self.addresses = addresses
        self.authority = authority
        self.security = security
    }
}

/// A complete answer.
package struct HTTPClientResponse: Sendable {
    /// Status and fields.
    package let head: ResponseHead
    /// The whole body.
    package let body: [UInt8]
    /// Who answered.
    package let identity: StreamIdentity
}

/// A small HTTP/1.1 client: one server, one connection, one request at a time.
///
/// Requests of several tasks wait for each other. The connection is kept for the next request; one
/// that the server closed meanwhile is replaced, and the request repeated if it is idempotent and
/// not a byte of answer came. Call `close` at the end.
package actor HTTPClient: ReactorBound {
    /// The thread that everything of this client happens on.
    package nonisolated let reactor: Reactor
    private let configuration: HTTPClientConfiguration
    private var connection: StreamConnection?
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// A client that connects with its first request.
    package init(on reactor: Reactor, configuration: HTTPClientConfiguration) {
        self.reactor = reactor
        self.configuration = configuration
    }

    /// Sends a request and reads the whole answer, all within `timeout`.
    ///
    /// `target` is a path with an optional query.
    package func send(
        _ method: Method,
        _ target: String,
        fields: HeaderFields = HeaderFields(),
        body: [UInt8] = [],
        timeout: Duration = .seconds(60)
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        guard let target = RequestTarget(target) else {
            throw .requestInvalid("a request target is a path such as /v1/services?limit=10")
        }
        let head = RequestHead(
            method: method,
            target: target,
            authority: configuration.authority,
            fields: fields,
            framing: body.isEmpty ? .none : .fixed(byteCount: body.count)
        )
        let request: [UInt8]
        do throws(SerializationFault) {
            request = try head.serialized() + body
        } catch {
            throw .requestInvalid(error.sentence)
        }
        let deadline = Reactor.Instant.now.advanced(by: timeout)
        await takeTurn()
        defer { endTurn() }
        if connection != nil {
            do throws(HTTPClientError) {
                return try await exchange(request, method, deadline)
            } catch {
                guard method.isIdempotent, error == .answerCutShort || error.isLoss,
                    !hasAnswerBegun
                else { throw error }
            }
        }
        try await connect(deadline)
        return try await exchange(request, method, deadline)
    }

    /// Closes the connection; a later request makes a new one.
    package func close() async {
        await connection?.close()
        connection = nil
    }

    private var hasAnswerBegun = false

    private func connect(_ deadline: Reactor.Instant) async throws(HTTPClientError) {
        var latest = HTTPClientError.requestInvalid("the server has no address to connect to")
        for address in configuration.addresses {
            let limit = Reactor.Instant.now.advanced(by: configuration.connectTimeout)
            do throws(StreamError) {
                connection = try await StreamConnection.connect(
                    to: address,
                    on: reactor,
                    security: configuration.security,
                    deadline: min(limit, deadline)
                )
                return
            } catch {
                latest = .connecting(to: "\(configuration.authority) (\(address))", error)
            }
        }
        throw latest
    }

    private func exchange(
        _ request: [UInt8],
        _ method: Method,
        _ deadline: Reactor.Instant
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        guard let connection else { throw .answerCutShort }
        hasAnswerBegun = false
        do throws(HTTPClientError) {
            var writeFailure: StreamError?
            do throws(StreamError) {
                try await connection.write(request)
            } catch {
                // A server may refuse a body early: its answer says why, if there is one.
                writeFailure = error
            }
            let (response, mayReuse) = try await readAnswer(
                on: connection,
                to: method,
                deadline,
                writeFailure
            )
            if !mayReuse || writeFailure != nil { await close() }
            return response
        } catch {
            await close()
            throw error
        }
    }

    private func readAnswer(
        on connection: StreamConnection,
        to method: Method,
        _ deadline: Reactor.Instant,
        _ writeFailure: StreamError?
    ) async throws(HTTPClientError) -> (HTTPClientResponse, mayReuse: Bool) {
        var parser = ResponseParser(limits: configuration.limits)
        parser.expect(method)
        var head: ResponseHead?
        var body: [UInt8] = []
        while true {
            let bytes: [UInt8]?
            do throws(StreamError) {
                bytes = try await connection.read(deadline: deadline)
            } catch {
                if error == .timedOut(.reading) { throw .timedOut }
                throw .lost(writeFailure ?? error)
            }
            guard let bytes else {
                guard let head, parser.peerClosed() else { throw .answerCutShort }
                let identity = await connection.identity
                return (HTTPClientResponse(head: head, body: body, identity: identity), false)
            }
            hasAnswerBegun = true
            var offset = 0
            reading: while true {
                let event: ResponseEvent
                do throws(MessageFault) {
                    event = try parser.next(in: bytes.span, from: &offset)
                } catch {
                    throw .answerRefused(error)
                }
                switch event {
                case .incomplete: break reading
                case .informational: continue
                case .head(let received): head = received
                case .body(let range): body += bytes[range]
                case .end:
                    guard let head else { throw .answerRefused(.statusLineMalformed) }
                    let mayReuse = head.allowsReuse && offset == bytes.count
                    let identity = await connection.identity
                    return (
                        HTTPClientResponse(head: head, body: body, identity: identity), mayReuse
                    )
                }
            }
        }
    }

    private func takeTurn() async {
        if isBusy {
            await withCheckedContinuation { waiting.append($0) }
        }
        isBusy = true
    }

    private func endTurn() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }
}

extension HTTPClientError {
    fileprivate var isLoss: Bool {
        if case .lost = self { return true }
        return false
    }
}
