package import Crypto
package import Wire

/// One thing that the next version of a trust document does otherwise; pure.
///
/// A rotation is a row of such changes, each signed by the trust keys and each safe to stop after:
/// what is new is announced before it is used, and what is old stays until nobody needs it.
package enum TrustChange: Hashable, Sendable {
    /// Announces a key that signs manifests; one that is there already stays as it is.
    case addSnapshotKey(TrustDocument.SnapshotKey)
    /// Takes every other snapshot key out, by key id.
    case keepSnapshotKeys(Set<SHA256Digest>)
    /// Announces a root, DER, that signs nothing yet.
    case addRoot([UInt8])
    /// Lets an announced root sign, by fingerprint; the one before retires.
    case activateRoot(SHA256Digest)
    /// Takes a root out that does not sign.
    case removeRoot(SHA256Digest)
    /// Whose signatures the version after this one needs.
    case replaceTrustKeys([PublicKey], threshold: Int)
    /// Leaves a line of revisions behind that somebody else could sign.
    case raiseEpoch
}

/// Why there is no next version; a sentence for people.
package struct TrustChangeError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension TrustDocument {
    /// The next version, with changes made in their order.
    ///
    /// - Returns: nil if they change nothing.
    package func applying(
        _ changes: [TrustChange],
        at time: Timestamp
    ) throws(TrustChangeError) -> TrustDocument? {
        var next = self
        for change in changes { try next.apply(change) }
        guard next != self else { return nil }
        next.version = version + 1
        next.issued = time
        try next.check()
        return next
    }

    /// What another version does otherwise, a line each, for who is asked to sign it.
    package func differences(to next: TrustDocument) -> [String] {
        var lines = ["version \(version) -> \(next.version)"]
        if next.epoch != epoch { lines.append("epoch \(epoch) -> \(next.epoch)") }
        if next.trustDomain != trustDomain {
            lines.append("trust domain \(trustDomain) -> \(next.trustDomain)")
        }
        let (before, after) = (states, next.states)
        for (root, state) in after.sorted(by: { $0.key < $1.key }) where before[root] != state {
            let old = before[root]?.rawValue ?? "absent"
            lines.append("root \(root): \(old) -> \(state.rawValue)")
        }
        for root in before.keys.sorted() where after[root] == nil {
            lines.append("root \(root): removed")
        }
        lines += Self.difference(
            "snapshot key",
            snapshotKeys.map(\.key),
            next.snapshotKeys.map(\.key)
        )
        lines += Self.difference("trust key", trustKeys, next.trustKeys)
        if next.threshold != threshold {
            lines.append("threshold \(threshold) -> \(next.threshold)")
        }
        return lines
    }

    private static func difference(
        _ what: String,
        _ before: [PublicKey],
        _ after: [PublicKey]
    ) -> [String] {
        let (old, new) = (Set(before.map(\.keyID)), Set(after.map(\.keyID)))
        return new.subtracting(old).sorted().map { "\(what) \($0): added" }
            + old.subtracting(new).sorted().map { "\(what) \($0): removed" }
    }

    private var states: [SHA256Digest: Authority.State] {
        Dictionary(authorities.map { (SHA256.digest(of: $0.certificate), $0.state) }) { $1 }
    }

    private mutating func apply(_ change: TrustChange) throws(TrustChangeError) {
        switch change {
        case .addSnapshotKey(let key):
            guard !snapshotKeys.contains(where: { $0.key == key.key }) else { return }
            snapshotKeys.append(key)
        case .keepSnapshotKeys(let kept):
            snapshotKeys.removeAll { !kept.contains($0.key.keyID) }
        case .addRoot(let certificate):
            guard !authorities.contains(where: { $0.certificate == certificate }) else { return }
            authorities.append(Authority(certificate: certificate, state: .next))
        case .activateRoot(let root):
            let index = try index(of: root)
            guard authorities[index].state != .active else { return }
            for other in authorities.indices where authorities[other].state == .active {
                authorities[other].state = .retiring
            }
            authorities[index].state = .active
        case .removeRoot(let root):
            let index = try index(of: root)
            guard authorities[index].state != .active else {
                throw TrustChangeError("root \(root) signs; activate another one first")
            }
            authorities.remove(at: index)
        case .replaceTrustKeys(let keys, let threshold):
            trustKeys = keys
            self.threshold = threshold
        case .raiseEpoch: epoch += 1
        }
    }

    private func index(of root: SHA256Digest) throws(TrustChangeError) -> Int {
        let index = authorities.firstIndex { SHA256.digest(of: $0.certificate) == root }
        guard let index else {
            throw TrustChangeError("root \(root) is not in the trust document; announce it first")
        }
        return index
    }

    private func check() throws(TrustChangeError) {
        guard authorities.filter({ $0.state == .active }).count == 1 else {
            throw TrustChangeError("exactly one root must sign")
        }
        guard !snapshotKeys.isEmpty else {
            throw TrustChangeError("one snapshot key must stay, or nothing can be published")
        }
        guard quorum != nil else {
            throw TrustChangeError("the threshold must be from 1 to the number of trust keys")
        }
        guard authorities.count <= Self.entriesMax, snapshotKeys.count <= Self.entriesMax else {
            throw TrustChangeError(
                "at most \(Self.entriesMax) roots and snapshot keys; retire some"
            )
        }
    }
}
