package import Crypto
import Synchronization
package import Wire

/// Verifies a peer as a SPIFFE workload of one trust domain.
///
/// Paths that were verified are remembered until they expire; whoever gets new roots makes a new
/// verifier, which remembers nothing. Revocation and `accepts` are asked every time.
package final class SVIDVerifier: Sendable {
    /// Leaves whose path is remembered.
    package static let rememberedLeavesMax = 4_096

    private let validator: SVIDValidator
    private let clock: @Sendable () -> Timestamp
    private let isRevoked: @Sendable (_ serialNumber: [UInt8]) -> Bool
    private let accepts: @Sendable (_ spiffeID: String, _ chain: PeerChain) -> Bool
    private let verified = Mutex(VerifiedLeafCache(capacity: rememberedLeavesMax))

    /// `accepts` decides which SPIFFE ids may be at the other end of this kind of connection.
    package init(
        trustDomain: String,
        roots: [Certificate],
        clock: @escaping @Sendable () -> Timestamp,
        isRevoked: @escaping @Sendable (_ serialNumber: [UInt8]) -> Bool = { _ in false },
        accepts: @escaping @Sendable (_ spiffeID: String, _ chain: PeerChain) -> Bool
    ) {
        validator = SVIDValidator(trustDomain: trustDomain, roots: roots)
        self.clock = clock
        self.isRevoked = isRevoked
        self.accepts = accepts
    }

    /// For a context or a session.
    package var verifier: PeerVerifier {
        { [self] chain in
            do throws(PathError) {
                let leaf = try chain.parsedLeaf()
                let identity = try identity(of: leaf, in: chain)
                guard !isRevoked(leaf.serialNumber) else { throw .revoked }
                guard accepts(identity.spiffeID, chain) else {
                    return .refuse(
                        PeerRefusal(
                            .otherIdentity,
                            reason: "\(identity.spiffeID) is not expected here"
                        )
                    )
                }
                return .accept(
                    PeerIdentity(
                        leaf,
                        name: identity.spiffeID,
                        notAfter: identity.notAfter,
                        root: identity.root.bytes
                    )
                )
            } catch {
                return .refuse(PeerRefusal(error))
            }
        }
    }

    private func identity(
        of leaf: Certificate,
        in chain: PeerChain
    ) throws(PathError) -> SVIDValidator.Identity {
        let now = clock()
        let role = chain.pathRole
        let known = verified.withLock { $0.identity(of: leaf.fingerprint, role: role, at: now) }
        if let known { return known }
        var question = PathValidator.Question(role: role, time: now)
        question.intermediates = chain.parsedIntermediates()
        let identity = try validator.validate(leaf, question)
        verified.withLock { $0.insert(identity, for: leaf.fingerprint, role: role) }
        return identity
    }
}
