import HTTP
import Reactor

/// Drives one server connection: socket and TLS on one side, the HTTP machine on the other.
///
/// All of it happens on the lane's reactor, called by the reactor's events and the handler's task.
actor HTTPServerConnection: ReactorBound, ServedConnection {
    typealias Machine = ServerConnectionMachine

    /// Receives per turn, so that one busy connection does not starve the others.
    static let receivesPerTurnMax = 4
    /// A streamed body's producer waits while more than this is unsent.
    static let streamedByteCountMax = 64 * 1024

    nonisolated let reactor: Reactor
    nonisolated let peerAddress: SocketAddress
    private let lane: ServerLane
    private let configuration: HTTPServerConfiguration
    private let handler: HTTPServer.RequestHandler
    private let port: StreamPort
    private var machine: Machine
    private var token = DescriptorToken.none
    private var timer = TimerToken.none
    private var handshakeDeadline: Reactor.Instant?
    private var isClosed = false
    private var isReadingPaused = false

    private var waitingActions: [Machine.Action] = []
    private var isPerforming = false

    /// Plaintext that waits to be sent, and how much of it the port has queued.
    private var outgoing: [ArraySlice<UInt8>] = []
    private var outgoingHead = 0
    private var queuedByteCount = 0
    /// What to do when all is sent.
    private var afterSending = AfterSending.nothing

    private var request: HTTPRequest?
    private var bodyByteCountMax = 0
    private var task: Task<Void, Never>?
    private var waitingProducers: [CheckedContinuation<Void, Never>] = []

    private enum AfterSending {
        case nothing
        case finish
        case close
    }

    init(
        _ socket: consuming Descriptor,
        peerAddress: SocketAddress,
        lane: ServerLane,
        configuration: HTTPServerConfiguration,
        handler: @escaping HTTPServer.RequestHandler
    ) throws(StreamError) {
        reactor = lane.reactor
        self.peerAddress = peerAddress
        self.lane = lane
        self.configuration = configuration
        self.handler = handler
        port = try StreamPort(
            socket,
            peerAddress: peerAddress,
            on: lane.reactor,
            security: configuration.security.map(StreamSecurity.server) ?? .none
        )
        machine = Machine(policy: configuration.policy, now: lane.reactor.now)
    }

    nonisolated func start() {
        assumeIsolated { $0.begin() }
    }

    nonisolated func shutDown() {
        assumeIsolated { connection in
            if connection.port.isHandshaking { return connection.end() }
            connection.perform(connection.machine.shutDown(now: connection.reactor.now))
        }
    }

    nonisolated func cut() {
        assumeIsolated { $0.abort() }
    }

    private func begin() {
        if port.isHandshaking {
            let timeout = configuration.connectionLimits.handshakeTimeout
            handshakeDeadline = reactor.now.advanced(by: timeout)
        }
        do throws(SystemError) {
            token = try reactor.register(port.descriptor, handler: self)
        } catch {
            fail(.system(error))
            return
        }
        adjustTimer()
    }
}

extension HTTPServerConnection: EventHandler, TimerHandler {
    nonisolated func ready(_ events: ReadyEvents, on reactor: Reactor) {
        assumeIsolated { connection in
            if events.isWritable { connection.sendOutgoing() }
            if events.isReadable { connection.receive() }
            connection.adjustTimer()
        }
    }

    nonisolated func timerFired(_ timer: TimerToken, on reactor: Reactor) {
        assumeIsolated { connection in
            connection.timer = .none
            let now = Reactor.Instant.now
            if let deadline = connection.handshakeDeadline {
                if now >= deadline { return connection.fail(.timedOut(.handshake)) }
            } else {
                connection.perform(connection.machine.timerFired(now: now))
            }
            connection.adjustTimer()
        }
    }

    /// Arms the one timer for the earliest thing that may be missed.
    private func adjustTimer() {
        guard !isClosed, let deadline = handshakeDeadline ?? machine.deadline else {
            reactor.cancel(timer)
            timer = .none
            return
        }
        if !reactor.move(timer, to: deadline) { timer = reactor.schedule(at: deadline, self) }
    }
}

extension HTTPServerConnection {
    private func receive() {
        for _ in 0..<Self.receivesPerTurnMax {
            guard !isClosed, !isReadingPaused else { return }
            let outcome = port.receive()
            if handshakeDeadline != nil, port.isEstablished { beginHTTP() }
            switch outcome {
            case .bytes(let bytes):
                perform(machine.received(bytes.span, now: reactor.now))
            case .progress:
                sendOutgoing()
            case .wouldBlock:
                return
            case .end:
                isReadingPaused = true
                perform(machine.peerClosed(now: reactor.now))
                return
            case .failed(let error):
                return fail(error)
            }
        }
        if !isClosed { reactor.revisit(token, as: .readable) }
    }

    /// The first request gets its own time, from the end of the handshake on.
    private func beginHTTP() {
        handshakeDeadline = nil
        machine = Machine(policy: configuration.policy, now: reactor.now)
    }

    /// The connection broke, in the handshake or later.
    private func fail(_ error: StreamError) {
        guard !isClosed else { return }
        if handshakeDeadline != nil {
            lane.observe(.connectionFailed(peerAddress, error))
            // The alert, if there is one, tells the peer why.
            _ = try? port.flush()
        }
        perform(machine.connectionLost())
        end()
    }

    /// Performs actions in the order in which the machine gave them.
    ///
    /// An action may give the machine another event; what follows from that waits its turn, or a
    /// "resume" would overtake the "pause" it answers.
    private func perform(_ actions: [Machine.Action]) {
        waitingActions += actions
        guard !isPerforming else { return }
        isPerforming = true
        defer { isPerforming = false }
        while !waitingActions.isEmpty {
            let batch = waitingActions
            waitingActions = []
            for action in batch {
                guard !isClosed else { return waitingActions = [] }
                perform(action)
            }
        }
        sendOutgoing()
    }

    private func perform(_ action: Machine.Action) {
        switch action {
        case .request(let head):
            accept(head)
        case .body(let bytes):
            take(bytes)
        case .requestEnded:
            serve()
        case .requestFailed(let fault):
            lane.observe(.requestRefused(peerAddress, code: fault.code))
            dropRequest()
        case .refused(let fault):
            lane.observe(.requestRefused(peerAddress, code: fault.code))
        case .send(let bytes):
            outgoing.append(bytes[...])
        case .pauseReading:
            isReadingPaused = true
        case .resumeReading:
            isReadingPaused = false
            reactor.revisit(token, as: .readable)
        case .finish:
            afterSending = .finish
        case .close:
            afterSending = .close
        case .abort:
            abort()
        }
    }

    /// Encrypts and sends what waits, as far as the socket takes it.
    private func sendOutgoing() {
        do throws(StreamError) {
            while !isClosed {
                guard try port.flush() else { return }
                if queuedByteCount > 0 {
                    machine.written(byteCount: queuedByteCount, now: reactor.now)
                    queuedByteCount = 0
                    wakeProducers()
                }
                guard outgoingHead < outgoing.count else { break }
                queuedByteCount = try port.enqueue(outgoing[outgoingHead])
                outgoing[outgoingHead] = outgoing[outgoingHead].dropFirst(queuedByteCount)
                if outgoing[outgoingHead].isEmpty { outgoingHead += 1 }
            }
            outgoing.removeAll()
            outgoingHead = 0
            try finishSending()
        } catch {
            fail(error)
        }
    }

    private func finishSending() throws(StreamError) {
        switch afterSending {
        case .nothing:
            break
        case .finish:
            afterSending = .nothing
            port.enqueueClosure()
            _ = try port.flush()
            do throws(SystemError) {
                try port.descriptor.shutdownWrite()
            } catch {
                throw .system(error)
            }
        case .close:
            port.enqueueClosure()
            _ = try port.flush()
            end()
        }
    }
}

extension HTTPServerConnection {
    private func accept(_ head: RequestHead) {
        let context = RequestContext(
            peerAddress: peerAddress,
            identity: port.identity,
            requestID: RequestContext.makeRequestID()
        )
        request = HTTPRequest(head: head, body: [], context: context)
        let now = reactor.now
        bodyByteCountMax = configuration.bodyByteCountMax(head)
        perform(machine.limitBody(byteCount: bodyByteCountMax, now: now))
        if !isClosed { perform(machine.bodyWanted(now: now)) }
    }

    /// Adds to the body of the request.
    ///
    /// The machine enforces the limit on what it has not parsed yet; a body that came together with
    /// its head was parsed before the route's limit was known.
    private func take(_ bytes: [UInt8]) {
        guard let held = request?.body.count else { return }
        if held + bytes.count <= bodyByteCountMax {
            request?.body += bytes
            return perform(machine.consumed(byteCount: bytes.count, now: reactor.now))
        }
        request = nil
        let fault = MessageFault.bodyTooLarge
        lane.observe(.requestRefused(peerAddress, code: fault.code))
        let text = "{\"errors\":[\"\(fault.sentence)\"],\"code\":\"\(fault.code)\"}"
        var head = ResponseHead(status: fault.status)
        head.allowsReuse = false
        do {
            try head.fields.append(.contentType, "application/json")
            perform(try machine.respond(head, body: Array(text.utf8), now: reactor.now))
        } catch {
            abort()
        }
    }

    private func serve() {
        guard let request else { return }
        self.request = nil
        let handler = handler
        task = Task(executorPreference: reactor) {
            let response = await handler(request)
            await self.answer(request, response)
        }
    }

    private func answer(_ request: HTTPRequest, _ response: HTTPResponse) async {
        guard !isClosed, !Task.isCancelled else { return }
        var head = ResponseHead(status: response.status, fields: response.fields)
        head.allowsReuse = !response.closesConnection
        if !head.fields.contains(.xRequestID) {
            // A full list of fields has no room for one more; the answer matters more.
            try? head.fields.append(.xRequestID, request.context.requestID)
        }
        do throws(ExchangeMisuse) {
            switch response.body {
            case .bytes(let bytes):
                task = nil
                let body = response.status.forbidsBody ? [] : bytes
                perform(try machine.respond(head, body: body, now: reactor.now))
            case .stream(let produce):
                perform(try machine.respond(head, framing: .chunked, now: reactor.now))
                adjustTimer()
                do {
                    try await produce(HTTPBodyWriter(connection: self))
                    guard !isClosed, !Task.isCancelled else { return }
                    task = nil
                    perform(try machine.respondEnd(now: reactor.now))
                } catch {
                    // Cut, so that what was sent does not look like a complete answer.
                    perform(machine.abandonResponse())
                }
            }
        } catch {
            lane.observe(.requestRefused(peerAddress, code: "http.response.\(error)"))
            abort()
        }
        if !isClosed { adjustTimer() }
    }

    /// Sends part of a streamed body and waits while the peer is behind.
    func writeBody(_ bytes: [UInt8]) async throws(StreamError) {
        guard !isClosed else { throw .closed }
        guard !Task.isCancelled else { throw .cancelled }
        do throws(ExchangeMisuse) {
            perform(try machine.respondBody(bytes, now: reactor.now))
        } catch {
            throw .closed
        }
        adjustTimer()
        while !isClosed, machine.unsentByteCount > Self.streamedByteCountMax {
            await withCheckedContinuation { waitingProducers.append($0) }
        }
        guard !isClosed else { throw .closed }
    }

    private func dropRequest() {
        request = nil
        task?.cancel()
        task = nil
        wakeProducers()
    }

    private func wakeProducers() {
        let waiting = waitingProducers
        waitingProducers = []
        for producer in waiting { producer.resume() }
    }

    private func abort() {
        guard !isClosed else { return }
        // Without the option the close is an ordinary one, which ends the connection as well.
        try? port.descriptor.setResetOnClose()
        end()
    }

    /// Closes at once and lets go of everything.
    private func end() {
        guard !isClosed else { return }
        isClosed = true
        reactor.cancel(timer)
        reactor.deregister(token, closing: port.descriptor.take())
        outgoing = []
        dropRequest()
        lane.assumeIsolated { $0.ended(self, peerAddress) }
    }
}
