import Crypto
import Testing

struct ScryptTests {
    /// RFC 7914, section 12; what is longer than 32 bytes there begins with the same.
    @Test(
        arguments: [
            ("", "", 16, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"),
            (
                "password", "NaCl", 1024, 8, 16,
                "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            ),
            (
                "pleaseletmein", "SodiumChloride", 16384, 8, 1,
                "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            ),
        ]
    )
    func matchesRFC7914(
        _ password: String,
        _ salt: String,
        _ cost: Int,
        _ blockSize: Int,
        _ parallelism: Int,
        _ expected: String
    ) throws {
        let scrypt = try #require(
            Scrypt(cost: cost, blockSize: blockSize, parallelism: parallelism)
        )
        let digest = try scrypt.digest(
            of: SecretBytes(copying: Array(password.utf8)),
            salt: Array(salt.utf8)
        )
        let wanted = try hex(expected)
        #expect(digest.withBytes { Array(copying: $0) } == wanted)
    }

    @Test func numbersThatAreNoParametersAreRefused() {
        let wrong = [
            (0, 8, 1), (1, 8, 1), (3, 8, 1), (-2, 8, 1), (1024, 0, 1), (1024, 8, 0), (1024, 8, 17),
            (1 << 17, 8, 1), (1 << 24, 1024, 1), (.max, 8, 1),
        ]
        for (cost, blockSize, parallelism) in wrong {
            #expect(Scrypt(cost: cost, blockSize: blockSize, parallelism: parallelism) == nil)
        }
        let standard = Scrypt.standard
        #expect(
            Scrypt(
                cost: standard.cost,
                blockSize: standard.blockSize,
                parallelism: standard.parallelism
            ) == standard
        )
    }
}
