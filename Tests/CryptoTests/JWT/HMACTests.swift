import Crypto
import Testing
import Wire

struct HMACTests {
    // RFC 4231 §4.2 and §4.7, whose key is longer than a block.
    @Test func makesTheTagsOfTheStandard() throws {
        let short = SecretBytes(copying: [UInt8](repeating: 0x0B, count: 20))
        let message = Array("Hi There".utf8)
        let first = HMAC.tag(of: message, key: short, hash: .sha384)
        #expect(
            Hex.encode(first)
                == "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
                + "faea9ea9076ede7f4af152e8b2fa9cb6"
        )
        let long = SecretBytes(copying: [UInt8](repeating: 0xAA, count: 131))
        let words = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        let second = HMAC.tag(of: words, key: long, hash: .sha512)
        #expect(
            Hex.encode(second)
                == "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
                + "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
        )
        #expect(
            HMAC.tag(of: words, key: long, hash: .sha256)
                == HMACSHA256.tag(of: words, key: long).bytes
        )
    }

    @Test func onlyTheWholeTagCounts() {
        let key = SecretBytes(copying: [1, 2, 3])
        let tag = HMAC.tag(of: [4], key: key, hash: .sha512)
        #expect(HMAC.isValid(tag: tag, of: [4], key: key, hash: .sha512))
        #expect(!HMAC.isValid(tag: Array(tag.dropLast()), of: [4], key: key, hash: .sha512))
        #expect(!HMAC.isValid(tag: tag, of: [5], key: key, hash: .sha512))
        #expect(!HMAC.isValid(tag: tag, of: [4], key: key, hash: .sha384))
        #expect(!HMAC.isValid(tag: [], of: [4], key: key, hash: .sha256))
    }
}
