import Mesh
import Observability
import Reactor
import TLS
import Wire

// A connection that leaves the mesh: where it may go, and the TLS that it speaks there.
extension RelayConnection {
    /// Remembers under which target the connection is made.
    ///
    /// What the other agent sent right behind its handshake waits until the outside has proved who it
    /// is: it must not go out in plain.
    func leaveMesh(for service: ServiceName) {
        outside = lane.outside.value.origins[service]
        guard outside?.verification != nil else { return }
        heldForOutside = heldForPlain
        heldForPlain = []
        machine.wasFlushed(.plain)
    }

    /// Waits for the first answer about the target's name, or tells why there is nowhere to go.
    ///
    /// - Returns: whether the connection waits.
    func waitsForOutside() -> Bool {
        guard let target = outside?.target, tried == nil else { return false }
        if lane.outside.value.admitted(target) == nil, !hasAwaitedAddresses {
            isAwaitingAddresses = true
            hasAwaitedAddresses = true
            phase = .connecting
            arm(lane.settings.connectTimeout)
            return true
        }
        latestFailure = lane.outside.value.problem(of: target)
        return false
    }

    /// Goes on if what it waits for is known now; one that connects already is left alone.
    func outsideAddressesChanged() {
        guard isAwaitingAddresses, phase == .connecting, let target = outside?.target,
            lane.outside.value.admitted(target) != nil
        else { return }
        tryNextDestination()
    }

    /// Whether the target is no longer the one under which the connection was made.
    var isOutsideChanged: Bool {
        guard isInbound, let permit, phase != .handshaking else { return false }
        return lane.outside.value.origins[permit.destination] !== outside
    }

    /// Acts on the connect that succeeded.
    func connectedOutside(_ origin: OutsideOrigin, _ permit: ConnectionPermit) {
        // Other addresses of the host than those that can be told by their look.
        if !origin.target.allowsLocal, let own = try? plain.localAddress(),
            own.ipAddress == destination?.address.ipAddress
        {
            return refuse(
                .refused(.outsideAddressRefused),
                source: permit.source,
                destination: permit.destination
            )
        }
        do {
            try plain.setKeepAlive()
            guard let verification = origin.verification else { return beginRelay(permit) }
            phase = .provingOutside
            arm(lane.settings.handshakeTimeout)
            switch origin.target.negotiation {
            case .direct: try beginOutsideHandshake(verification)
            case .postgresql: askForTLS()
            }
        } catch {
            refuse(
                .refused(.internalFailure),
                source: permit.source,
                destination: permit.destination,
                detail: "\(error)"
            )
        }
    }

    private func beginOutsideHandshake(
        _ verification: OutsideOrigin.Verification
    ) throws(TLSConfigurationError) {
        let session = try TLSSession(
            client: lane.outsideContext,
            serverName: verification.serverName,
            verifier: verification.verifier
        )
        outsideSession = session
        let isSent = reactor.withScratch { ciphertext in
            let progress = session.start(ciphertext: &ciphertext)
            return put(ciphertext.span.extracting(first: progress.ciphertextByteCount), to: .plain)
        }
        if !isSent { outsideBroke() }
    }

    /// Goes on with the handshake as far as the socket allows.
    func proveOutside() {
        if machine.heldByteCount(for: .plain) > 0, machine.canFlush(.plain) { flush(.plain) }
        while phase == .provingOutside, machine.mayReceive(from: .plain) {
            lane.outside.value.latestRefusal = nil
            transferFromOutside()
        }
    }

    /// Forgets the session of an attempt that failed, with what it had to say.
    func forgetOutsideSession() {
        guard outside?.verification != nil else { return }
        outsideSession = nil
        isAskingForTLS = false
        heldForPlain = []
        machine.wasFlushed(.plain)
    }
}

// Protocols in which TLS is asked for first.
extension RelayConnection {
    /// PostgreSQL's SSLRequest: its length, and a version that no protocol has.
    private static let sslRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F]
    /// Its answer for yes.
    private static let sslAccepted = UInt8(ascii: "S")

    private func askForTLS() {
        isAskingForTLS = true
        if !put(Self.sslRequest.span, to: .plain) { outsideBroke() }
    }

    /// Takes one byte, yes or no.
    ///
    /// Whatever comes with it was sent in plain by who knows whom, and must not be taken for what the
    /// server says in TLS (CVE-2021-23222).
    private func takeAnswerAboutTLS() {
        let answer: (count: Int, first: UInt8)? = reactor.withScratch { input in
            var room = input._mutatingExtracting(first: 2)
            switch plain.receive(into: &room) {
            case .wouldBlock:
                machine.wasDrained(.plain)
                return (0, 0)
            case .endOfFile, .failed: return nil
            case .bytes(let count): return (count, input.span[0])
            }
        }
        guard let answer else { return outsideBroke() }
        guard answer.count > 0 else { return }
        guard answer.count == 1, answer.first == Self.sslAccepted,
            let verification = outside?.verification
        else {
            return refuse(
                .refused(.outsideTLSFailed),
                source: permit?.source,
                destination: permit?.destination,
                detail: answer.count == 1
                    ? "the server speaks no TLS" : "more than an answer came before TLS"
            )
        }
        isAskingForTLS = false
        do {
            try beginOutsideHandshake(verification)
        } catch {
            refuse(
                .refused(.internalFailure),
                source: permit?.source,
                destination: permit?.destination,
                detail: "\(error)"
            )
        }
    }
}

// From the outside to the other agent.
extension RelayConnection {
    /// Receives once from the outside and acts on what TLS made of it.
    func transferFromOutside() {
        guard !isAskingForTLS else { return takeAnswerAboutTLS() }
        let limit = DataPlaneLimits.outsideByteCountMax
        let status: TLSStatus? = reactor.withScratch { input in
            var room = input._mutatingExtracting(first: limit)
            switch plain.receive(into: &room) {
            case .wouldBlock:
                machine.wasDrained(.plain)
                return outsideSession?.status
            case .endOfFile:
                machine.wasDrained(.plain)
                return outsideSession?.receiveEnd()
            case .failed:
                return nil
            case .bytes(let count):
                if count < limit, !isPlainPeerClosed { machine.wasDrained(.plain) }
                return decryptOutside(input.span.extracting(first: count))
            }
        }
        switch status {
        case nil: outsideBroke()
        case .handshaking: break
        case .open: outsideMayBeProved()
        case .peerFinished:
            // Noted first: the relay that a completed handshake begins must see it.
            machine.ended(.plain)
            outsideMayBeProved()
        case .failed: outsideFailed()
        }
    }

    /// Nil when the bytes that TLS gave cannot be passed on.
    private func decryptOutside(_ input: Span<UInt8>) -> TLSStatus? {
        guard let outsideSession else { return nil }
        return reactor.withScratch { plaintext in
            let progress = reactor.withScratch { ciphertext in
                let progress = outsideSession.receive(
                    input,
                    plaintext: &plaintext,
                    ciphertext: &ciphertext
                )
                let answer = ciphertext.span.extracting(first: progress.ciphertextByteCount)
                // A failed session's alert is best effort; its failure is told by the status.
                let isSent = put(answer, to: .plain)
                return isSent || progress.status == .failed ? progress : nil
            }
            guard let progress else { return nil }
            guard progress.consumedByteCount == input.count || progress.status == .failed else {
                return nil
            }
            byteCountFromPlain &+= UInt64(progress.plaintextByteCount)
            let bytes = plaintext.span.extracting(first: progress.plaintextByteCount)
            return bytes.isEmpty || encrypt(bytes) ? progress.status : nil
        }
    }

    private func outsideMayBeProved() {
        guard phase == .provingOutside, let permit else { return }
        let early = heldForOutside
        heldForOutside = []
        var sent = 0
        while sent < early.count {
            let count = min(early.count - sent, DataPlaneLimits.outsideByteCountMax)
            guard encryptOutside(early.span.extracting(sent..<(sent + count))) else {
                return outsideBroke()
            }
            sent += count
        }
        beginRelay(permit)
    }

    private func outsideFailed() {
        guard phase == .provingOutside else { return abort() }
        lane.metrics.handshakeFailures.increment()
        let failure = outsideSession?.failure
        if failure?.kind == .endedDuringHandshake {
            latestFailure = .outsideTLSFailed
            return tryNextDestination()
        }
        let reason: DecisionReason =
            failure?.kind == .peerRefused
            ? lane.outside.value.latestRefusal ?? .outsideUntrusted : .outsideTLSFailed
        refuse(
            .refused(reason),
            source: permit?.source,
            destination: permit?.destination,
            detail: failure?.description
        )
    }

    /// The outside went away, or what came could not be passed on.
    func outsideBroke() {
        guard phase == .provingOutside else { return abort() }
        lane.metrics.handshakeFailures.increment()
        latestFailure = .outsideTLSFailed
        tryNextDestination()
    }
}

// From the other agent to the outside.
extension RelayConnection {
    /// Encrypts and sends; false when the outside is gone or holds too much.
    func encryptOutside(_ plaintext: Span<UInt8>) -> Bool {
        guard let outsideSession else { return false }
        return reactor.withScratch { ciphertext in
            let progress = outsideSession.send(plaintext, ciphertext: &ciphertext)
            guard progress.consumedByteCount == plaintext.count else { return false }
            return put(ciphertext.span.extracting(first: progress.ciphertextByteCount), to: .plain)
        }
    }

    /// Ends our direction with close_notify.
    func finishOutside() {
        guard let outsideSession else { return }
        let isSent = reactor.withScratch { ciphertext in
            let progress = outsideSession.finishSending(ciphertext: &ciphertext)
            return put(ciphertext.span.extracting(first: progress.ciphertextByteCount), to: .plain)
        }
        if !isSent { abort() }
    }
}
