package import Wire

/// Checks that a peer's certificate is an X509-SVID of one trust domain (SPIFFE X509-SVID §5).
///
/// OpenSSL's own verification accepts about half of what must be refused here, so this always runs.
package struct SVIDValidator: Sendable {
    /// The longest SPIFFE id (SPIFFE-ID §2.3).
    package static let identityBytesMax = 2048
    /// The longest trust domain name (SPIFFE-ID §2.1).
    package static let trustDomainBytesMax = 255

    /// A peer that proved who it is.
    package struct Identity: Sendable, Hashable {
        /// The SPIFFE id, exactly as it stands in the certificate.
        package let spiffeID: String
        /// The first second of validity of the whole path.
        package let notBefore: Timestamp
        /// The last second of validity of the whole path, inclusive.
        package let notAfter: Timestamp
        /// The leaf's serial number, big-endian.
        package let serialNumber: [UInt8]
        /// The fingerprint of the root that the path leads to.
        package let root: SHA256Digest
    }

    /// The only trust domain whose identities are accepted, in lower case.
    package let trustDomain: String

    private let paths: PathValidator

    /// Trusts `roots` for `trustDomain` and for nothing else.
    package init(trustDomain: String, roots: [Certificate]) {
        self.trustDomain = trustDomain
        paths = PathValidator(roots: roots)
    }

    /// Gives the peer's identity, or why it has none; `question.name` is left out of account.
    package func validate(
        _ leaf: Certificate,
        _ question: PathValidator.Question
    ) throws(PathError) -> Identity {
        // The cheap checks first: a stranger costs no signature.
        let spiffeID = try Self.spiffeID(of: leaf, trustDomain: trustDomain)
        var question = question
        question.name = nil
        let path = try paths.validate(leaf, question)
        for certificate in path.certificates.dropFirst().dropLast() {
            guard certificate.keyUsage?.contains(.keyCertSign) == true else {
                throw .notAnSVID(problem: "an intermediate's key usage lacks keyCertSign")
            }
            // The id of an authority is its trust domain alone, and it signs for no other.
            let ids = certificate.uriNames.filter { $0.lowercased().hasPrefix("spiffe:") }
            guard ids.allSatisfy({ $0 == "spiffe://\(trustDomain)" }) else {
                throw .notAnSVID(problem: "an intermediate has the id of something else")
            }
        }
        guard let root = path.certificates.last else { throw .noPath(problem: "an empty path") }
        return Identity(
            spiffeID: spiffeID,
            notBefore: path.notBefore,
            notAfter: path.notAfter,
            serialNumber: leaf.serialNumber,
            root: root.fingerprint
        )
    }

    /// The rules of an SVID that need no path; gives its one SPIFFE id.
    static func spiffeID(
        of leaf: Certificate,
        trustDomain: String
    ) throws(PathError) -> String {
        guard !leaf.isCA else { throw .notAnSVID(problem: "it is a CA") }
        guard let usage = leaf.keyUsage, usage.contains(.digitalSignature) else {
            throw .notAnSVID(problem: "its key usage lacks digitalSignature")
        }
        guard leaf.extensions.isKeyUsageCritical else {
            throw .notAnSVID(problem: "its key usage is not marked critical")
        }
        guard usage.isDisjoint(with: [.keyCertSign, .crlSign]) else {
            throw .notAnSVID(problem: "its key usage is that of a CA")
        }
        let names = leaf.uriNames
        guard names.count == 1, let name = names.first else {
            throw .notAnSVID(problem: "it must have exactly one URI name, not \(names.count)")
        }
        guard let domain = Self.trustDomain(ofWorkloadID: name) else {
            throw .notAnSVID(problem: "its URI name is not a SPIFFE id of a workload")
        }
        guard domain == trustDomain else {
            throw .notAnSVID(problem: "it belongs to another trust domain")
        }
        return name
    }

    /// The trust domain of a well-formed SPIFFE id that has a path, else nil (SPIFFE-ID §2).
    static func trustDomain(ofWorkloadID text: String) -> String? {
        let scheme = "spiffe://"
        guard text.utf8.count <= identityBytesMax, text.hasPrefix(scheme) else { return nil }
        let parts = text.utf8.dropFirst(scheme.utf8.count)
            .split(separator: 0x2F, omittingEmptySubsequences: false)
        guard parts.count >= 2, let domain = parts.first,
            1...trustDomainBytesMax ~= domain.count,
            domain.allSatisfy({ isNameByte($0) && !(0x41...0x5A ~= $0) })
        else { return nil }
        for segment in parts.dropFirst() {
            let isDots = segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8)
            guard !segment.isEmpty, !isDots, segment.allSatisfy(isNameByte) else { return nil }
        }
        return String(Substring(domain))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }
}
