package import Crypto
import Wire

/// Which roots a live connection may have been verified under; pure.
///
/// A root that left the trust document after it had been announced as retiring was taken out in
/// good order: what it vouched for lives on as any connection that outlives its leaf. One that was
/// taken out without that announcement is distrusted, with everything that was verified under it.
package struct TrustedRoots: Hashable, Sendable {
    /// What becomes of a connection that was verified under a root.
    package enum Verdict: Hashable, Sendable {
        case trusted
        /// The root is gone in good order: the connection may live once its leaf has ended, when
        /// the manifest alone admits it.
        case retired
        case distrusted
    }

    private var named: [SHA256Digest: TrustDocument.Authority.State]
    private var retired: Set<SHA256Digest> = []

    /// Those that a document names.
    package init(_ document: TrustDocument) {
        named = Self.states(in: document)
    }

    /// The document was replaced by its successor.
    package mutating func follow(_ document: TrustDocument) {
        let next = Self.states(in: document)
        for (root, state) in named where next[root] == nil && state == .retiring {
            retired.insert(root)
        }
        retired.subtract(next.keys)
        named = next
    }

    /// Judges a root by its fingerprint.
    package func verdict(on root: [UInt8]) -> Verdict {
        guard let root = SHA256Digest(root) else { return .distrusted }
        if named[root] != nil { return .trusted }
        return retired.contains(root) ? .retired : .distrusted
    }

    /// Whether what a root signed should be replaced soon: it signs no more.
    package func isLeaving(_ root: SHA256Digest) -> Bool {
        named[root].map { $0 == .retiring } ?? true
    }

    private static func states(
        in document: TrustDocument
    ) -> [SHA256Digest: TrustDocument.Authority.State] {
        Dictionary(
            document.authorities.map { (SHA256.digest(of: $0.certificate), $0.state) }
        ) { first, _ in first }
    }
}
