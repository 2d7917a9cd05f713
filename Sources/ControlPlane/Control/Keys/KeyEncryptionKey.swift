package import Crypto

/// The key outside of the database that opens the root key.
package struct KeyEncryptionKey: Sendable {
    /// How many bytes a key file holds.
    package static let byteCount = 32

    /// Where the key came from, such as `file`.
    package let provider: String
    /// Tells keys apart without telling anything about them.
    package let id: String
    let secret: SecretBytes

    /// Nil unless there are exactly 32 bytes that are not all the same.
    package init?(provider: String = "file", _ secret: SecretBytes) {
        guard secret.count == Self.byteCount else { return nil }
        let isUniform = secret.withBytes { bytes in
            (1..<bytes.count).allSatisfy { bytes[$0] == bytes[0] }
        }
        guard !isUniform else { return nil }
        self.provider = provider
        self.secret = secret
        let tag = HMACSHA256.tag(of: Array("turnpike key encryption key id".utf8), key: secret)
        id = String(tag.hex.prefix(16))
    }
}
