import Snapshot
import Wire

extension Suite {
    /// Walks a chain of versions of the document that says who may sign.
    static let keyRotation = Suite(name: "key-rotation", refusal: "reject") { reader in
        var accepted: KeyQuorum<Int64>?
        var results: [Document] = []
        for version in try reader.required("versions").list() {
            guard let (quorum, signers) = try? quorum(of: version) else {
                results.append(false)
                continue
            }
            let isAccepted = quorum.admits(signedBy: signers, after: accepted)
            if isAccepted { accepted = quorum }
            results.append(.bool(isAccepted))
        }
        return Answer(["result": .list(results)])
    }

    private static func quorum(
        of version: FieldValue
    ) throws -> (KeyQuorum<Int64>, signers: Set<Int64>) {
        try version.map { reader throws(FieldError) in
            func keys(_ name: String) throws(FieldError) -> [Int64] {
                var keys: [Int64] = []
                for key in try reader.required(name).list() {
                    keys.append(Int64(try key.int(in: .min ... .max)))
                }
                return keys
            }
            let members = try keys("keys")
            let signers = Set(try keys("signed_by"))
            let threshold = try reader.required("threshold").int(in: .min ... .max)
            guard let quorum = KeyQuorum(keys: members, threshold: threshold) else {
                throw version.error("the quorum cannot exist", hint: "1 <= threshold <= keys")
            }
            return (quorum, signers)
        }
    }
}
