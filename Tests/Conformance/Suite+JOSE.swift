import Crypto
import Wire

extension Suite {
    /// Verifies one compact JWS with one key.
    static let jws = Suite(name: "jws", refusal: "invalid") { reader in
        let key = try reader.required("key").document
        guard key["keys"] == nil else {
            return .result("invalid", reason: "the key is a set")
        }
        return try verdict(on: &reader, with: key)
    }

    /// Verifies one compact JWS with a set of keys, or one key.
    static let jwk = Suite(name: "jwk", refusal: "invalid") { reader in
        try verdict(on: &reader, with: try reader.required("key").document)
    }

    private static func verdict(
        on reader: inout FieldReader,
        with key: Document
    ) throws -> Answer {
        let text = try reader.required("jws").string(bytes: 0...(1 << 20))
        do throws(JOSEError) {
            let set = try JSONWebKeySet(key)
            _ = try set.verify(CompactJWS(text), allowing: Set(JWSAlgorithm.allCases))
            return .result("valid")
        } catch {
            if case .unsupported = error {
                return .result("unsupported", reason: error.description)
            }
            return .result("invalid", reason: error.description)
        }
    }
}
