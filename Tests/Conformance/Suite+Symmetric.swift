import Crypto
import Wire

extension Suite {
    /// Verifies one HMAC-SHA-256 tag.
    static let hmac = Suite(name: "hmac", refusal: "invalid") { reader in
        let key = SecretBytes(copying: try reader.hexBytes("key"))
        let message = try reader.hexBytes("message")
        let tag = try reader.hexBytes("tag")
        let bits = try reader.int("tag_bits", in: 0...4096)
        guard bits == tag.count * 8 else {
            return .result("invalid", reason: "the tag has \(tag.count * 8) bits, not \(bits)")
        }
        let isValid = HMACSHA256.isValid(tag: tag, of: message, key: key)
        return .result(isValid ? "valid" : "invalid")
    }

    /// Derives key material by HKDF-SHA-256.
    static let hkdf = Suite(name: "hkdf", refusal: "reject") { reader in
        let key = SecretBytes(copying: try reader.hexBytes("ikm"))
        let derived = try HKDF.derive(
            from: key,
            salt: reader.hexBytes("salt"),
            info: reader.hexBytes("info"),
            count: reader.int("size", in: .min ... .max)
        )
        let bytes = derived.withBytes { span in span.indices.map { span[$0] } }
        return Answer(["result": "valid", "okm": .string(Hex.encode(bytes))])
    }

    /// Opens one AES-GCM message.
    static let aesGCM = Suite(name: "aesgcm", refusal: "invalid") { reader in
        let key = SecretBytes(copying: try reader.hexBytes("key"))
        let nonce = try reader.hexBytes("iv")
        let associatedData = try reader.hexBytes("aad")
        let ciphertext = try reader.hexBytes("ciphertext")
        let tag = try reader.hexBytes("tag")
        guard tag.count == AEAD.tagByteCount else {
            return .result("invalid", reason: "a tag has 16 bytes")
        }
        do throws(CryptoError) {
            let plaintext = try AEAD.open(
                ciphertext + tag,
                key: key,
                nonce: nonce,
                associatedData: associatedData
            )
            return Answer(["result": "valid", "plaintext": .string(Hex.encode(plaintext))])
        } catch {
            if case .unsupported = error {
                return .result("unsupported", reason: error.description)
            }
            return .result("invalid", reason: error.description)
        }
    }
}
