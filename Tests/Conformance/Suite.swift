import Wire

/// One suite: how a case is answered by the functions that are in service.
///
/// To add one, write `extension Suite { static let name = … }` in a file of its own and name it
/// in `all`.
struct Suite: Sendable {
    /// The word on the command line.
    let name: String
    /// The result for a case that cannot be read or lacks what the suite needs.
    let refusal: String
    /// The fields of the answer but `id`; whatever it throws becomes the reason of a refusal.
    let answer: @Sendable (inout FieldReader) throws -> Answer

    static let all: [Suite] = [
        .intentions, .intentionValidation, .paths, .keyRotation, .x509, .spiffe,
        .merkleInclusion, .merkleConsistency, .ecdsa, .ecdsaP1363, .ecdsa384, .ed25519, .rsa,
        .rsaPSS, .hmac, .hkdf, .aesGCM, .jws, .jwk,
    ]

    /// The fields of an answer, in the order in which they are written.
    struct Answer: Sendable {
        var fields: [(String, Document)]

        init(_ fields: KeyValuePairs<String, Document>) {
            self.fields = fields.map { ($0.key, $0.value) }
        }

        /// `result`, and a reason for people where there is one.
        static func result(_ text: String, reason: String? = nil) -> Answer {
            var answer = Answer(["result": .string(text)])
            if let reason { answer.fields.append(("reason", .string(reason))) }
            return answer
        }
    }

    enum Reply: Equatable {
        case answer([UInt8])
        /// For standard error: not even the `id` could be read.
        case complaint(String)
        /// An empty line asks nothing.
        case nothing
    }

    func reply(to line: [UInt8]) -> Reply {
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { return .nothing }
        let document: Document
        do {
            document = try JSON.parse(line, source: "case", limits: Self.limits)
        } catch {
            return .complaint("\(error)")
        }
        guard let id = document["id"], case .string = id.node else {
            return .complaint("the case has no id")
        }
        var fields = answer(to: document).fields
        fields.insert(("id", id), at: 0)
        let entries = fields.map { Document.Entry(key: $0.0, value: $0.1) }
        return .answer(JSON.compact(Document(.map(entries))))
    }

    private func answer(to document: Document) -> Answer {
        do {
            var reader = try FieldReader(FieldValue(document, unknownFields: .tolerated))
            return try answer(&reader)
        } catch {
            return .result(refusal, reason: "\(error)")
        }
    }

    private static let limits = DocumentLimits(
        bytes: .mebibytes(1),
        depth: 64,
        nodes: 1_000_000
    )
}
