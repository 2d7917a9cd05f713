import Crypto
import Synchronization
import TLS
import Wire

/// Verifies the connections of one attempt to join.
///
/// The first is believed just enough to fetch the trust document through it, since who a server is
/// can only be judged with that. Then its chain is judged, and every further connection is judged
/// in its handshake.
final class SeenChain: Sendable {
    private struct State {
        var chain: PeerChain?
        var roots: MeshRoots?
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Timestamp

    init(now: @escaping @Sendable () -> Timestamp) {
        self.now = now
    }

    /// Decides on one handshake.
    func verify(_ chain: PeerChain) -> PeerVerdict {
        let roots = state.withLock { state in
            state.chain = chain
            return state.roots
        }
        if let roots { return ServerTrust.judge(chain, roots, now: now()) }
        guard let bytes = chain.certificates.first, let leaf = try? Certificate(der: bytes) else {
            return .refuse(PeerRefusal(.badCertificate, reason: "the certificate is malformed"))
        }
        return .accept(
            PeerIdentity(
                name: "not verified yet",
                serialNumber: leaf.serialNumber,
                leafDigest: leaf.fingerprint.bytes,
                notAfter: leaf.notAfter
            )
        )
    }

    /// Judges the connection that is open, and from now on every one that follows; gives the
    /// problem, if there is one.
    func require(_ roots: MeshRoots) -> String? {
        let chain = state.withLock { state in
            state.roots = roots
            return state.chain
        }
        guard let chain else { return "there was no handshake" }
        guard case .refuse(let refusal) = ServerTrust.judge(chain, roots, now: now()) else {
            return nil
        }
        return refusal.reason
    }
}
