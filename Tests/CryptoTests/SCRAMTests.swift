import Crypto
import Testing
import Wire

/// The exchange of RFC 7677 section 3, seen from the server's verifier.
@Suite struct SCRAMTests {
    private static let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    private static let authMessage =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=\(nonce),s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=\(nonce)"

    private func keys() throws -> (stored: [UInt8], server: [UInt8]) {
        let verifier = try SCRAM.verifier(
            of: SecretBytes(copying: Array("pencil".utf8)),
            salt: try Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==")
        )
        #expect(verifier.hasPrefix("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"))
        let last = try #require(verifier.split(separator: "$").last)
        let parts = last.split(separator: ":")
        try #require(parts.count == 2)
        return (try Base64.decode(String(parts[0])), try Base64.decode(String(parts[1])))
    }

    @Test func serverSignsAsInTheStandard() throws {
        let signature = HMACSHA256.tag(
            of: Array(Self.authMessage.utf8),
            key: SecretBytes(copying: try keys().server)
        ).bytes
        #expect(Base64.encode(signature) == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    }

    @Test func proofOfTheStandardIsThatOfTheStoredKey() throws {
        let stored = try keys().stored
        let signature = HMACSHA256.tag(
            of: Array(Self.authMessage.utf8),
            key: SecretBytes(copying: stored)
        ).bytes
        let proof = try Base64.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        #expect(SHA256.digest(of: clientKey).bytes == stored)
    }

    @Test func noRoundsAreRefused() {
        #expect(throws: CryptoError.self) {
            try SCRAM.verifier(of: SecretBytes(copying: [1]), salt: [1], iterations: 0)
        }
    }
}
