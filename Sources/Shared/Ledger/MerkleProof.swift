package import Crypto

/// Checks the proofs of an append-only Merkle tree with SHA-256 (RFC 6962 §2.1, RFC 9162 §2.1.3 f.).
///
/// Hashes come as bytes, since they come from outside: one of another length than 32 proves nothing.
package enum MerkleProof {
    /// The most hashes that a proof can need: a tree of 2^64 leaves is 64 levels high, and a proof of
    /// consistency begins with one hash more.
    package static let hashesMax = 65

    /// The hash of a leaf.
    package static func leafHash(of entry: [UInt8]) -> SHA256Digest {
        var state = SHA256()
        state.update([0x00])
        state.update(entry)
        return state.finalize()
    }

    /// The hash of an inner node.
    package static func nodeHash(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        var state = SHA256()
        state.update([0x01])
        state.update(left.bytes)
        state.update(right.bytes)
        return state.finalize()
    }

    /// Whether `path` proves that the leaf is the one at `index`, from 0, of a tree of `size` leaves.
    package static func includes(
        leafHash: [UInt8],
        at index: UInt64,
        inTreeOf size: UInt64,
        root: [UInt8],
        path: [[UInt8]]
    ) -> Bool {
        guard index < size, let leaf = SHA256Digest(leafHash), let root = SHA256Digest(root),
            let path = digests(path)
        else { return false }
        var climb = Climb(from: index, last: size - 1)
        var hash = leaf
        for sibling in path {
            guard let side = climb.next() else { return false }
            hash = side == .left ? nodeHash(sibling, hash) : nodeHash(hash, sibling)
        }
        return climb.isAtTop && hash == root
    }

    /// Whether `path` proves that the tree of `newSize` leaves begins with that of `oldSize` leaves.
    ///
    /// Trees of one size are consistent when their roots are equal and nothing is offered as a proof.
    /// Nothing follows from an empty tree, so that one is refused.
    package static func isConsistent(
        oldSize: UInt64,
        oldRoot: [UInt8],
        newSize: UInt64,
        newRoot: [UInt8],
        path: [[UInt8]]
    ) -> Bool {
        guard 0 < oldSize, oldSize <= newSize else { return false }
        if oldSize == newSize { return path.isEmpty && oldRoot == newRoot }
        guard let oldRoot = SHA256Digest(oldRoot), let newRoot = SHA256Digest(newRoot),
            var rest = digests(path)?[...], !rest.isEmpty
        else { return false }
        var climb = Climb(from: oldSize - 1, last: newSize - 1)
        climb.skipWholeSubtrees()
        // A tree of 2^n leaves is itself the first node; the proof leaves it out.
        let isWhole = oldSize.nonzeroBitCount == 1
        let first = isWhole ? oldRoot : rest.removeFirst()
        var (old, new) = (first, first)
        for sibling in rest {
            guard let side = climb.next() else { return false }
            if side == .left {
                old = nodeHash(sibling, old)
                new = nodeHash(sibling, new)
            } else {
                new = nodeHash(new, sibling)
            }
        }
        return climb.isAtTop && old == oldRoot && new == newRoot
    }

    private static func digests(_ path: [[UInt8]]) -> [SHA256Digest]? {
        guard path.count <= hashesMax else { return nil }
        var digests: [SHA256Digest] = []
        for bytes in path {
            guard let digest = SHA256Digest(bytes) else { return nil }
            digests.append(digest)
        }
        return digests
    }
}

/// The way from a node up to the root: on which side the next hash of a proof stands.
private struct Climb {
    enum Side {
        case left
        case right
    }

    private var node: UInt64
    private var last: UInt64

    init(from node: UInt64, last: UInt64) {
        self.node = node
        self.last = last
    }

    var isAtTop: Bool { last == 0 }

    /// Rises to the largest subtree that ends with the node and is full.
    mutating func skipWholeSubtrees() {
        while node & 1 == 1 { rise() }
    }

    /// The side of the next sibling, or nil at the root.
    mutating func next() -> Side? {
        guard last > 0 else { return nil }
        defer { rise() }
        guard node & 1 == 1 || node == last else { return .right }
        // On the right border a node without a sibling rises unchanged.
        while node & 1 == 0, node > 0 { rise() }
        return .left
    }

    private mutating func rise() {
        node >>= 1
        last >>= 1
    }
}
