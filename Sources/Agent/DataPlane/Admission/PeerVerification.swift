import Crypto
import Mesh
import Observability
import Snapshot
import TLS
import Wire

/// What TLS asks in the middle of a handshake: which certificate to show, and whether to believe.
///
/// Of one reactor. The answers' reasons are kept for the connection that drives the handshake,
/// which reads them right after the call that asked.
struct PeerVerification: Sendable {
    private(set) var configuration: EnforcedConfiguration?
    /// Why the latest question was answered with no.
    private(set) var latestRefusal: DecisionReason?

    private var leaves = VerifiedLeafCache(capacity: DataPlaneLimits.verifiedLeavesMax)
    private let now: @Sendable () -> Timestamp
    private let cacheHits: Counter

    init(now: @escaping @Sendable () -> Timestamp, cacheHits: Counter) {
        self.now = now
        self.cacheHits = cacheHits
    }

    /// Replaces what is enforced; other roots make every verified peer unknown again.
    mutating func replace(_ configuration: EnforcedConfiguration) {
        if self.configuration?.trustHash != configuration.trustHash { leaves.flush() }
        self.configuration = configuration
    }

    mutating func forgetRefusal() {
        latestRefusal = nil
    }

    /// The certificate for a server name, nil to refuse.
    mutating func credentials(for name: String?) -> TLSCredentials? {
        guard let configuration else {
            latestRefusal = .snapshotMissing
            return nil
        }
        guard let name, let hosted = configuration.snapshot.hostedByMeshName[name] else {
            latestRefusal = .unknownSNI
            return nil
        }
        switch configuration.identity(of: hosted.service, at: now()) {
        case .valid(let identity):
            return identity.credentials
        case .refused(let reason):
            latestRefusal = reason
            return nil
        }
    }

    /// Decides on a peer's chain; `expected` is the only identity that counts where it is given.
    mutating func verify(_ chain: PeerChain, expected: SPIFFEID? = nil) -> PeerVerdict {
        switch identify(chain) {
        case .failure(let refusal):
            latestRefusal = refusal.reason
            return .refuse(PeerRefusal(refusal.kind, reason: refusal.problem))
        case .success(let found):
            if configuration?.snapshot.revocations.contains(found.serialNumber) ?? true {
                latestRefusal = .leafRevoked
                return .refuse(PeerRefusal(.revoked, reason: "the certificate is revoked"))
            }
            if let expected, found.name != expected.description {
                latestRefusal = .upstreamIdentityMismatch
                return .refuse(
                    PeerRefusal(.otherIdentity, reason: "the peer is another service than asked")
                )
            }
            return .accept(found)
        }
    }

    private mutating func identify(_ chain: PeerChain) -> Result<PeerIdentity, Rejection> {
        guard let configuration, let bytes = chain.certificates.first else {
            return .failure(Rejection(.snapshotMissing, .unknownCA, "no snapshot to check with"))
        }
        let role: PeerRole = chain.peerRole == .client ? .client : .server
        let fingerprint = SHA256.digest(of: bytes)
        let time = now()
        if let known = leaves.identity(of: fingerprint, role: role, at: time) {
            cacheHits.increment()
            return .success(known.peerIdentity(leafDigest: fingerprint))
        }
        let leaf: Certificate
        do {
            leaf = try Certificate(der: bytes)
        } catch {
            return .failure(Rejection(.untrustedChain, .badCertificate, "\(error)"))
        }
        if let rejection = Self.rejection(of: leaf, role: role, time, configuration) {
            return .failure(rejection)
        }
        var question = PathValidator.Question(role: role, time: time)
        question.intermediates = chain.certificates.dropFirst().compactMap {
            try? Certificate(der: $0)
        }
        do {
            let identity = try configuration.validator.validate(leaf, question)
            leaves.insert(identity, for: fingerprint, role: role)
            return .success(identity.peerIdentity(leafDigest: fingerprint))
        } catch {
            return .failure(Rejection(error))
        }
    }

    /// Names the common faults by their own reasons before the chain is searched.
    private static func rejection(
        of leaf: Certificate,
        role: PeerRole,
        _ time: Timestamp,
        _ configuration: EnforcedConfiguration
    ) -> Rejection? {
        guard leaf.isValid(at: time) else {
            return time < leaf.notBefore
                ? Rejection(.leafNotYetValid, .badCertificate, "the certificate is not valid yet")
                : Rejection(.leafExpired, .expired, "the certificate has expired")
        }
        guard !leaf.isCA else {
            return Rejection(.notAService, .unsupportedCertificate, "a CA presents itself")
        }
        let names = leaf.uriNames
        guard names.count <= 1 else {
            return Rejection(.multipleURISANs, .badCertificate, "more than one URI name")
        }
        guard let name = names.first, let id = try? SPIFFEID(name) else {
            return Rejection(.malformedSPIFFEID, .badCertificate, "no SPIFFE id")
        }
        guard id.trustDomain == configuration.snapshot.trustDomain else {
            return Rejection(.foreignTrustDomain, .unknownCA, "another trust domain")
        }
        guard case .service = id.subject else {
            return Rejection(.notAService, .otherIdentity, "the identity is not a service's")
        }
        guard leaf.isMeant(for: role) != false else {
            return Rejection(.wrongEKUs, .unsupportedCertificate, "not issued for this role")
        }
        return nil
    }
}

/// Why a chain does not count, for evidence, for the peer and for our log.
private struct Rejection: Error {
    let reason: DecisionReason
    let kind: PeerRefusal.Kind
    let problem: String

    init(_ reason: DecisionReason, _ kind: PeerRefusal.Kind, _ problem: String) {
        self.reason = reason
        self.kind = kind
        self.problem = problem
    }

    init(_ error: PathError) {
        problem = error.description
        switch error {
        case .revoked:
            reason = .leafRevoked
            kind = .revoked
        case .unacceptableLeaf, .notAnSVID, .nameMismatch:
            reason = .untrustedChain
            kind = .badCertificate
        case .noPath, .tooMuchWork, .revocationUnknown:
            reason = .untrustedChain
            kind = .unknownCA
        }
    }
}

extension SVIDValidator.Identity {
    fileprivate func peerIdentity(leafDigest: SHA256Digest) -> PeerIdentity {
        PeerIdentity(
            name: spiffeID,
            serialNumber: serialNumber,
            leafDigest: leafDigest.bytes,
            notAfter: notAfter,
            root: root.bytes
        )
    }
}
