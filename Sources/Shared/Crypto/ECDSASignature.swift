/// The two encodings of an ECDSA signature.
///
/// OpenSSL reads BER and then re-encodes; here only the one canonical form counts, so that a
/// signature has exactly one accepted spelling per encoding.
enum ECDSASignature {
    /// Whether the bytes are DER of two positive integers that can be below the order.
    static func isCanonicalDER(_ bytes: [UInt8], orderByteCount: Int) -> Bool {
        guard let parts = try? parts(of: bytes) else { return false }
        return [parts.r, parts.s].allSatisfy { !$0.isEmpty && $0.count <= orderByteCount }
    }

    /// DER of r and s of `orderByteCount` bytes each, nil when the length differs.
    static func der(p1363 bytes: [UInt8], orderByteCount: Int) -> [UInt8]? {
        guard bytes.count == 2 * orderByteCount else { return nil }
        var writer = DERWriter()
        writer.sequence { inner in
            inner.unsignedInteger(bytes[..<orderByteCount])
            inner.unsignedInteger(bytes[orderByteCount...])
        }
        return writer.bytes
    }

    /// r and s of `orderByteCount` bytes each, nil when the DER is not canonical.
    static func p1363(der bytes: [UInt8], orderByteCount: Int) -> [UInt8]? {
        guard
            isCanonicalDER(bytes, orderByteCount: orderByteCount),
            let parts = try? parts(of: bytes)
        else { return nil }
        var result: [UInt8] = []
        for part in [parts.r, parts.s] {
            result.append(contentsOf: repeatElement(0, count: orderByteCount - part.count))
            result.append(contentsOf: part)
        }
        return result
    }

    private static func parts(
        of bytes: [UInt8]
    ) throws(DERError) -> (r: ArraySlice<UInt8>, s: ArraySlice<UInt8>) {
        var reader = DERReader(try DERReader.single(DERTag.sequence, in: bytes))
        let r = try reader.next(DERTag.integer).magnitude()
        let s = try reader.next(DERTag.integer).magnitude()
        try reader.finish()
        return (r, s)
    }
}

/// The form of an Ed25519 signature.
enum Ed25519Signature {
    /// L = 2^252 + 27742317777372353535851937790883648493, little-endian (RFC 8032 §5.1).
    private static let order: [UInt8] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ]

    /// 64 bytes whose second half is below L, which rules out a second spelling (RFC 8032 §5.1.7).
    static func isCanonical(_ signature: [UInt8]) -> Bool {
        guard signature.count == 64 else { return false }
        for index in stride(from: 31, through: 0, by: -1) {
            let scalar = signature[32 + index]
            if scalar != order[index] { return scalar < order[index] }
        }
        return false
    }
}
