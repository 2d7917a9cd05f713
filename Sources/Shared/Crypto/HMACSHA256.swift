/// HMAC with SHA-256 (RFC 2104, RFC 4231), one-shot or piece by piece.
package struct HMACSHA256: Sendable {
    /// The shortest tag that `isValid` accepts: half of the digest (RFC 2104 §5).
    package static let tagBytesMin = 16

    private static let blockByteCount = 64

    private var inner = SHA256()
    private var outer = SHA256()

    /// Starts a tag under a key of any length.
    package init(key: Span<UInt8>) {
        var block = [UInt8](repeating: 0, count: Self.blockByteCount)
        if key.count > Self.blockByteCount {
            for (index, byte) in SHA256.digest(of: key).bytes.enumerated() { block[index] = byte }
        } else {
            for index in 0..<key.count { block[index] = key[index] }
        }
        for index in block.indices { block[index] ^= 0x36 }
        inner.update(block)
        for index in block.indices { block[index] ^= 0x36 ^ 0x5C }
        outer.update(block)
        SecretBytes.wipe(&block)
    }

    /// Takes in more of the message.
    package mutating func update(_ bytes: [UInt8]) {
        inner.update(bytes)
    }

    /// Takes in more of the message.
    package mutating func update(_ bytes: Span<UInt8>) {
        inner.update(bytes)
    }

    /// The tag of all that was taken in; overwrites the state, which must not be used afterwards.
    package mutating func finalize() -> SHA256Digest {
        outer.update(inner.finalize().bytes)
        let tag = outer.finalize()
        inner.wipe()
        outer.wipe()
        return tag
    }

    /// The tag of `message`.
    package static func tag(of message: [UInt8], key: SecretBytes) -> SHA256Digest {
        key.withBytes { tag(of: message.span, key: $0) }
    }

    /// The tag of `message`.
    package static func tag(of message: Span<UInt8>, key: Span<UInt8>) -> SHA256Digest {
        var state = HMACSHA256(key: key)
        state.update(message)
        return state.finalize()
    }

    /// Whether `tag` is the leftmost bytes of the tag of `message`; false below `tagBytesMin`.
    package static func isValid(
        tag: [UInt8],
        of message: [UInt8],
        key: SecretBytes
    ) -> Bool {
        guard tagBytesMin...SHA256Digest.byteCount ~= tag.count else { return false }
        let expected = Self.tag(of: message, key: key).bytes
        return constantTimeEquals(tag.span, expected.span.extracting(first: tag.count))
    }
}
