import Mesh
import Observability
import Reactor
import Snapshot
import TLS
import Wire

extension RelayConnection {
    /// Goes on with the handshake as far as the secure socket allows.
    func shakeHands() {
        if machine.heldByteCount(for: .secure) > 0, machine.canFlush(.secure) { flush(.secure) }
        while phase == .handshaking, machine.mayReceive(from: .secure) {
            lane.verification.value.forgetRefusal()
            transferFromSecure()
        }
    }

    /// Acts once on the end of the handshake.
    func handshakeMayBeComplete() {
        guard phase == .handshaking else { return }
        guard let peer = session?.peer, let id = try? SPIFFEID(peer.name) else {
            return refuse(.refused(.noClientCertificate))
        }
        lane.handshakeEnded(self)
        if let configuration = lane.configuration,
            let reason = lapse(configuration, now: lane.settings.now())
        {
            return refuse(.refused(reason), source: id)
        }
        leavesEnd = min(leavesEnd, peer.notAfter)
        lane.watch(leavesEnd)
        if isInbound {
            admit(id)
        } else if let permit {
            beginRelay(permit)
        }
    }

    /// Ends what TLS gave up; whoever broke it off learns why by the alert.
    func sessionFailed() {
        guard phase == .handshaking else { return abort() }
        lane.metrics.handshakeFailures.increment()
        let failure = session?.failure
        let reason = reason(of: failure)
        if !isInbound, failure?.kind == .endedDuringHandshake {
            latestFailure = .connectFailed
            return tryNextDestination()
        }
        refuse(.refused(reason), detail: failure?.reason)
    }

    /// The secure socket failed, or what came could not be passed on.
    func secureSideBroke() {
        guard phase == .handshaking else { return abort() }
        lane.metrics.handshakeFailures.increment()
        if isInbound { return refuse(.refused(.peerReset)) }
        latestFailure = .connectFailed
        tryNextDestination()
    }

    private func reason(of failure: TLSFailure?) -> DecisionReason {
        let refusal = lane.verification.value.latestRefusal
        return switch failure?.kind {
        case .peerRefused: refusal ?? .untrustedChain
        case .unknownServerName: refusal ?? .unknownSNI
        case .noPeerCertificate: .noClientCertificate
        case .noApplicationProtocol: .alpnMismatch
        case .protocolVersion: .tlsVersion
        case .peerChainTooLong: .untrustedChain
        case .peerAlert, .protocolViolation, .truncated, .endedDuringHandshake,
            .handshakeTooLarge, nil:
            .tlsHandshakeFailed
        case .internalError: .internalFailure
        }
    }
}

// The way from the mesh port to a local instance.
extension RelayConnection {
    /// Waits for the handshake of a connection that the mesh port accepted.
    ///
    /// The session is made when the first bytes come: a peer that stays silent costs a socket.
    func beginInbound(_ accepted: consuming Descriptor) {
        secure = accepted
        do {
            try secure.setNoDelay()
            try watchForLoss()
            if peerAddress.isLoopback { secure.setCongestionControl("cubic") }
            secureToken = try reactor.register(
                secure,
                tag: RelayMachine.Side.secure.rawValue,
                handler: self
            )
        } catch {
            return refuse(.refused(.internalFailure), detail: "\(error)")
        }
        arm(lane.settings.handshakeTimeout)
    }

    /// Makes the kernel notice an agent that vanished while the connection was quiet; while bytes
    /// are under way, `checkDelivery` does.
    func watchForLoss() throws(SystemError) {
        try secure.setKeepAlive()
    }

    /// Decides the proven identity, then looks for an instance.
    private func admit(_ peer: SPIFFEID) {
        guard let snapshot = lane.configuration?.snapshot, let name = session?.serverName else {
            return refuse(.refused(.snapshotMissing))
        }
        let now = lane.settings.now()
        switch ConnectionPermit.inbound(
            peer: peer,
            serverName: name,
            snapshot: snapshot,
            now: now
        ) {
        case .failure(let refusal):
            refuse(refusal.ruling, source: peer, destination: refusal.destination)
        case .success(let permit):
            self.permit = permit
            if let own = lane.configuration?.identities[permit.destination] {
                leavesEnd = min(leavesEnd, own.notAfter)
                ownSerialNumber = own.serialNumber
                lane.watch(leavesEnd)
            }
            phase = .connecting
            leaveMesh(for: permit.destination)
            tryNextDestination()
        }
    }
}
