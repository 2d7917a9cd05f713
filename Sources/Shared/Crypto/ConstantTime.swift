import COpenSSL

/// Whether both hold the same bytes, in time that depends on their lengths only.
package func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    constantTimeEquals(left.span, right.span)
}

/// Whether both hold the same bytes, in time that depends on their lengths only.
package func constantTimeEquals(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe left.withUnsafeBufferPointer { first in
        unsafe right.withUnsafeBufferPointer { second in
            guard let one = first.baseAddress, let other = second.baseAddress else { return true }
            return unsafe CRYPTO_memcmp(one, other, first.count) == 0
        }
    }
}
