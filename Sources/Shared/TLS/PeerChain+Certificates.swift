import Crypto
import Wire

extension PeerChain {
    var pathRole: PeerRole { peerRole == .client ? .client : .server }

    func parsedLeaf() throws(PathError) -> Certificate {
        guard let bytes = certificates.first else {
            throw .unacceptableLeaf(problem: "there is none")
        }
        do throws(CryptoError) {
            return try Certificate(der: bytes)
        } catch {
            throw .unacceptableLeaf(problem: "\(error)")
        }
    }

    /// Those that can be read: a useless one beside a good path does no harm.
    func parsedIntermediates() -> [Certificate] {
        certificates.dropFirst().compactMap { try? Certificate(der: $0) }
    }
}

extension PeerIdentity {
    init(_ leaf: Certificate, name: String, notAfter: Timestamp, root: [UInt8] = []) {
        self.init(
            name: name,
            serialNumber: leaf.serialNumber,
            leafDigest: leaf.fingerprint.bytes,
            notAfter: notAfter,
            root: root
        )
    }
}

extension PeerRefusal {
    init(_ error: PathError) {
        let kind: Kind =
            switch error {
            case .unacceptableLeaf, .notAnSVID, .tooMuchWork: .badCertificate
            case .noPath: .unknownCA
            case .revoked, .revocationUnknown: .revoked
            case .nameMismatch: .otherIdentity
            }
        self.init(kind, reason: error.description)
    }
}
