package import Wire

/// Why a CA from outside cannot sign for the mesh.
package struct SigningChainProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// Which certificate it is about.
    package enum Place: String, Equatable, Sendable {
        /// The one that is to sign leaves.
        case issuer
        /// One between it and the root, or the chain as a whole.
        case above
        case root
    }

    package let place: Place
    /// What is wrong and what would be right.
    package let description: String

    init(_ place: Place, _ description: String) {
        self.place = place
        self.description = description
    }
}

/// A CA that is to sign leaves, with the CAs between it and its root, as its owner brings them.
///
/// Nothing in it is trusted before `check`; names that it may not sign show only when it signs, so
/// whoever takes it in signs one of each kind for a trial.
package struct SigningChain: Sendable {
    /// The most CAs between the one that signs and the root: a peer's chain has room for no more.
    package static let aboveMax = 4

    /// What signs leaves.
    package let issuer: Certificate
    /// The CAs between, the one that signed `issuer` first; the root is not among them.
    package let above: [Certificate]
    /// Signed by itself; `issuer` itself where a root is brought alone.
    package let root: Certificate

    /// Puts `others` in order, which must lead from `issuer` to one root and hold nothing else.
    package init(
        _ issuer: Certificate,
        others: [Certificate]
    ) throws(SigningChainProblem) {
        var rest: [Certificate] = []
        for other in others where other != issuer && !rest.contains(other) { rest.append(other) }
        var path: [Certificate] = []
        var last = issuer
        while !Self.isSignedByItself(last) {
            let next = rest.firstIndex { Self.isSigned(last, by: $0) }
            guard let next else {
                guard !last.isSelfIssued else {
                    throw SigningChainProblem(
                        path.isEmpty ? .issuer : .root,
                        "'\(last.subject.label)' names itself as its issuer, but its own key did not"
                            + " sign it with SHA-256 or stronger"
                    )
                }
                throw SigningChainProblem(
                    .above,
                    "it must hold the certificate of '\(last.issuer.label)', which signed"
                        + " '\(last.subject.label)', and so on up to a root that is signed by itself"
                )
            }
            last = rest.remove(at: next)
            path.append(last)
            guard path.count <= Self.aboveMax + 1 else {
                throw SigningChainProblem(
                    .above,
                    "at most \(Self.aboveMax) CAs may stand between the certificate and its root"
                )
            }
        }
        if let stranger = rest.first {
            throw SigningChainProblem(
                .above,
                "'\(stranger.subject.label)' did not sign anything on the way to the root: leave it out"
            )
        }
        self.issuer = issuer
        root = last
        above = path.dropLast()
    }

    /// Whether a certificate is a root: issued and signed by itself.
    package static func isSignedByItself(_ certificate: Certificate) -> Bool {
        certificate.isSelfIssued && isSigned(certificate, by: certificate)
    }

    /// Whether each certificate of a path, the root last, was signed by the one after it.
    package static func isUnbroken(_ path: [Certificate]) -> Bool {
        zip(path, path.dropFirst()).allSatisfy { isSigned($0, by: $1) }
    }

    private static func isSigned(_ child: Certificate, by issuer: Certificate) -> Bool {
        guard child.issuer == issuer.subject, let key = try? issuer.publicKey() else {
            return false
        }
        return child.isSigned(by: key)
    }

    /// Refuses what peers would refuse, or what ends before `end`; gives what is merely unwise.
    package func check(
        trustDomain: String,
        at time: Timestamp,
        until end: Timestamp
    ) throws(SigningChainProblem) -> [String] {
        let path = [issuer] + above + (root == issuer ? [] : [root])
        for (index, authority) in path.enumerated() {
            let place: SigningChainProblem.Place =
                index == 0 ? .issuer : authority == root ? .root : .above
            let issuer = index + 1 < path.count ? path[index + 1] : nil
            let problem =
                Self.roleProblem(of: authority, followers: index)
                ?? Self.validityProblem(of: authority, under: issuer, at: time, until: end)
                ?? Self.identityProblem(of: authority, trustDomain: trustDomain)
                ?? Self.ruleProblem(of: authority, isRoot: authority == root, at: time)
            if let problem {
                throw SigningChainProblem(place, "'\(authority.subject.label)': \(problem)")
            }
        }
        return warnings
    }

    private var warnings: [String] {
        var warnings: [String] = []
        if ([issuer] + above).allSatisfy({ $0.extensions.nameConstraints == nil }) {
            warnings.append(
                "no name constraints keep '\(issuer.subject.label)' within the trust domain"
            )
        }
        if issuer != root, issuer.pathLength != 0 {
            warnings.append("'\(issuer.subject.label)' may have CAs below it: pathlen:0 is enough")
        }
        return warnings
    }

    /// Being a CA at all, and one with `followers` CAs below it.
    private static func roleProblem(of authority: Certificate, followers: Int) -> String? {
        let extensions = authority.extensions
        guard let kind = authority.keyKind else {
            return "its key is of a refused kind: use P-256, P-384 or RSA of 2048 bits and more"
        }
        guard let constraints = extensions.basicConstraints, constraints.isCA else {
            return "its basic constraints must say CA:TRUE"
        }
        guard constraints.isCritical else {
            return "its basic constraints must be marked critical"
        }
        if let limit = constraints.pathLength, limit < followers {
            return "its basic constraints say pathlen:\(limit), but CAs below it: \(followers)"
        }
        guard extensions.keyUsage?.contains(.keyCertSign) == true else {
            return "its key usage must contain keyCertSign"
        }
        guard extensions.subjectKeyIdentifier != nil else {
            return "it must have a subject key identifier"
        }
        guard authority.signatureScheme != nil else {
            return "its signature algorithm is refused: use SHA-256 or stronger (\(kind) key)"
        }
        return nil
    }

    private static func validityProblem(
        of authority: Certificate,
        under issuer: Certificate?,
        at time: Timestamp,
        until end: Timestamp
    ) -> String? {
        if time < authority.notBefore {
            return "its validity begins only at \(authority.notBefore.rfc3339)"
        }
        if authority.notAfter < end {
            return "its validity ends at \(authority.notAfter.rfc3339), but it must last until"
                + " \(end.rfc3339) at least"
        }
        // Leaves are cut at their issuer's end, so nothing above may end sooner.
        if let issuer, issuer.notAfter < authority.notAfter {
            return "its validity ends after that of its issuer (\(issuer.notAfter.rfc3339)): have"
                + " it signed for less"
        }
        return nil
    }

    private static func identityProblem(
        of authority: Certificate,
        trustDomain: String
    ) -> String? {
        let ids = authority.uriNames.filter { $0.lowercased().hasPrefix("spiffe:") }
        guard ids.allSatisfy({ $0 == "spiffe://\(trustDomain)" }) else {
            return "its subject alternative name has another SPIFFE id than spiffe://\(trustDomain)"
        }
        return nil
    }

    /// Everything else that the check of a path asks of one certificate.
    private static func ruleProblem(
        of authority: Certificate,
        isRoot: Bool,
        at time: Timestamp
    ) -> String? {
        for role in PeerRole.allCases {
            let problem =
                isRoot
                ? CertificateRules.problem(ofAnchor: authority, role: role, at: time)
                : CertificateRules.problem(ofIntermediate: authority, role: role, at: time)
            if let problem { return problem }
        }
        return nil
    }
}

extension DistinguishedName {
    /// What people know it by, short and without anything that a terminal would obey.
    fileprivate var label: String {
        let name = (commonName ?? "").unicodeScalars.prefix(64)
        let isPlain = name.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
        return name.isEmpty || !isPlain ? "no common name" : String(String.UnicodeScalarView(name))
    }
}
