import COpenSSL

/// SHA-256 (FIPS 180-4), one-shot or piece by piece; a value, so a state may be copied and forked.
package struct SHA256: Sendable {
    private var context = SHA256_CTX()

    /// The state before the first byte.
    package init() {
        unsafe tp_sha256_init(&context)
    }

    /// The hash of `bytes`.
    package static func digest(of bytes: [UInt8]) -> SHA256Digest {
        digest(of: bytes.span)
    }

    /// The hash of `bytes`.
    package static func digest(of bytes: Span<UInt8>) -> SHA256Digest {
        var state = SHA256()
        state.update(bytes)
        return state.finalize()
    }

    /// Takes in more bytes.
    package mutating func update(_ bytes: [UInt8]) {
        update(bytes.span)
    }

    /// Takes in more bytes.
    package mutating func update(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe tp_sha256_update(&context, base, buffer.count)
        }
    }

    /// The hash of all that was taken in; the state stays as it was and may take in more.
    package func finalize() -> SHA256Digest {
        var last = context
        var output = InlineArray<32, UInt8>(repeating: 0)
        var span = output.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe tp_sha256_final(base, &last)
        }
        return SHA256Digest(span: output.span)
    }

    /// Overwrites the state, which may stem from a key; it must not be used afterwards.
    mutating func wipe() {
        unsafe tp_cleanse(&context, MemoryLayout<SHA256_CTX>.size)
    }
}
