import Crypto
import Mesh
import TLS
import Wire

/// An external target as one reactor connects to it.
///
/// The same object as long as the target stays the same: connections that were made under another
/// one end with it.
final class OutsideOrigin {
    /// How the TLS of a connection begins.
    struct Verification {
        /// Sent as SNI; nil for an address, which has none (RFC 6066 section 3).
        let serverName: String?
        let verifier: PeerVerifier
    }

    let target: ExternalTarget
    /// Nil for plain TCP.
    let verification: Verification?

    /// Tells `refused` for which reason a certificate does not count.
    init(
        _ target: ExternalTarget,
        now: @escaping @Sendable () -> Timestamp,
        refused: @escaping @Sendable (DecisionReason) -> Void
    ) {
        self.target = target
        guard case .verified(let name, let authorities) = target.security else {
            verification = nil
            return
        }
        // An authority that does not read vouches for nobody; without any, nobody is believed.
        let verify = HostNameVerifier(
            roots: authorities.compactMap { try? Certificate(der: $0) },
            host: name.description,
            clock: now
        ).verifier
        var serverName: String?
        if case .name(let name) = name { serverName = name.text }
        verification = Verification(
            serverName: serverName,
            verifier: { chain in
                let verdict = verify(chain)
                if case .refuse(let refusal) = verdict {
                    refused(
                        refusal.kind == .otherIdentity ? .outsideNameMismatch : .outsideUntrusted
                    )
                }
                return verdict
            }
        )
    }
}

/// What one reactor knows of the world outside of the mesh.
struct OutsideView {
    private(set) var origins: [ServiceName: OutsideOrigin] = [:]
    var addresses = OutsideAddresses()
    /// Why the latest certificate of an outside host was refused.
    var latestRefusal: DecisionReason?

    /// Follows a snapshot's targets; those that are the same stay the same objects.
    mutating func follow(_ targets: [ExternalTarget], _ make: (ExternalTarget) -> OutsideOrigin) {
        var next: [ServiceName: OutsideOrigin] = [:]
        for target in targets {
            let known = origins[target.service]
            next[target.service] = known?.target == target ? known : make(target)
        }
        origins = next
    }

    /// The addresses that connections for a target may go to; nil while nobody knows them yet.
    func admitted(_ target: ExternalTarget) -> [IPAddress]? { addresses.admitted(target) }

    /// Why there is nowhere to go for a target.
    func problem(of target: ExternalTarget) -> DecisionReason {
        guard let known = addresses.addresses(of: target), !known.isEmpty,
            let admitted = admitted(target)
        else { return .outsideUnresolved }
        return admitted.isEmpty ? .outsideAddressRefused : .noEndpoints
    }
}
