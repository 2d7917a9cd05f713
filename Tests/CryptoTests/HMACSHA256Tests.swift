import Crypto
import Testing

struct HMACSHA256Tests {
    // RFC 4231 test cases 1, 2, 6 and 7.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131),
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func matchesRFC4231(key: [UInt8], message: String, tag: String) throws {
        let secret = SecretBytes(copying: key)
        #expect(HMACSHA256.tag(of: Array(message.utf8), key: secret).hex == tag)
        let bytes = try hex(tag)
        #expect(HMACSHA256.isValid(tag: bytes, of: Array(message.utf8), key: secret))
        #expect(
            HMACSHA256.isValid(tag: Array(bytes.prefix(16)), of: Array(message.utf8), key: secret)
        )
    }

    @Test func refusesAlteredShortAndLongTags() {
        let key = SecretBytes(copying: [1, 2, 3])
        let message = Array("message".utf8)
        let tag = HMACSHA256.tag(of: message, key: key).bytes
        for index in tag.indices {
            var altered = tag
            altered[index] ^= 0x10
            #expect(!HMACSHA256.isValid(tag: altered, of: message, key: key))
        }
        #expect(!HMACSHA256.isValid(tag: [], of: message, key: key))
        #expect(!HMACSHA256.isValid(tag: Array(tag.prefix(15)), of: message, key: key))
        #expect(!HMACSHA256.isValid(tag: Array(tag.suffix(16)), of: message, key: key))
        #expect(!HMACSHA256.isValid(tag: tag + [0], of: message, key: key))
    }

    @Test func anEmptyKeyIsAKey() {
        let tag = HMACSHA256.tag(of: [], key: SecretBytes(copying: []))
        #expect(tag.hex == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }
}
