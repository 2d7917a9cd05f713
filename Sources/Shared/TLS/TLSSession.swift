import COpenSSL

/// One TLS connection as bytes in and bytes out: no socket, no clock, no buffer of its own.
///
/// Every call borrows the caller's buffers (one reactor shares the same few among all its sessions)
/// and keeps nothing of them. With the room that `TLSLimits` names, `receive` and `send` always
/// consume their whole input. The steady state makes no heap allocation per record; after
/// `releaseBuffers()` a quiet session holds OpenSSL's connection state only.
///
/// Confined to the thread that drives it.
@safe
package final class TLSSession {
    /// The settings that the session was made with.
    package let context: TLSContext
    /// Where the session stands.
    package private(set) var status = TLSStatus.handshaking
    /// Why `status` is `failed`.
    package private(set) var failure: TLSFailure?
    /// Whether our close_notify was produced; nothing more can be sent then.
    package private(set) var isSendingFinished = false
    /// The server name, in lower case: received by a server, sent by a client.
    package internal(set) var serverName: String?
    /// Who the peer is; nil before the verifier ran and where no certificate is asked for.
    package private(set) var peer: PeerIdentity?
    /// The protocol that ALPN agreed on; nil before the handshake completed and where there is none.
    package private(set) var applicationProtocol: String?
    /// Ciphertext bytes that came in before the handshake completed.
    package private(set) var handshakeByteCount = 0

    /// What a callback of ours refused, more precise than the alert that it caused.
    var refusal: TLSFailure.Kind?
    var receivedAlert: TLSAlert?
    var sentAlert: TLSAlert?
    var refusedPeerReason: String?
    /// Nil once the handshake is complete: then nobody is asked again, and it holds no memory.
    private var verifier: PeerVerifier?
    private let raw: OpaquePointer
    private let window: UnsafeMutablePointer<RecordWindow>

    /// The server's side of a connection.
    package convenience init(server context: TLSContext) throws(TLSConfigurationError) {
        guard context.role == .server else { throw .wrongRole }
        try self.init(context: context, verifier: context.verifier)
        unsafe SSL_set_accept_state(raw)
    }

    /// The client's side of a connection; `start` produces the first bytes.
    ///
    /// `serverName` is sent as SNI (nil sends none, as for an address); `credentials` are shown when
    /// the server asks for a certificate; `verifier` decides instead of the context's.
    package convenience init(
        client context: TLSContext,
        serverName: String?,
        credentials: TLSCredentials? = nil,
        verifier: PeerVerifier? = nil
    ) throws(TLSConfigurationError) {
        guard context.role == .client else { throw .wrongRole }
        try self.init(context: context, verifier: verifier ?? context.verifier)
        unsafe SSL_set_connect_state(raw)
        if let serverName {
            guard
                let name = ServerName.canonical(serverName),
                unsafe tp_ssl_set_server_name(raw, name) == 1
            else { throw .invalidServerName }
            self.serverName = name
        }
        if let credentials, unsafe !credentials.install(in: raw) { throw .privateKeyMismatch }
    }

    private init(
        context: TLSContext,
        verifier: @escaping PeerVerifier
    ) throws(TLSConfigurationError) {
        guard let raw = unsafe SSL_new(context.raw) else {
            throw .openSSL(reason: takeErrorReason())
        }
        let window = UnsafeMutablePointer<RecordWindow>.allocate(capacity: 1)
        unsafe window.initialize(to: RecordWindow())
        guard let bio = unsafe RecordBIO.make(over: window) else {
            unsafe SSL_free(raw)
            unsafe window.deallocate()
            throw .openSSL(reason: takeErrorReason())
        }
        unsafe SSL_set_bio(raw, bio, bio)
        self.context = context
        self.verifier = verifier
        unsafe self.raw = raw
        unsafe self.window = unsafe window
        guard unsafe attach(self, to: raw) else { throw .openSSL(reason: takeErrorReason()) }
    }

    deinit {
        unsafe SSL_free(raw)
        unsafe window.deallocate()
    }

    /// Produces the bytes that start a client's handshake; for a server nothing.
    package func start(ciphertext: inout MutableSpan<UInt8>) -> TLSProgress {
        let none: [UInt8] = []
        return step(input: none.span, output: &ciphertext) { progress in
            if status == .handshaking { shakeHands() }
            progress.status = status
        }
    }

    /// Takes ciphertext from the peer: drives the handshake, then decrypts.
    ///
    /// Call it again with what was not consumed, or with empty input while `hasPlaintext`. Bytes
    /// after the peer's close_notify are dropped (RFC 8446 section 6.1).
    /// `plaintext` is room for application bytes, see `TLSLimits.plaintextRoom(forCiphertext:)`;
    /// `ciphertext` is room for handshake answers and alerts, 16 KiB suffice.
    package func receive(
        _ input: Span<UInt8>,
        plaintext: inout MutableSpan<UInt8>,
        ciphertext: inout MutableSpan<UInt8>
    ) -> TLSProgress {
        let count = input.count
        return unsafe plaintext.withUnsafeMutableBytes { room in
            step(input: input, output: &ciphertext) { progress in
                if status == .handshaking { shakeHands() }
                if status == .open {
                    progress.plaintextByteCount = unsafe decrypt(into: room)
                }
                if status == .peerFinished { progress.consumedByteCount = count }
                progress.status = status
            }
        }
    }

    /// Encrypts application bytes into whole records, gathered for one send.
    ///
    /// Consumes nothing before the handshake completed, after `finishSending` and after a failure.
    /// Less room than `TLSLimits.ciphertextRoom(forPlaintext:)` consumes less.
    package func send(
        _ plaintext: Span<UInt8>,
        ciphertext: inout MutableSpan<UInt8>
    ) -> TLSProgress {
        let room = ciphertext.count
        let none: [UInt8] = []
        var sent = 0
        var progress = unsafe plaintext.withUnsafeBytes { bytes in
            step(input: none.span, output: &ciphertext) { progress in
                if status == .open || status == .peerFinished, !isSendingFinished {
                    sent = unsafe encrypt(bytes, room: room)
                }
                progress.status = status
            }
        }
        progress.consumedByteCount = sent
        return progress
    }

    /// Produces close_notify: ends our direction and leaves the peer's open.
    package func finishSending(ciphertext: inout MutableSpan<UInt8>) -> TLSProgress {
        let none: [UInt8] = []
        return step(input: none.span, output: &ciphertext) { progress in
            if !isSendingFinished, status == .open || status == .peerFinished {
                // 0 means that the peer's close_notify is still to come: a half-closed connection.
                if unsafe SSL_shutdown(raw) < 0 { ERR_clear_error() }
            }
            isSendingFinished = true
            progress.status = status
        }
    }

    /// Notes that the peer's byte stream ended; without close_notify that is a failure.
    package func receiveEnd() -> TLSStatus {
        switch status {
        case .open:
            fail(
                TLSFailure(
                    kind: .truncated,
                    side: .peer,
                    reason: "the connection ended without close_notify"
                )
            )
        case .handshaking:
            fail(
                TLSFailure(
                    kind: .endedDuringHandshake,
                    side: .peer,
                    reason: "the connection ended during the TLS handshake"
                )
            )
        case .peerFinished, .failed:
            break
        }
        return status
    }

    /// Whether decrypted bytes wait inside the session for room.
    package var hasPlaintext: Bool { unsafe SSL_pending(raw) > 0 }

    /// Gives OpenSSL's record buffers back (about 33 KiB) unless they hold part of a record.
    ///
    /// Call it when a connection has nothing to do; the next record allocates again.
    package func releaseBuffers() {
        _ = unsafe SSL_free_buffers(raw)
    }

    /// The protocol version agreed on, for logs.
    package var version: String { unsafe String(cString: SSL_get_version(raw)) }
}

extension TLSSession {
    /// Lends OpenSSL the caller's buffers for the length of `body`.
    private func step(
        input: Span<UInt8>,
        output: inout MutableSpan<UInt8>,
        _ body: (inout TLSProgress) -> Void
    ) -> TLSProgress {
        var progress = TLSProgress()
        let count = input.count
        unsafe input.withUnsafeBytes { bytes in
            unsafe output.withUnsafeMutableBytes { room in
                unsafe window.pointee = unsafe RecordWindow(
                    input: bytes.baseAddress,
                    inputCount: bytes.count,
                    output: room.baseAddress,
                    outputRoom: room.count
                )
                body(&progress)
                progress.ciphertextByteCount = unsafe window.pointee.outputCount
                let taken = unsafe count - window.pointee.inputCount
                progress.consumedByteCount = max(progress.consumedByteCount, taken)
                unsafe window.pointee = RecordWindow()
            }
        }
        return progress
    }

    /// Goes on with the handshake as far as the input allows.
    private func shakeHands() {
        let before = unsafe window.pointee.inputCount
        let result = unsafe SSL_do_handshake(raw)
        unsafe handshakeByteCount += before - window.pointee.inputCount
        if result == 1 {
            completeHandshake()
        } else {
            failUnlessWaiting(result)
        }
        if status == .handshaking, handshakeByteCount > TLSLimits.handshakeByteCountMax {
            fail(
                TLSFailure(
                    kind: .handshakeTooLarge,
                    side: .local,
                    reason: "more than \(TLSLimits.handshakeByteCountMax) bytes of handshake"
                )
            )
        }
    }

    private func completeHandshake() {
        verifier = nil
        applicationProtocol = selectedProtocol()
        status = .open
    }

    private func selectedProtocol() -> String? {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(raw, &bytes, &count)
        guard let bytes = unsafe bytes, count > 0 else { return nil }
        return unsafe String(
            decoding: UnsafeBufferPointer(start: bytes, count: Int(count)),
            as: UTF8.self
        )
    }

    /// Decrypts until the input or the room is used up; returns the bytes written.
    private func decrypt(into room: UnsafeMutableRawBufferPointer) -> Int {
        var written = 0
        // SSL_get_error also reads the thread's error queue: what somebody else left there must not
        // end a session that only waits for the rest of a record. A handshake empties it by itself.
        ERR_clear_error()
        while written < room.count {
            // Without read-ahead a complete record is either pending or still in the window, so
            // this spares the failing SSL_read at the end of nearly every call.
            guard unsafe window.pointee.inputCount > 0 || SSL_pending(raw) > 0 else { break }
            guard let base = room.baseAddress else { break }
            var count = 0
            let result = unsafe SSL_read_ex(raw, base + written, room.count - written, &count)
            guard result == 1 else {
                failUnlessWaiting(result)
                break
            }
            written += count
        }
        return written
    }

    /// Encrypts as much as is sure to fit, so that OpenSSL never keeps part of a record back.
    private func encrypt(_ bytes: UnsafeRawBufferPointer, room: Int) -> Int {
        let usable = room - TLSLimits.postHandshakeReserveByteCount
        let record = TLSLimits.recordPlaintextByteCountMax + TLSLimits.recordOverheadByteCount
        guard usable > TLSLimits.recordOverheadByteCount else { return 0 }
        let partial = max(0, usable % record - TLSLimits.recordOverheadByteCount)
        let fitting = usable / record * TLSLimits.recordPlaintextByteCountMax + partial
        let count = min(bytes.count, fitting)
        guard count > 0, let base = bytes.baseAddress else { return 0 }
        var written = 0
        ERR_clear_error()
        let result = unsafe SSL_write_ex(raw, base, count, &written)
        if result != 1 {
            failUnlessWaiting(result)
            return 0
        }
        return written
    }

    /// Runs the verifier; called by OpenSSL in the middle of the handshake.
    ///
    /// Returns the X509_V code that OpenSSL turns into the alert that the refusal asks for.
    func judge(_ certificates: [[UInt8]]) -> Int32 {
        let chain = PeerChain(
            certificates: certificates,
            peerRole: context.role == .server ? .client : .server,
            serverName: serverName,
            applicationProtocol: selectedProtocol()
        )
        if context.role == .client, context.requiresApplicationProtocol,
            chain.applicationProtocol == nil
        {
            refusal = .noApplicationProtocol
            return X509_V_ERR_APPLICATION_VERIFICATION
        }
        let verdict = verifier?(chain)
        // Whatever the verifier tried in vain on its way is no failure of this handshake.
        ERR_clear_error()
        switch verdict {
        case nil:
            refusal = .peerRefused
            return X509_V_ERR_APPLICATION_VERIFICATION
        case .accept(let identity):
            peer = identity
            return X509_V_OK
        case .refuse(let reason):
            refusal = .peerRefused
            refusedPeerReason = reason.reason
            return reason.verificationCode
        }
    }
}

extension TLSSession {
    /// Reads OpenSSL's state after a call that did not succeed.
    private func failUnlessWaiting(_ result: Int32) {
        switch unsafe SSL_get_error(raw, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return
        case SSL_ERROR_ZERO_RETURN:
            status = .peerFinished
        default:
            fail(takeDiagnosis())
        }
    }

    private func fail(_ failure: TLSFailure) {
        self.failure = failure
        status = .failed
        isSendingFinished = true
        peer = nil
    }
}
