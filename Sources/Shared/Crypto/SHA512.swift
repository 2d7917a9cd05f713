import COpenSSL

/// SHA-512 (FIPS 180-4).
package enum SHA512 {
    /// The 64 bytes of the hash of `bytes`.
    package static func digest(of bytes: [UInt8]) -> [UInt8] {
        digest(of: bytes.span)
    }

    /// The 64 bytes of the hash of `bytes`.
    package static func digest(of bytes: Span<UInt8>) -> [UInt8] {
        var context = SHA512_CTX()
        unsafe tp_sha512_init(&context)
        unsafe bytes.withUnsafeBufferPointer {
            unsafe tp_sha512_update(&context, $0.baseAddress, $0.count)
        }
        var output = [UInt8](repeating: 0, count: 64)
        unsafe tp_sha512_final(&output, &context)
        return output
    }
}

/// SHA-384 (FIPS 180-4).
package enum SHA384 {
    /// The 48 bytes of the hash of `bytes`.
    package static func digest(of bytes: [UInt8]) -> [UInt8] {
        digest(of: bytes.span)
    }

    /// The 48 bytes of the hash of `bytes`.
    package static func digest(of bytes: Span<UInt8>) -> [UInt8] {
        var context = SHA512_CTX()
        unsafe tp_sha384_init(&context)
        unsafe bytes.withUnsafeBufferPointer {
            unsafe tp_sha512_update(&context, $0.baseAddress, $0.count)
        }
        var output = [UInt8](repeating: 0, count: 48)
        unsafe tp_sha384_final(&output, &context)
        return output
    }
}
