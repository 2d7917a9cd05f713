import Crypto
import Testing

struct AEADTests {
    // NIST GCM test case 4 (AES-128) and 16 (AES-256): 60 bytes of plaintext, 20 of associated data.
    static let plaintext = """
        d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39
        """
    static let key = "feffe9928665731c6d6a8f9467308308"

    @Test(arguments: [
        (
            key,
            """
            42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
            21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091
            5bc94fbc3221a5db94fae95ae7121a47
            """
        ),
        (
            key + key,
            """
            522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
            8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
            76fc6ece0f4e1768cddf8853bb2d551b
            """
        ),
    ])
    func matchesTheStandard(key: String, sealed: String) throws {
        let secret = SecretBytes(copying: try hex(key))
        let nonce = try hex("cafebabefacedbaddecaf888")
        let associated = try hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        let plaintext = try hex(Self.plaintext)
        let result = try AEAD.seal(
            plaintext,
            key: secret,
            nonce: nonce,
            associatedData: associated
        )
        #expect(try result == hex(sealed))
        let opened = try AEAD.open(result, key: secret, nonce: nonce, associatedData: associated)
        #expect(opened == plaintext)
    }

    @Test(arguments: [16, 24, 32])
    func everyAlteredBitIsRefused(keyBytes: Int) throws {
        let key = SecretBytes.random(count: keyBytes)
        let nonce = Randomness.bytes(12)
        let sealed = try AEAD.seal([1, 2, 3], key: key, nonce: nonce, associatedData: [9])
        for bit in 0..<sealed.count * 8 {
            var altered = sealed
            altered[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: CryptoError.authenticationFailed) {
                try AEAD.open(altered, key: key, nonce: nonce, associatedData: [9])
            }
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try AEAD.open(sealed, key: key, nonce: nonce, associatedData: [8])
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try AEAD.open(
                sealed,
                key: .random(count: keyBytes),
                nonce: nonce,
                associatedData: [9]
            )
        }
    }

    @Test func refusesWrongLengths() {
        let key = SecretBytes.random(count: 32)
        let nonce = [UInt8](repeating: 0, count: 12)
        for length in [0, 8, 11, 13, 16] {
            let wrong = [UInt8](repeating: 0, count: length)
            #expect(throws: CryptoError.self) {
                try AEAD.seal([1], key: key, nonce: wrong, associatedData: [])
            }
        }
        for length in [0, 15, 17, 31, 33, 64] {
            #expect(throws: CryptoError.self) {
                try AEAD.seal([1], key: .random(count: length), nonce: nonce, associatedData: [])
            }
        }
        #expect(throws: CryptoError.self) {
            try AEAD.open(
                [UInt8](repeating: 0, count: 15),
                key: key,
                nonce: nonce,
                associatedData: []
            )
        }
    }

    @Test func emptyMessagesAreSealedToo() throws {
        let key = SecretBytes.random(count: 32)
        let nonce = Randomness.bytes(12)
        let sealed = try AEAD.seal([UInt8](), key: key, nonce: nonce, associatedData: [])
        #expect(sealed.count == AEAD.tagByteCount)
        #expect(try AEAD.open(sealed, key: key, nonce: nonce, associatedData: []).isEmpty)
    }
}
