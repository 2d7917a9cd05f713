package import Reactor

/// One TCP connection, plain or TLS, as an async stream of bytes on its reactor.
///
/// Bytes are only received when somebody reads, and `write` returns when the kernel has them all: a
/// slow side holds the other one back, and memory stays bounded. Any number of tasks may write (one
/// after the other, whole calls), one may read. The owner must call `close`.
package actor StreamConnection: ReactorBound {
    /// Without one byte sent for so long, a write fails.
    package static let writeStallTimeout = Duration.seconds(30)

    /// The thread that everything of this connection happens on.
    package nonisolated let reactor: Reactor
    /// Where the peer is.
    package nonisolated let peerAddress: SocketAddress

    private let port: StreamPort
    private let source: ReadinessSource
    /// Plaintext that came in together with the end of the handshake.
    private var early: [UInt8] = []
    private var isReadFinished = false
    private var isWriteFinished = false
    private var isClosed = false
    private var isWriting = false
    private var waitingWriters: [CheckedContinuation<Void, Never>] = []

    /// Takes over a connected socket; on the reactor's thread.
    package init(
        _ socket: consuming Descriptor,
        peerAddress: SocketAddress,
        on reactor: Reactor,
        security: StreamSecurity
    ) throws(StreamError) {
        self.reactor = reactor
        self.peerAddress = peerAddress
        let port = try StreamPort(
            socket,
            peerAddress: peerAddress,
            on: reactor,
            security: security
        )
        do throws(SystemError) {
            source = try ReadinessSource.make(for: port.descriptor, on: reactor)
        } catch {
            throw .system(error)
        }
        self.port = port
    }

    /// What the handshake agreed on.
    package var identity: StreamIdentity { port.identity }

    /// Whether `close` was called.
    package var isOpen: Bool { !isClosed }

    /// Waits for the kernel's answer to a connect that is under way.
    func finishConnecting(deadline: Reactor.Instant) async throws(StreamError) {
        do throws(ReadinessError) {
            try await source.writable(deadline: deadline)
        } catch {
            throw StreamError(error, in: .connecting)
        }
        if let error = port.descriptor.takeError() { throw .system(error) }
    }

    /// Says a few bytes in clear before the TLS handshake, and gives the first of the answer: more than
    /// one only where they came together.
    package func ask(
        _ bytes: [UInt8],
        deadline: Reactor.Instant
    ) async throws(StreamError) -> [UInt8] {
        try port.sendInClear(bytes)
        while true {
            guard !isClosed else { throw .closed }
            if let answer = try port.receiveInClear() { return answer }
            try await wait(.handshake, deadline: deadline)
        }
    }

    /// Performs the TLS handshake; for a plain stream nothing.
    ///
    /// On failure the alert has been sent as far as the socket takes it.
    package func handshake(deadline: Reactor.Instant) async throws(StreamError) {
        port.startHandshake()
        if port.isHandshaking {
            // Each step costs as much as a hundred frames of those who are connected; the first as
            // well, for which everything is often there when the connection is taken.
            await reactor.giveWay(hasBegun: false)
            guard !isClosed else { throw .closed }
        }
        try await sendUnsent(.handshake) { _ in deadline }
        var hasBegun = false
        while port.isHandshaking {
            switch port.receive() {
            case .bytes(let bytes):
                early += bytes
            case .progress:
                hasBegun = true
            case .wouldBlock:
                try await wait(.handshake, deadline: deadline)
                await reactor.giveWay(hasBegun: hasBegun)
                guard !isClosed else { throw .closed }
            case .end:
                break
            case .failed(let error):
                trySend()
                throw error
            }
            try await sendUnsent(.handshake) { _ in deadline }
        }
    }

    /// The next bytes, at least one; nil once the peer has finished its direction.
    ///
    /// A TLS stream that ends without close_notify fails with `truncated`. Without a deadline it
    /// waits as long as the peer does.
    package func read(
        deadline: Reactor.Instant? = nil
    ) async throws(StreamError) -> [UInt8]? {
        guard !isClosed else { throw .closed }
        if !early.isEmpty {
            defer { early = [] }
            return early
        }
        while !isReadFinished {
            switch port.receive() {
            case .bytes(let bytes):
                trySend()
                return bytes
            case .progress:
                trySend()
            case .wouldBlock:
                try await wait(.reading, deadline: deadline)
            case .end:
                isReadFinished = true
            case .failed(let error):
                trySend()
                throw error
            }
        }
        return nil
    }

    /// Writes all bytes; returns when the kernel has taken them.
    ///
    /// Fails when the peer takes nothing for `writeStallTimeout`, or less if `stallTimeout` says so.
    package func write(
        _ bytes: [UInt8],
        stallTimeout: Duration = writeStallTimeout
    ) async throws(StreamError) {
        try await asOnlyWriter { (self: isolated StreamConnection) throws(StreamError) in
            guard !self.isWriteFinished else { throw .writingFinished }
            var offset = 0
            while offset < bytes.count {
                guard !self.isClosed else { throw .closed }
                // What a read or a cancelled write left behind goes first.
                try await self.sendUnsent(.writing) { $0.advanced(by: stallTimeout) }
                offset += try self.port.enqueue(bytes[offset...])
                try await self.sendUnsent(.writing) { $0.advanced(by: stallTimeout) }
            }
        }
    }

    /// Ends our direction (close_notify, then FIN) and leaves the peer's open.
    package func finishWriting(
        stallTimeout: Duration = writeStallTimeout
    ) async throws(StreamError) {
        try await asOnlyWriter { (self: isolated StreamConnection) throws(StreamError) in
            guard !self.isWriteFinished else { return }
            self.isWriteFinished = true
            self.port.enqueueClosure()
            try await self.sendUnsent(.writing) { $0.advanced(by: stallTimeout) }
            do throws(SystemError) {
                try self.port.descriptor.shutdownWrite()
            } catch {
                throw .system(error)
            }
        }
    }

    /// Reads and drops what the peer still sends, until it ends or a bound is met.
    ///
    /// Between `finishWriting` and `close`: closing a socket with unread bytes sends a reset, which
    /// may take our last bytes away from the peer (RFC 9112 section 9.6).
    package func discardInput(
        deadline: Reactor.Instant,
        byteCountMax: Int
    ) async {
        var left = byteCountMax
        do throws(StreamError) {
            while left > 0, let bytes = try await read(deadline: deadline) { left -= bytes.count }
        } catch {
            return
        }
    }

    /// Closes at once; waiting tasks get `closed`.
    ///
    /// A TLS stream says close_notify if the socket takes it. Safe to call again.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        if !isWriteFinished { port.enqueueClosure() }
        trySend()
        letGo()
    }

    /// Closes at once with a reset and drops what was not sent.
    package func abort() {
        guard !isClosed else { return }
        // Without the option the close is an ordinary one, which ends the connection as well.
        try? port.descriptor.setResetOnClose()
        isClosed = true
        letGo()
    }

    private func letGo() {
        source.close()
        port.descriptor.close()
        for writer in waitingWriters { writer.resume() }
        waitingWriters = []
    }

    isolated deinit {
        // An owner that forgot to close: the reactor must let go before the number is used again.
        if !isClosed { letGo() }
    }
}

extension StreamConnection {
    /// Sends what the socket takes now; a failure shows at the next write.
    private func trySend() {
        _ = try? port.flush()
    }

    /// Sends all that waits; each wait gets a deadline of its own from the time it begins.
    private func sendUnsent(
        _ phase: StreamError.Phase,
        deadline: (Reactor.Instant) -> Reactor.Instant
    ) async throws(StreamError) {
        while true {
            guard !isClosed else { throw .closed }
            if try port.flush() { return }
            do throws(ReadinessError) {
                try await source.writable(deadline: deadline(reactor.now))
            } catch {
                throw StreamError(error, in: phase)
            }
        }
    }

    private func wait(
        _ phase: StreamError.Phase,
        deadline: Reactor.Instant?
    ) async throws(StreamError) {
        do throws(ReadinessError) {
            try await source.readable(deadline: deadline)
        } catch {
            throw StreamError(error, in: phase)
        }
    }

    /// Keeps the calls of several writers whole and apart.
    private func asOnlyWriter(
        _ body: (isolated StreamConnection) async throws(StreamError) -> Void
    ) async throws(StreamError) {
        while isWriting {
            await withCheckedContinuation { waitingWriters.append($0) }
        }
        guard !isClosed else { throw .closed }
        isWriting = true
        defer {
            isWriting = false
            if !waitingWriters.isEmpty { waitingWriters.removeFirst().resume() }
        }
        try await body(self)
    }
}
