import Crypto
import Ledger
import Testing

/// Proofs against a tree that is computed by the definition of RFC 6962 §2.1.
@Suite struct MerkleProofTests {
    private let leaves = (0..<9).map { MerkleProof.leafHash(of: [UInt8($0)]) }

    private func half(_ count: Int) -> Int {
        var half = 1
        while half * 2 < count { half *= 2 }
        return half
    }

    private func root(_ leaves: ArraySlice<SHA256Digest>) -> SHA256Digest {
        guard leaves.count > 1 else { return leaves[leaves.startIndex] }
        let middle = leaves.startIndex + half(leaves.count)
        return MerkleProof.nodeHash(root(leaves[..<middle]), root(leaves[middle...]))
    }

    private func path(_ index: Int, _ leaves: ArraySlice<SHA256Digest>) -> [[UInt8]] {
        guard leaves.count > 1 else { return [] }
        let middle = leaves.startIndex + half(leaves.count)
        return index < middle
            ? path(index, leaves[..<middle]) + [root(leaves[middle...]).bytes]
            : path(index, leaves[middle...]) + [root(leaves[..<middle]).bytes]
    }

    @Test func everyLeafOfEveryTreeIsProven() {
        for size in 1...leaves.count {
            let tree = leaves[..<size]
            for index in 0..<size {
                func holds(at index: Int, leaf: [UInt8], path: [[UInt8]]) -> Bool {
                    MerkleProof.includes(
                        leafHash: leaf,
                        at: UInt64(index),
                        inTreeOf: UInt64(size),
                        root: root(tree).bytes,
                        path: path
                    )
                }
                let proof = path(index, tree)
                let leaf = leaves[index].bytes
                #expect(holds(at: index, leaf: leaf, path: proof))
                #expect(!holds(at: index + 1, leaf: leaf, path: proof))
                #expect(!holds(at: index, leaf: leaf.reversed(), path: proof))
                #expect(!holds(at: index, leaf: leaf, path: proof + [leaf]))
                #expect(!holds(at: index, leaf: leaf, path: proof + [[]]))
                #expect(size == 1 || !holds(at: index, leaf: leaf, path: proof.dropLast()))
            }
        }
    }

    @Test func aTreeThatGrewIsConsistentAndOneThatChangedIsNot() {
        let old = root(leaves[..<4])
        let new = root(leaves[..<7])
        // From 4 = 2^2 leaves to 7 the proof is the one hash of what was added.
        let added = [root(leaves[4..<7]).bytes]
        func isConsistent(_ oldRoot: [UInt8], _ newRoot: [UInt8], _ path: [[UInt8]]) -> Bool {
            MerkleProof.isConsistent(
                oldSize: 4,
                oldRoot: oldRoot,
                newSize: 7,
                newRoot: newRoot,
                path: path
            )
        }
        #expect(isConsistent(old.bytes, new.bytes, added))
        #expect(!isConsistent(new.bytes, new.bytes, added))
        #expect(!isConsistent(old.bytes, old.bytes, added))
        #expect(!isConsistent(old.bytes, new.bytes, []))
        #expect(!isConsistent(old.bytes, new.bytes, [old.bytes] + added))
        #expect(!isConsistent(Array(old.bytes.dropLast()), new.bytes, added))
    }

    @Test func nothingFollowsFromAnEmptyTreeAndNoProofIsEndless() {
        let root = leaves[0].bytes
        func isConsistent(_ oldSize: UInt64, _ newSize: UInt64, _ path: [[UInt8]]) -> Bool {
            MerkleProof.isConsistent(
                oldSize: oldSize,
                oldRoot: root,
                newSize: newSize,
                newRoot: root,
                path: path
            )
        }
        #expect(isConsistent(5, 5, []))
        #expect(!isConsistent(5, 5, [root]))
        #expect(!isConsistent(0, 0, []))
        #expect(!isConsistent(0, 1, []))
        #expect(!isConsistent(2, 1, []))
        let endless = Array(repeating: root, count: MerkleProof.hashesMax + 1)
        #expect(!isConsistent(1, .max, endless))
    }
}
