/// HKDF with SHA-256 (RFC 5869).
package enum HKDF {
    /// The most bytes that one expansion gives: 255 digests (RFC 5869 §2.3).
    package static let outputBytesMax = 255 * SHA256Digest.byteCount

    /// Extracts and expands; throws when `count` is negative or above `outputBytesMax`.
    package static func derive(
        from inputKey: SecretBytes,
        salt: [UInt8] = [],
        info: [UInt8],
        count: Int
    ) throws(CryptoError) -> SecretBytes {
        try inputKey.withBytes { (input) throws(CryptoError) in
            try derive(from: input, salt: salt, info: info, count: count)
        }
    }

    /// Extracts and expands; throws when `count` is negative or above `outputBytesMax`.
    package static func derive(
        from inputKey: Span<UInt8>,
        salt: [UInt8],
        info: [UInt8],
        count: Int
    ) throws(CryptoError) -> SecretBytes {
        guard 0...outputBytesMax ~= count else {
            throw .malformed(
                field: "HKDF length",
                problem: "it must lie within 0 to \(outputBytesMax) bytes"
            )
        }
        var pseudorandomKey = HMACSHA256.tag(of: inputKey, key: salt.span).bytes
        var output: [UInt8] = []
        output.reserveCapacity(count + SHA256Digest.byteCount)
        var block: [UInt8] = []
        var index: UInt8 = 0
        while output.count < count {
            index += 1
            var state = HMACSHA256(key: pseudorandomKey.span)
            state.update(block)
            state.update(info)
            state.update([index])
            SecretBytes.wipe(&block)
            block = state.finalize().bytes
            output.append(contentsOf: block)
        }
        let result = SecretBytes(copying: output.span.extracting(first: count))
        SecretBytes.wipe(&pseudorandomKey)
        SecretBytes.wipe(&block)
        SecretBytes.wipe(&output)
        return result
    }
}
