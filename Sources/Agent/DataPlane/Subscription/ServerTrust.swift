import Crypto
package import Mesh
import Snapshot
package import TLS
package import Wire

/// How an agent knows its servers: by SPIFFE id under the roots of its trust document, never by
/// the DNS name or address it connects to.
package enum ServerTrust {
    /// The one protocol of port 7401.
    package static let applicationProtocol = "turnpike-agent/1"

    /// The server name that agents ask for on port 7401.
    package static func serverName(in trustDomain: TrustDomain) -> String {
        "server.\(trustDomain.text)"
    }

    /// The server name that joining hosts ask for on port 7400.
    package static func enrolmentName(in trustDomain: TrustDomain) -> String {
        "enroll.\(trustDomain.text)"
    }

    /// Accepts servers of the mesh and nobody else.
    package static func verifier(
        _ roots: MeshRoots,
        now: @escaping @Sendable () -> Timestamp
    ) -> PeerVerifier {
        { chain in judge(chain, roots, now: now()) }
    }

    /// Judges one chain.
    package static func judge(
        _ chain: PeerChain,
        _ roots: MeshRoots,
        now: Timestamp
    ) -> PeerVerdict {
        guard let bytes = chain.certificates.first, let leaf = try? Certificate(der: bytes) else {
            return .refuse(PeerRefusal(.badCertificate, reason: "the certificate is malformed"))
        }
        var question = PathValidator.Question(role: .server, time: now)
        question.intermediates = chain.certificates.dropFirst().compactMap {
            try? Certificate(der: $0)
        }
        let identity: SVIDValidator.Identity
        do throws(PathError) {
            identity = try roots.validator.validate(leaf, question)
        } catch {
            return .refuse(PeerRefusal(.unknownCA, reason: "\(error)"))
        }
        guard case .server = (try? SPIFFEID(identity.spiffeID))?.subject else {
            return .refuse(
                PeerRefusal(.otherIdentity, reason: "\(identity.spiffeID) is not a server")
            )
        }
        return .accept(
            PeerIdentity(
                name: identity.spiffeID,
                serialNumber: leaf.serialNumber,
                leafDigest: leaf.fingerprint.bytes,
                notAfter: identity.notAfter
            )
        )
    }
}
