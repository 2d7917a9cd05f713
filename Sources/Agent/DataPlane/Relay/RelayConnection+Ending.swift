import Observability
import Snapshot
import TLS
import Mesh
import Reactor
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
        guard isInbound, phase == .handshaking, session?.status == .failed, secure.isOpen else {
            return abort()
        }
        phase = .lingering
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

    /// Cuts a connection that was allowed before.
    func cut(_ ruling: Ruling) {
        guard phase != .closed else { return }
        lane.metrics.cuts.increment()
        record(ruling, source: permit?.source, destination: permit?.destination)
        abort()
    }

    /// Ends with a reset both ways: what was cut short must not look complete.
    func abort() {
        end(resetting: true)
    }

    /// Ends now and leaves the registry.
    func end(resetting: Bool) {
        guard phase != .closed else { return }
        let wasRelaying = phase == .relaying
        phase = .closed
        disarm()
        if resetting {
            if plain.isOpen { try? plain.setResetOnClose() }
            if secure.isOpen { try? secure.setResetOnClose() }
        }
        reactor.deregister(plainToken, closing: plain.take())
        reactor.deregister(secureToken, closing: secure.take())
        session = nil
        heldForPlain = []
        heldForSecure = []
        lane.ended(self, wasRelaying: wasRelaying)
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
