import Mesh
import Observability
import Reactor
import Snapshot
import TLS
import Wire

// Opening the agent's own socket: to a local instance, or to another agent.
extension RelayConnection {
    /// Tries the first or another address, or refuses when there is none left.
    ///
    /// No byte of the peer was taken before: what it sent waits in its socket.
    func tryNextDestination() {
        isAwaitingAddresses = false
        closeOwnSocket()
        destinationFailed()
        while attemptsLeft > 0, let next = lane.chooseDestination(for: self) {
            if tried != nil { lane.metrics.retries.increment() }
            attemptsLeft -= 1
            destination = next
            lane.balancer.began(next)
            if connect(to: next.address) { return arm(lane.settings.connectTimeout) }
            latestFailure = .connectFailed
            destinationFailed()
        }
        if waitsForOutside() { return }
        refuse(
            .refused(latestFailure),
            source: permit?.source,
            destination: permit?.destination
        )
    }

    private func connect(to address: SocketAddress) -> Bool {
        do {
            var connecting = try Socket.connect(to: address)
            let descriptor = connecting.descriptor.take()
            try descriptor.setNoDelay()
            if address.isLoopback { descriptor.setCongestionControl("cubic") }
            if isInbound {
                plain = descriptor
                plainToken = try reactor.register(
                    plain,
                    tag: RelayMachine.Side.plain.rawValue,
                    handler: self
                )
            } else {
                secure = descriptor
                try watchForLoss()
                secureToken = try reactor.register(
                    secure,
                    tag: RelayMachine.Side.secure.rawValue,
                    handler: self
                )
            }
        } catch {
            lane.logger.debug("connect failed", ["address": .describing(address)])
            return false
        }
        phase = .connecting
        return true
    }

    /// Takes back the attempt before; bytes that wait for the side stay.
    private func closeOwnSocket() {
        disarm()
        if isInbound {
            reactor.deregister(plainToken, closing: plain.take())
            plainToken = .none
            machine.lostSocket(.plain)
            forgetOutsideSession()
            isPlainPeerClosed = false
        } else {
            reactor.deregister(secureToken, closing: secure.take())
            secureToken = .none
            session = nil
            heldForSecure = []
            machine.lostSocket(.secure)
            machine.wasFlushed(.secure)
            isSecurePeerClosed = false
        }
    }

    /// Looks at the answer to the connect that is under way.
    func connectionAttemptAnswered(_ events: ReadyEvents) {
        let error = isInbound ? plain.takeError() : secure.takeError()
        if error != nil {
            latestFailure = .connectFailed
            return tryNextDestination()
        }
        guard events.isWritable, let permit else { return }
        if let outside { return connectedOutside(outside, permit) }
        if isInbound { beginRelay(permit) } else { beginClientHandshake() }
    }
}

// The way from an upstream port to another agent.
extension RelayConnection {
    /// Judges a connection that an upstream port accepted, then connects to the destination.
    func beginOutbound(_ accepted: consuming Descriptor, port: UInt16) {
        plain = accepted
        guard let configuration = lane.configuration else {
            return refuse(.refused(.snapshotMissing))
        }
        let now = lane.settings.now()
        let snapshot = configuration.snapshot
        guard let uid = owningUser() else { return refuse(.refused(.socketOwnerUnknown)) }
        localUser = LocalUser(uid: uid, port: port)
        guard let route = snapshot.routesByPort[port] else {
            return refuse(.refused(.noSuchService))
        }
        switch ConnectionPermit.outbound(uid: uid, port: port, snapshot: snapshot) {
        case .failure(let refusal):
            refuse(refusal.ruling, destination: refusal.destination)
        case .success(let permit):
            self.permit = permit
            let own: ServiceIdentity
            switch configuration.identity(of: route.upstream.source, at: now) {
            case .valid(let identity): own = identity
            case .refused(let reason): return refuse(.refused(reason))
            }
            leavesEnd = own.notAfter
            if let reason = enterCircuit(of: route.upstream) { return refuse(.refused(reason)) }
            do {
                try plain.setNoDelay()
                plain.setCongestionControl("cubic")
                plainToken = try reactor.register(
                    plain,
                    tag: RelayMachine.Side.plain.rawValue,
                    handler: self
                )
            } catch {
                return refuse(.refused(.internalFailure))
            }
            tryNextDestination()
        }
    }

    private func owningUser() -> UInt32? {
        guard let own = try? plain.localAddress() else { return nil }
        switch reactor.ownerOfClient(peerAddress, server: own) {
        case .owner(let uid):
            return uid
        case .refused(let refusal):
            lane.logger.info("no owner of a local socket", ["why": .text("\(refusal)")])
            return nil
        }
    }

    private func beginClientHandshake() {
        guard let configuration = lane.configuration, let localUser, let permit,
            let route = configuration.snapshot.routesByPort[localUser.port],
            route.upstream.destination == permit.destination
        else { return refuse(.refused(.policyChanged)) }
        let own: ServiceIdentity
        switch configuration.identity(of: route.upstream.source, at: lane.settings.now()) {
        case .valid(let identity): own = identity
        case .refused(let reason): return refuse(.refused(reason))
        }
        ownSerialNumber = own.serialNumber
        let expected = SPIFFEID(
            service: route.destination.service,
            in: route.destination.trustDomain
        )
        let verification = lane.verification
        phase = .handshaking
        arm(lane.settings.handshakeTimeout)
        do {
            let session = try TLSSession(
                client: lane.clientContext,
                serverName: route.destination.text,
                credentials: own.credentials,
                verifier: { verification.value.verify($0, expected: expected) }
            )
            self.session = session
            let isSent = reactor.withScratch { ciphertext in
                let progress = session.start(ciphertext: &ciphertext)
                return put(
                    ciphertext.span.extracting(first: progress.ciphertextByteCount),
                    to: .secure
                )
            }
            if !isSent { secureSideBroke() }
        } catch {
            refuse(.refused(.internalFailure), detail: error.description)
        }
    }
}
