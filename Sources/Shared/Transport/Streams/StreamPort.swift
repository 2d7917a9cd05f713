import Reactor
import TLS
import Wire

/// One socket and its TLS session, driven by hand: receive, queue, send; nothing here waits.
///
/// Confined to its reactor's thread; the scratch buffers are the reactor's.
final class StreamPort {
    /// Bytes that one receive takes from the socket, and that are encrypted at once.
    static let portionByteCountMax = 64 * 1024

    /// What one attempt to receive came to.
    enum Received {
        case bytes([UInt8])
        /// Only TLS's own bytes; try again.
        case progress
        case wouldBlock
        /// The peer finished its direction, properly.
        case end
        case failed(StreamError)
    }

    let reactor: Reactor
    var descriptor: Descriptor
    private let session: TLSSession?
    private var unsent = ByteQueue(
        capacity: TLSLimits.ciphertextRoom(forPlaintext: portionByteCountMax)
            + TLSLimits.handshakeByteCountMax
    )
    /// The peer makes us answer without reading our answers.
    private var isFlooded = false

    init(
        _ socket: consuming Descriptor,
        peerAddress: SocketAddress,
        on reactor: Reactor,
        security: StreamSecurity
    ) throws(StreamError) {
        self.reactor = reactor
        do throws(TLSConfigurationError) {
            session = try security.makeSession()
        } catch {
            throw .configuration(error)
        }
        do throws(SystemError) {
            if peerAddress.ipAddress != nil { try socket.setNoDelay() }
        } catch {
            throw .system(error)
        }
        descriptor = socket
    }

    var identity: StreamIdentity { session.map(StreamIdentity.init) ?? StreamIdentity() }
    var isHandshaking: Bool { session?.status == .handshaking }
    /// Whether application bytes may pass: past the handshake, and not failed.
    var isEstablished: Bool {
        guard let session else { return true }
        return session.status == .open || session.status == .peerFinished
    }

    /// Queues a client's first bytes.
    func startHandshake() {
        guard let session else { return }
        reactor.withScratch { ciphertext in
            let progress = session.start(ciphertext: &ciphertext)
            keep(ciphertext.span.extracting(first: progress.ciphertextByteCount))
        }
    }

    /// Sends a question that any socket takes whole.
    func sendInClear(_ bytes: [UInt8]) throws(StreamError) {
        guard case .bytes(bytes.count) = descriptor.send(bytes.span) else { throw .closed }
    }

    /// At most two bytes past TLS; nil where there are none yet.
    func receiveInClear() throws(StreamError) -> [UInt8]? {
        let result: Received = reactor.withScratch { room in
            var part = room._mutatingExtracting(first: 2)
            switch descriptor.receive(into: &part) {
            case .bytes(let count): return .bytes(copy(part.span.extracting(first: count)))
            case .wouldBlock: return .wouldBlock
            case .endOfFile: return .end
            case .failed(let error): return .failed(.system(error))
            }
        }
        switch result {
        case .bytes(let bytes): return bytes
        case .progress, .wouldBlock: return nil
        case .end: throw .closed
        case .failed(let error): throw error
        }
    }

    func receive() -> Received {
        guard descriptor.isOpen else { return .failed(.closed) }
        // Also when close_notify came together with the bytes that the last call returned.
        if let session, let end = ended(session) { return end }
        return reactor.withScratch { room in
            var part = room._mutatingExtracting(first: Self.portionByteCountMax)
            switch descriptor.receive(into: &part) {
            case .bytes(let count):
                guard let session else {
                    return .bytes(copy(part.span.extracting(first: count)))
                }
                return open(part.span.extracting(first: count), in: session)
            case .wouldBlock:
                return .wouldBlock
            case .endOfFile:
                guard let session else { return .end }
                _ = session.receiveEnd()
                return ended(session) ?? .end
            case .failed(let error):
                return .failed(.system(error))
            }
        }
    }

    /// Queues at most one portion, encrypted where that is due; returns how many bytes it took.
    ///
    /// Only when nothing is unsent.
    func enqueue(_ bytes: ArraySlice<UInt8>) throws(StreamError) -> Int {
        let portion = bytes.prefix(Self.portionByteCountMax)
        guard let session else {
            keep(portion.span)
            return portion.count
        }
        let consumed = reactor.withScratch { ciphertext in
            let progress = session.send(portion.span, ciphertext: &ciphertext)
            keep(ciphertext.span.extracting(first: progress.ciphertextByteCount))
            session.releaseBuffers()
            return progress.consumedByteCount
        }
        guard consumed > 0 else {
            if let failure = session.failure { throw .tls(failure) }
            throw .writingFinished
        }
        return consumed
    }

    /// Queues close_notify where there is TLS.
    func enqueueClosure() {
        guard let session, session.status != .handshaking else { return }
        reactor.withScratch { ciphertext in
            let progress = session.finishSending(ciphertext: &ciphertext)
            keep(ciphertext.span.extracting(first: progress.ciphertextByteCount))
        }
    }

    /// Sends what the socket takes now; true when nothing is left.
    func flush() throws(StreamError) -> Bool {
        guard !isFlooded else { throw .timedOut(.writing) }
        guard descriptor.isOpen else { throw .closed }
        while !unsent.isEmpty {
            switch descriptor.send(unsent.slice.span) {
            case .bytes(let count): unsent.consume(count)
            case .wouldBlock: return false
            case .failed(let error): throw .system(error)
            case .endOfFile: throw .closed
            }
        }
        // A quiet stream keeps no room for what it once had to send.
        unsent.removeAll()
        return true
    }

    /// Decrypts one receive; the room that the limits name takes it whole.
    private func open(_ input: Span<UInt8>, in session: TLSSession) -> Received {
        reactor.withScratch { plaintext in
            reactor.withScratch { ciphertext in
                var bytes: [UInt8] = []
                var offset = 0
                repeat {
                    let progress = session.receive(
                        input.extracting(offset..<input.count),
                        plaintext: &plaintext,
                        ciphertext: &ciphertext
                    )
                    offset += progress.consumedByteCount
                    bytes += copy(plaintext.span.extracting(first: progress.plaintextByteCount))
                    keep(ciphertext.span.extracting(first: progress.ciphertextByteCount))
                    if progress.status == .failed { break }
                } while offset < input.count || session.hasPlaintext
                session.releaseBuffers()
                if !bytes.isEmpty { return .bytes(bytes) }
                return ended(session) ?? .progress
            }
        }
    }

    /// The end that a session has come to, or nil.
    private func ended(_ session: TLSSession) -> Received? {
        switch session.status {
        case .handshaking, .open: nil
        case .peerFinished: .end
        case .failed: session.failure.map { .failed(.tls($0)) } ?? .failed(.closed)
        }
    }

    private func keep(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        do throws(WireError) {
            try unsent.append(copy(bytes))
        } catch {
            isFlooded = true
        }
    }
}

/// The bytes of a span as an array of its own.
func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    [UInt8](capacity: bytes.count) { output in
        for index in bytes.indices { output.append(bytes[index]) }
    }
}
