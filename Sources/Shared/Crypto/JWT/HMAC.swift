/// HMAC over any of the hash functions, one-shot (RFC 2104): for signatures with a shared key.
package enum HMAC {
    /// The whole tag of `message`.
    package static func tag(
        of message: [UInt8],
        key: SecretBytes,
        hash: HashFunction
    ) -> [UInt8] {
        let blockByteCount = hash == .sha256 ? 64 : 128
        var pad = key.withBytes { key -> [UInt8] in
            let isLong = key.count > blockByteCount
            var bytes = isLong ? hash.digest(of: key) : key.indices.map { key[$0] }
            bytes += [UInt8](repeating: 0, count: blockByteCount - bytes.count)
            return bytes
        }
        defer { SecretBytes.wipe(&pad) }
        for index in pad.indices { pad[index] ^= 0x36 }
        var inner = pad + message
        defer { SecretBytes.wipe(&inner) }
        let digest = hash.digest(of: inner)
        for index in pad.indices { pad[index] ^= 0x36 ^ 0x5C }
        var outer = pad + digest
        defer { SecretBytes.wipe(&outer) }
        return hash.digest(of: outer)
    }

    /// Whether `tag` is the whole tag of `message`, in constant time.
    package static func isValid(
        tag: [UInt8],
        of message: [UInt8],
        key: SecretBytes,
        hash: HashFunction
    ) -> Bool {
        constantTimeEquals(tag, Self.tag(of: message, key: key, hash: hash))
    }
}
