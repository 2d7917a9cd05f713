import Reactor
import TLS

extension RelayConnection {
    /// Begins to move bytes; there is a permit, and both sockets are connected.
    func beginRelay(_ permit: ConnectionPermit) {
        self.permit = permit
        phase = .relaying
        isCounted = true
        destinationAnswered()
        disarm()
        lane.relayBegan(self, permit)
        relay()
    }

    /// Moves bytes until both sockets have nothing more, or others deserve their turn.
    func relay() {
        var transfersLeft = DataPlaneLimits.transfersPerTurnMax
        while phase == .relaying {
            switch machine.next() {
            case .wait:
                return
            case .flush(let side):
                flush(side)
            case .finish(let side):
                finish(side)
            case .close:
                return end(resetting: false)
            case .transfer(let side):
                guard transfersLeft > 0 else {
                    let token = side == .plain ? plainToken : secureToken
                    return reactor.revisit(token, as: .readable)
                }
                transfersLeft -= 1
                noteMovement()
                if side == .plain { transferFromPlain() } else { transferFromSecure() }
            }
        }
    }

    private func noteMovement() {
        hasMoved = true
        if !isWarm { lane.becameWarm(self) }
    }

    private func finish(_ side: RelayMachine.Side) {
        machine.finished(side)
        switch side {
        case .plain where outsideSession != nil:
            finishOutside()
        case .plain:
            // It fails only when the peer is gone, which the next transfer finds out.
            try? plain.shutdownWrite()
        case .secure:
            guard let session else { return }
            let isSent = reactor.withScratch { ciphertext in
                let progress = session.finishSending(ciphertext: &ciphertext)
                return put(
                    ciphertext.span.extracting(first: progress.ciphertextByteCount),
                    to: .secure
                )
            }
            if !isSent { abort() }
        }
    }
}

// From the local program to the other agent.
extension RelayConnection {
    private enum Outcome {
        case moved
        case failed
    }

    private func transferFromPlain() {
        guard outsideSession == nil else { return transferFromOutside() }
        let limit = DataPlaneLimits.receiveByteCountMax
        let outcome: Outcome = reactor.withScratch { input in
            var room = input._mutatingExtracting(first: limit)
            switch plain.receive(into: &room) {
            case .wouldBlock:
                machine.wasDrained(.plain)
                return .moved
            case .endOfFile:
                machine.ended(.plain)
                return .moved
            case .failed:
                return .failed
            case .bytes(let count):
                if count < limit, !isPlainPeerClosed { machine.wasDrained(.plain) }
                byteCountFromPlain &+= UInt64(count)
                return encrypt(input.span.extracting(first: count)) ? .moved : .failed
            }
        }
        if outcome == .failed { abort() }
    }

    /// Encrypts for the other agent and sends; false when it is gone or holds too much.
    func encrypt(_ plaintext: Span<UInt8>) -> Bool {
        guard let session else { return false }
        return reactor.withScratch { ciphertext in
            let progress = session.send(plaintext, ciphertext: &ciphertext)
            guard progress.consumedByteCount == plaintext.count else { return false }
            return put(
                ciphertext.span.extracting(first: progress.ciphertextByteCount),
                to: .secure
            )
        }
    }
}

// From the other agent to the local program; also what the handshake receives.
extension RelayConnection {
    /// Receives once from the secure side and acts on what TLS made of it.
    func transferFromSecure() {
        let limit =
            outsideSession == nil
            ? DataPlaneLimits.receiveByteCountMax : DataPlaneLimits.outsideByteCountMax
        let status: TLSStatus? = reactor.withScratch { input in
            var room = input._mutatingExtracting(first: limit)
            switch secure.receive(into: &room) {
            case .wouldBlock:
                machine.wasDrained(.secure)
                return session?.status ?? .handshaking
            case .endOfFile:
                machine.wasDrained(.secure)
                return session?.receiveEnd()
            case .failed:
                return nil
            case .bytes(let count):
                if count < limit, !isSecurePeerClosed { machine.wasDrained(.secure) }
                return decrypt(input.span.extracting(first: count))
            }
        }
        switch status {
        case nil: secureSideBroke()
        case .handshaking: break
        case .open: handshakeMayBeComplete()
        case .peerFinished:
            // Noted first: the relay that a completed handshake begins must see it.
            machine.ended(.secure)
            handshakeMayBeComplete()
        case .failed: sessionFailed()
        }
    }

    /// Nil when the bytes that TLS gave cannot be passed on.
    private func decrypt(_ input: Span<UInt8>) -> TLSStatus? {
        guard let session = session ?? beginServerSession() else { return nil }
        return reactor.withScratch { plaintext in
            let progress = reactor.withScratch { ciphertext in
                let progress = session.receive(
                    input,
                    plaintext: &plaintext,
                    ciphertext: &ciphertext
                )
                let answer = ciphertext.span.extracting(first: progress.ciphertextByteCount)
                // A failed session's alert is best effort; its failure is told by the status.
                let isSent = put(answer, to: .secure)
                return isSent || progress.status == .failed ? progress : nil
            }
            guard let progress else { return nil }
            // Room is given for all of it; what a peer keeps back by force is not skipped over.
            guard progress.consumedByteCount == input.count || progress.status == .failed else {
                return nil
            }
            byteCountFromSecure &+= UInt64(progress.plaintextByteCount)
            let bytes = plaintext.span.extracting(first: progress.plaintextByteCount)
            guard outsideSession != nil else {
                return put(bytes, to: .plain) ? progress.status : nil
            }
            return bytes.isEmpty || encryptOutside(bytes) ? progress.status : nil
        }
    }
}

// A server's session begins with the first bytes.
extension RelayConnection {
    private func beginServerSession() -> TLSSession? {
        guard isInbound, phase == .handshaking else { return nil }
        session = try? TLSSession(server: lane.serverContext)
        return session
    }
}

// Sending, and what does not fit.
extension RelayConnection {
    /// Sends, and holds what does not fit; false when the side is gone or holds too much.
    func put(_ bytes: Span<UInt8>, to side: RelayMachine.Side) -> Bool {
        guard !bytes.isEmpty else { return true }
        if side == .secure { awaitsDelivery = true }
        guard machine.maySend(to: side) else { return hold(bytes, for: side) }
        let result = side == .plain ? plain.send(bytes) : secure.send(bytes)
        switch result {
        case .bytes(let count):
            return count == bytes.count || hold(bytes.extracting(droppingFirst: count), for: side)
        case .wouldBlock:
            return hold(bytes, for: side)
        case .endOfFile, .failed:
            return false
        }
    }

    private func hold(_ bytes: Span<UInt8>, for side: RelayMachine.Side) -> Bool {
        switch side {
        case .plain: heldForPlain.append(copying: bytes)
        case .secure: heldForSecure.append(copying: bytes)
        }
        let waiting = machine.heldByteCount(for: side) + bytes.count
        machine.wasHeld(waiting, for: side)
        return waiting <= DataPlaneLimits.heldByteCountMax
    }

    /// Sends what is held.
    func flush(_ side: RelayMachine.Side) {
        let waiting = side == .plain ? heldForPlain.count : heldForSecure.count
        let offset = waiting - machine.heldByteCount(for: side)
        let result =
            side == .plain
            ? plain.send(heldForPlain, droppingFirst: offset)
            : secure.send(heldForSecure, droppingFirst: offset)
        switch result {
        case .bytes(let count):
            let rest = waiting - offset - count
            if rest == 0 {
                if side == .plain { heldForPlain = [] } else { heldForSecure = [] }
                machine.wasFlushed(side)
            } else {
                machine.wasHeld(rest, for: side)
            }
        case .wouldBlock:
            machine.wasHeld(waiting - offset, for: side)
        case .endOfFile, .failed:
            if side == .plain, phase == .provingOutside { outsideBroke() } else { abort() }
        }
    }
}
