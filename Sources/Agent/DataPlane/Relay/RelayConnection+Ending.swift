import Mesh
import Observability
import Reactor
import Snapshot
import TLS
import Wire

extension RelayConnection {
    /// Refuses before any byte was relayed: records the decision, lets a TLS peer read its alert.
    ///
    /// A local program is reset, for a clean end would look like an empty answer. So is a peer whose
    /// handshake succeeded: TLS 1.3 has no alert for it that an application would be told.
    func refuse(
        _ ruling: Ruling,
        source: SPIFFEID? = nil,
        destination: ServiceName? = nil,
        detail: String? = nil
    ) {
        guard phase != .closed, phase != .lingering else { return }
        record(ruling, source: source, destination: destination, detail: detail)
        lane.handshakeEnded(self)
        guard isInbound, phase == .handshaking, session?.status == .failed, secure.isOpen else {
            return abort()
        }
        phase = .lingering
        // The alert is in the socket or held; nothing else will be said.
        session = nil
        arm(DataPlaneLimits.lingerTimeout)
        linger()
    }

    /// Sends the rest of the alert and reads on until the peer is gone, so that a close with unread
    /// bytes does not turn into a reset which overtakes the alert.
    func linger() {
        if machine.heldByteCount(for: .secure) > 0 {
            guard machine.canFlush(.secure) else { return }
            flush(.secure)
            guard phase == .lingering, machine.heldByteCount(for: .secure) == 0 else { return }
        }
        try? secure.shutdownWrite()
        while phase == .lingering, lingerByteCount < DataPlaneLimits.lingerByteCountMax {
            let result = reactor.withScratch { room in secure.receive(into: &room) }
            switch result {
            case .bytes(let count): lingerByteCount += count
            case .wouldBlock: return
            case .endOfFile, .failed: return end(resetting: false)
            }
        }
        end(resetting: true)
    }

    /// Cuts a connection that was allowed before; from here on no byte passes.
    ///
    /// The local program is reset. The other agent gets an end without close_notify, which it takes
    /// for the truncation it is; a reset could be lost on the way and would not be repeated. It
    /// comes after a grace, for a peer that does not hang up by itself.
    func cut(_ ruling: Ruling) {
        guard phase != .closed, phase != .lingering else { return }
        lane.metrics.cuts.increment()
        record(ruling, source: permit?.source, destination: permit?.destination)
        guard phase == .relaying, secure.isOpen else { return abort() }
        stopCounting()
        phase = .lingering
        if plain.isOpen { try? plain.setResetOnClose() }
        reactor.deregister(plainToken, closing: plain.take())
        plainToken = .none
        heldForPlain = []
        heldForSecure = []
        heldForOutside = []
        session = nil
        outsideSession = nil
        machine.wasFlushed(.secure)
        arm(DataPlaneLimits.cutGrace)
        linger()
    }

    /// Ends what was cut short so that it does not look complete: with a reset for the local
    /// program, and for the other agent without close_notify.
    func abort() {
        if plain.isOpen { try? plain.setResetOnClose() }
        end(resetting: false)
    }

    /// Gives up another agent that vanished while bytes were under way to it.
    func checkDelivery(now: Reactor.Instant, timeout: Duration) {
        guard phase == .relaying, awaitsDelivery, let delivery = try? secure.delivery() else {
            return
        }
        awaitsDelivery = delivery.isUnderWay
        guard loss.observed(delivery, now: now, timeout: timeout) else { return }
        record(.refused(.peerReset), detail: "nothing was acknowledged any more")
        abort()
    }

    private func stopCounting() {
        guard isCounted else { return }
        isCounted = false
        lane.relayEnded(self)
    }

    /// Ends now and leaves the registry; `resetting` drops also what was not sent to the peer yet.
    func end(resetting: Bool) {
        guard phase != .closed else { return }
        phase = .closed
        disarm()
        if resetting, secure.isOpen { try? secure.setResetOnClose() }
        reactor.deregister(plainToken, closing: plain.take())
        reactor.deregister(secureToken, closing: secure.take())
        session = nil
        outsideSession = nil
        heldForPlain = []
        heldForSecure = []
        heldForOutside = []
        stopCounting()
        leaveDestination()
        leaveCircuit()
        lane.ended(self)
    }

    /// Records a refusal or a cut as a decision, in evidence, metrics and log.
    func record(
        _ ruling: Ruling,
        source: SPIFFEID? = nil,
        destination: ServiceName? = nil,
        detail: String? = nil
    ) {
        var known = destination ?? permit?.destination
        if known == nil, let name = session?.serverName {
            known = lane.configuration?.snapshot.hostedByMeshName[name]?.service
        }
        lane.record(
            ruling,
            source: source ?? permit?.source,
            destination: known,
            peerAddress: peerAddress,
            detail: detail
        )
    }

    /// What moved since the last report: from source to destination, and back.
    func takeUnreportedBytes() -> FlowAmounts {
        var amounts = FlowAmounts()
        let fromPlain = byteCountFromPlain &- reportedFromPlain
        let fromSecure = byteCountFromSecure &- reportedFromSecure
        reportedFromPlain = byteCountFromPlain
        reportedFromSecure = byteCountFromSecure
        amounts.bytesSent = isInbound ? fromSecure : fromPlain
        amounts.bytesReceived = isInbound ? fromPlain : fromSecure
        return amounts
    }
}
