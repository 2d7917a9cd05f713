import Ledger
import Wire

extension Suite {
    /// Checks one audit path.
    static let merkleInclusion = Suite(name: "merkle-inclusion", refusal: "reject") { reader in
        let isProven = MerkleProof.includes(
            leafHash: try reader.base64Bytes("leaf_hash"),
            at: try reader.unsignedInteger("leaf_index"),
            inTreeOf: try reader.unsignedInteger("tree_size"),
            root: try reader.base64Bytes("root"),
            path: try reader.hashes("proof")
        )
        return .result(isProven ? "accept" : "reject")
    }

    /// Checks one proof between two tree heads.
    static let merkleConsistency = Suite(name: "merkle-consistency", refusal: "reject") { reader in
        let isProven = MerkleProof.isConsistent(
            oldSize: try reader.unsignedInteger("size1"),
            oldRoot: try reader.base64Bytes("root1"),
            newSize: try reader.unsignedInteger("size2"),
            newRoot: try reader.base64Bytes("root2"),
            path: try reader.hashes("proof")
        )
        return .result(isProven ? "accept" : "reject")
    }
}

extension FieldReader {
    fileprivate mutating func base64Bytes(_ name: String) throws -> [UInt8] {
        try Base64.decode(required(name).string())
    }

    /// The hashes of a proof; a list that is null is empty, one that is absent is missing.
    fileprivate mutating func hashes(_ name: String) throws -> [[UInt8]] {
        guard let list = optional(name) else {
            return contains(name) ? [] : [try base64Bytes(name)]
        }
        return try list.strings().map { try Base64.decode($0) }
    }

    /// A whole number of 64 bits without a sign.
    fileprivate mutating func unsignedInteger(_ name: String) throws -> UInt64 {
        let field = try required(name)
        guard case .number(let number) = field.document.node,
            let value = UInt64(number.text), String(value) == number.text
        else {
            throw field.error(
                "this is no unsigned whole number of 64 bits",
                hint: "write 0 to 18446744073709551615"
            )
        }
        return value
    }
}
