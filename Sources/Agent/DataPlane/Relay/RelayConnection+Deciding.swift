import Mesh
import Observability
import Snapshot
import TLS
import Wire

extension RelayConnection {
    /// Decides a live connection again; cuts it when it is no longer allowed.
    ///
    /// `memory` keeps the rulings of one pass, since many connections ask the same question.
    func decideAgain(
        _ configuration: EnforcedConfiguration,
        now: Timestamp,
        memory: inout [LiveQuestion: Ruling]
    ) {
        guard let permit, phase != .lingering, phase != .closed else { return }
        let snapshot = configuration.snapshot
        if now.secondsSinceEpoch > leavesEnd.secondsSinceEpoch, now >= snapshot.expires {
            return cut(.refused(.leafExpired))
        }
        if isDrained, isInbound { return cut(.refused(.instanceDrained)) }
        if isOutsideChanged { return cut(.refused(.policyChanged)) }
        if let reason = lapse(configuration, now: now) { return cut(.refused(reason)) }
        if isInbound {
            guard let name = session?.serverName else { return cut(.refused(.policyChanged)) }
            let question = LiveQuestion(serverName: name, source: permit.source)
            let ruling =
                memory[question] ?? Self.ruling(on: question, configuration: configuration, now)
            memory[question] = ruling
            guard ruling.isAllowed else { return cut(Self.cutting(ruling, permit, snapshot)) }
            self.permit = permit.renewed(ruling, revision: snapshot.revision)
        } else {
            decideOutboundAgain(permit, configuration)
        }
    }

    /// Why what both sides have shown counts no longer; nil while it counts.
    ///
    /// A certificate is also looked at again when the handshake ends: a peer may begin one, show
    /// its certificate, and finish much later.
    func lapse(_ configuration: EnforcedConfiguration, now: Timestamp) -> DecisionReason? {
        let revocations = configuration.snapshot.revocations
        if !revocations.isEmpty, revocations.contains(ownSerialNumber) { return .leafRevoked }
        guard let peer = session?.peer else { return nil }
        let hasEnded = now.secondsSinceEpoch > peer.notAfter.secondsSinceEpoch
        if !revocations.isEmpty {
            if revocations.contains(peer.serialNumber) { return .leafRevoked }
            if hasEnded, case .service(let service) = (try? SPIFFEID(peer.name))?.subject,
                revocations.contains(outlived: service, endedAt: peer.notAfter)
            {
                return .leafRevoked
            }
        }
        switch configuration.trustedRoots.verdict(on: peer.root) {
        case .trusted: return nil
        case .distrusted: return .untrustedChain
        case .retired:
            // Its leaf vouches for it until its end, and nobody vouches for the leaf any more.
            return hasEnded ? nil : .untrustedChain
        }
    }

    private func decideOutboundAgain(
        _ permit: ConnectionPermit,
        _ configuration: EnforcedConfiguration
    ) {
        guard let localUser else { return cut(.refused(.policyChanged)) }
        switch ConnectionPermit.outbound(
            uid: localUser.uid,
            port: localUser.port,
            snapshot: configuration.snapshot
        ) {
        case .success(let renewed)
        where renewed.source == permit.source && renewed.destination == permit.destination:
            self.permit = renewed
        case .success: cut(.refused(.policyChanged))
        case .failure(let refusal):
            cut(.refused(refusal.ruling.reason == .uidNotAllowed ? .uidNotAllowed : .policyChanged))
        }
    }

    private static func ruling(
        on question: LiveQuestion,
        configuration: EnforcedConfiguration,
        _ now: Timestamp
    ) -> Ruling {
        switch ConnectionPermit.inbound(
            peer: question.source,
            serverName: question.serverName,
            snapshot: configuration.snapshot,
            now: now
        ) {
        case .success(let permit): permit.ruling ?? .refused(.internalFailure)
        case .failure(let refusal): refusal.ruling
        }
    }

    /// The reason is the new snapshot if there is one, else the rule whose time came.
    private static func cutting(
        _ ruling: Ruling,
        _ permit: ConnectionPermit,
        _ snapshot: ValidatedSnapshot
    ) -> Ruling {
        guard permit.revision != snapshot.revision else { return ruling }
        return Ruling(
            verdict: .deny,
            reason: .policyChanged,
            ruleID: ruling.ruleID,
            precedence: ruling.precedence
        )
    }
}

/// What all connections between two services have in common when they are decided again.
struct LiveQuestion: Hashable {
    let serverName: String
    let source: SPIFFEID
}
