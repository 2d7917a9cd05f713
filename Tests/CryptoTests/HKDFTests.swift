import Crypto
import Testing

struct HKDFTests {
    // RFC 5869 A.1 and A.3.
    @Test func matchesRFC5869() throws {
        let key = SecretBytes(copying: [UInt8](repeating: 0x0B, count: 22))
        let first = try HKDF.derive(
            from: key,
            salt: Array(0...12),
            info: Array(0xF0...0xF9),
            count: 42
        )
        #expect(
            try first.withBytes { Array(copying: $0) }
                == hex(
                    """
                    3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf
                    34007208d5b887185865
                    """
                )
        )
        let third = try HKDF.derive(from: key, info: [], count: 42)
        #expect(
            try third.withBytes { Array(copying: $0) }
                == hex(
                    """
                    8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d
                    9d201395faa4b61a96c8
                    """
                )
        )
    }

    @Test func refusesLengthsOutsideTheStandard() throws {
        let key = SecretBytes(copying: [1])
        let longest = try HKDF.derive(from: key, info: [], count: HKDF.outputBytesMax)
        #expect(longest.count == 8160)
        #expect(throws: CryptoError.self) {
            try HKDF.derive(from: key, info: [], count: HKDF.outputBytesMax + 1)
        }
        #expect(throws: CryptoError.self) { try HKDF.derive(from: key, info: [], count: -1) }
    }
}

extension Array where Element == UInt8 {
    init(copying span: Span<UInt8>) {
        self = span.indices.map { span[$0] }
    }
}
