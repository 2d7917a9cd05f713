import Crypto
import Testing
import Wire

struct SHA256Tests {
    // FIPS 180-4 examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func matchesTheStandard(text: String, digest: String) {
        #expect(SHA256.digest(of: Array(text.utf8)).hex == digest)
    }

    @Test func takesPiecesAndForks() {
        var state = SHA256()
        state.update(Array("ab".utf8))
        var fork = state
        state.update(Array("c".utf8))
        fork.update(Array("d".utf8))
        #expect(state.finalize() == SHA256.digest(of: Array("abc".utf8)))
        #expect(fork.finalize() == SHA256.digest(of: Array("abd".utf8)))
        #expect(state.finalize() == SHA256.digest(of: Array("abc".utf8)))
    }

    @Test func longerHashesMatchTheStandard() throws {
        let abc = Array("abc".utf8)
        #expect(
            try SHA384.digest(of: abc)
                == hex(
                    """
                    cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed
                    8086072ba1e7cc2358baeca134c825a7
                    """
                )
        )
        #expect(
            try SHA512.digest(of: abc)
                == hex(
                    """
                    ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
                    2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
                    """
                )
        )
    }

    @Test func digestsAreValues() throws {
        let digest = SHA256.digest(of: [1])
        #expect(SHA256Digest(digest.bytes) == digest)
        #expect(SHA256Digest(hex: digest.hex) == digest)
        #expect(SHA256Digest([1, 2]) == nil)
        #expect(SHA256Digest(hex: "00") == nil)
        #expect(digest.hex == Hex.encode(digest.bytes))
        let upper = digest.hex.uppercased()
        #expect(SHA256Digest(hex: upper) == digest)
        #expect(SHA256Digest(hex: upper, allowingUppercase: false) == nil)
        #expect(SHA256Digest(hex: digest.hex, allowingUppercase: false) == digest)
        #expect(SHA256Digest(hex: String(digest.hex.dropLast()) + "g") == nil)
        let low = try #require(SHA256Digest([UInt8](repeating: 1, count: 32)))
        let high = try #require(SHA256Digest([2] + [UInt8](repeating: 0, count: 31)))
        #expect(low < high)
        #expect(low.equalsInConstantTime(low))
        #expect(!low.equalsInConstantTime(high))
    }
}
