package import Wire

/// Finds and checks a certification path from a peer's certificate to one of the roots.
///
/// Follows RFC 5280 §6, with the CA rules of the web's profile where they are stricter. The paths are
/// searched depth first; all work is bounded by budgets, so that no chain can hold up a handshake.
package struct PathValidator: Sendable {
    /// The most intermediates between leaf and root unless a question says otherwise.
    package static let intermediatesMax = 10
    /// The most intermediates that a peer may send; the rest is ignored.
    package static let candidatesMax = 512
    /// The most signatures that are verified for one question, unless it allows a longer path: a
    /// stranger's chain costs no more than this many.
    package static let signaturesMax = 64
    /// The most steps of the search for one question.
    package static let stepsMax = 10_000
    /// The most comparisons of a name with a constraint for one question.
    package static let comparisonsMax = 250_000

    /// What is asked about one certificate.
    package struct Question: Sendable {
        /// Who presents the certificate.
        package var role: PeerRole
        /// The time of the check; fractions of a second are dropped.
        package var time: Timestamp
        /// What the peer sent beside its certificate, in any order, possibly useless.
        package var intermediates: [Certificate] = []
        /// CRLs; if there are any, the leaf's status must be found in them.
        package var revocationLists: [CertificateRevocationList] = []
        /// The most intermediates between leaf and root.
        package var intermediatesMax = PathValidator.intermediatesMax
        /// The name that the leaf must have, nil when names are checked elsewhere.
        package var name: ReferenceName?

        package init(role: PeerRole, time: Timestamp) {
            self.role = role
            self.time = time
        }
    }

    /// A path that keeps every rule.
    package struct ValidatedPath: Sendable {
        /// From the leaf to the root, both included.
        package let certificates: [Certificate]

        /// The peer's certificate.
        package let leaf: Certificate

        /// The last second in which all certificates of the path are valid.
        package var notAfter: Timestamp {
            certificates.map(\.notAfter).min() ?? .distantPast
        }

        /// The first second in which all certificates of the path are valid.
        package var notBefore: Timestamp {
            certificates.map(\.notBefore).max() ?? .distantFuture
        }
    }

    private struct Anchor: Sendable {
        let certificate: Certificate
        let key: PublicKey
    }

    private let anchors: [DistinguishedName: [Anchor]]

    /// Trusts exactly these roots; one whose key is refused can issue nothing and is left out.
    package init(roots: [Certificate]) {
        let anchors = roots.compactMap { root in
            (try? root.publicKey()).map { Anchor(certificate: root, key: $0) }
        }
        self.anchors = Dictionary(grouping: anchors, by: \.certificate.subject)
    }

    /// Gives the first path that keeps every rule, or why there is none.
    package func validate(
        _ leaf: Certificate,
        _ question: Question
    ) throws(PathError) -> ValidatedPath {
        let problem = CertificateRules.problem(
            ofLeaf: leaf,
            role: question.role,
            isNamed: question.name != nil,
            at: question.time
        )
        if let problem { throw .unacceptableLeaf(problem: problem) }
        if let name = question.name, !name.isNamed(by: leaf) {
            throw .nameMismatch(expected: name.description)
        }
        guard (try? leaf.publicKey()) != nil else {
            throw .unacceptableLeaf(problem: "its key is not valid")
        }
        var search = Search(question: question, anchors: anchors)
        let path = try search.run(from: leaf)
        if !question.revocationLists.isEmpty {
            try Revocation(question: question).check(path)
        }
        return ValidatedPath(certificates: path, leaf: leaf)
    }

    /// One depth-first search with its budgets.
    private struct Search {
        private let question: Question
        private let anchors: [DistinguishedName: [Anchor]]
        private let candidates: [Certificate]
        private let candidatesBySubject: [DistinguishedName: [Int]]
        private var candidateKeys: [Int: PublicKey] = [:]
        private var verdicts: [Link: Bool] = [:]
        private var signaturesLeft: Int
        private var stepsLeft = PathValidator.stepsMax
        private var comparisonsLeft = PathValidator.comparisonsMax
        private var problem = "no certificate of its issuer is known"

        private struct Link: Hashable {
            let child: SHA256Digest
            let issuerKey: PublicKey
        }

        init(question: Question, anchors: [DistinguishedName: [Anchor]]) {
            self.question = question
            self.anchors = anchors
            signaturesLeft = max(PathValidator.signaturesMax, 2 * question.intermediatesMax)
            var seen: Set<Certificate> = []
            let candidates = question.intermediates.prefix(PathValidator.candidatesMax)
                .filter { seen.insert($0).inserted }
            self.candidates = candidates
            candidatesBySubject = Dictionary(grouping: candidates.indices) {
                candidates[$0].subject
            }
        }

        mutating func run(from leaf: Certificate) throws(PathError) -> [Certificate] {
            if let path = try extend([leaf]) { return path }
            throw .noPath(problem: problem)
        }

        private mutating func extend(_ path: [Certificate]) throws(PathError) -> [Certificate]? {
            guard let child = path.last else { return nil }
            stepsLeft -= 1
            guard stepsLeft > 0 else { throw .tooMuchWork }
            for anchor in preferred(anchors[child.issuer] ?? [], for: child, \.certificate) {
                let whole = path + [anchor.certificate]
                if try accepts(anchor, after: child), try keepsPathRules(whole) { return whole }
            }
            guard path.count <= question.intermediatesMax else {
                problem = "more intermediates would be needed than are allowed"
                return nil
            }
            let named = candidatesBySubject[child.issuer] ?? []
            let indices = preferred(named, for: child) { candidates[$0] }
            for index in indices where !path.contains(candidates[index]) {
                if try accepts(intermediate: index, after: child),
                    let found = try extend(path + [candidates[index]])
                {
                    return found
                }
            }
            return nil
        }

        /// Those that have the issuer's key identifier first, of all that have its name.
        private func preferred<Element>(
            _ named: [Element],
            for child: Certificate,
            _ certificate: (Element) -> Certificate
        ) -> [Element] {
            guard named.count > 1, let wanted = child.authorityKeyIdentifier else { return named }
            return named.filter { certificate($0).subjectKeyIdentifier == wanted }
                + named.filter { certificate($0).subjectKeyIdentifier != wanted }
        }

        private mutating func accepts(
            _ anchor: Anchor,
            after child: Certificate
        ) throws(PathError) -> Bool {
            let broken = CertificateRules.problem(
                ofAnchor: anchor.certificate,
                role: question.role,
                at: question.time
            )
            if let broken {
                problem = broken
                return false
            }
            return try isSigned(child, by: anchor.key)
        }

        private mutating func accepts(
            intermediate index: Int,
            after child: Certificate
        ) throws(PathError) -> Bool {
            let broken = CertificateRules.problem(
                ofIntermediate: candidates[index],
                role: question.role,
                at: question.time
            )
            if let broken {
                problem = broken
                return false
            }
            guard let key = candidateKeys[index] ?? (try? candidates[index].publicKey()) else {
                problem = "an issuer's key is not valid"
                return false
            }
            candidateKeys[index] = key
            return try isSigned(child, by: key)
        }

        private mutating func isSigned(
            _ child: Certificate,
            by key: PublicKey
        ) throws(PathError) -> Bool {
            let link = Link(child: child.fingerprint, issuerKey: key)
            if let verdict = verdicts[link] { return verdict }
            signaturesLeft -= 1
            guard signaturesLeft > 0 else { throw .tooMuchWork }
            let verdict = child.isSigned(by: key)
            if !verdict { problem = "a signature does not verify" }
            verdicts[link] = verdict
            return verdict
        }

        /// The rules that need the whole path: path lengths and name constraints.
        private mutating func keepsPathRules(_ path: [Certificate]) throws(PathError) -> Bool {
            var followers = 0
            for (position, issuer) in path.enumerated().dropFirst() {
                if let limit = issuer.pathLength, followers > limit {
                    problem = "more CAs follow an issuer than its path length allows"
                    return false
                }
                if let constraints = issuer.extensions.nameConstraints {
                    for (below, certificate) in path[..<position].enumerated() {
                        // Self-issued CAs are exempt, so that a CA can change its key (§6.1.3).
                        if below > 0, certificate.isSelfIssued { continue }
                        guard constraints.allow(certificate, budget: &comparisonsLeft) else {
                            guard comparisonsLeft > 0 else { throw .tooMuchWork }
                            problem = "a name lies outside the name constraints of its issuer"
                            return false
                        }
                    }
                }
                if !issuer.isSelfIssued { followers += 1 }
            }
            return true
        }
    }
}
