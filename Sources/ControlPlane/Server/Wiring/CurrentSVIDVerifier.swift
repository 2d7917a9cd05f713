import Control
import Crypto
import Mesh
import Synchronization
import TLS
import Wire

/// Verifies peers of one kind against the roots that are trusted at this moment.
final class CurrentSVIDVerifier: Sendable {
    private let authority: Authority
    private let trustDomain: TrustDomain
    private let prefix: String
    private let made: Mutex<(roots: [Certificate], verifier: SVIDVerifier)?> = Mutex(nil)

    /// `kind` is the first segment of the SPIFFE ids that count, such as `agent`.
    init(_ authority: Authority, _ trustDomain: TrustDomain, below kind: String) {
        self.authority = authority
        self.trustDomain = trustDomain
        prefix = "spiffe://\(trustDomain)/\(kind)/"
    }

    func current(_ chain: PeerChain) -> PeerVerdict {
        let roots = authority.roots
        let verifier = made.withLock { made in
            if let made, made.roots == roots { return made.verifier }
            let prefix = prefix
            let verifier = SVIDVerifier(
                trustDomain: trustDomain.text,
                roots: roots,
                clock: { Console.now },
                accepts: { id, _ in id.hasPrefix(prefix) }
            )
            made = (roots, verifier)
            return verifier
        }
        return verifier.verifier(chain)
    }
}
