import Crypto
import Testing

struct SigningKeyTests {
    @Test(arguments: PublicKeyTests.kinds)
    func survivesPKCS8AndPEM(kind: KeyKind) throws {
        let key = try SigningKey.generate(kind)
        let der = try key.pkcs8().withBytes { [UInt8](copying: $0) }
        let again = try SigningKey(pkcs8: der)
        #expect(again.publicKey == key.publicKey)
        #expect(again.kind == kind)
        let third = try SigningKey(pem: key.pem())
        let signature = try third.sign([1])
        #expect(
            key.publicKey.isValid(signature: signature, of: [1], as: kind.certificateScheme)
        )
        #expect(throws: CryptoError.self) { try SigningKey(pkcs8: der + [0]) }
        #expect(throws: CryptoError.self) { try SigningKey(pkcs8: Array(der.dropLast())) }
    }

    @Test func refusesOtherBlocks() throws {
        let text = try SigningKey.generate(.ed25519).pem()
        #expect(throws: CryptoError.self) { try SigningKey(pem: "") }
        #expect(throws: CryptoError.self) { try SigningKey(pem: text + text) }
        let other = text.split(separator: "PRIVATE").joined(separator: "PUBLIC")
        #expect(throws: CryptoError.self) { try SigningKey(pem: other) }
    }

    @Test func refusesAKeyWhoseHalvesDisagree() throws {
        let one = try SigningKey.generate(.ecdsaP256)
        let two = try SigningKey.generate(.ecdsaP256)
        let der = try one.pkcs8().withBytes { [UInt8](copying: $0) }
        let mixed = Array(der.dropLast(65)) + two.publicKey.keyBytes
        #expect(throws: CryptoError.self) { try SigningKey(pkcs8: mixed) }
    }

    @Test func refusesWeakKinds() {
        #expect(throws: CryptoError.self) { try SigningKey.generate(.rsa(bits: 1024)) }
        #expect(throws: CryptoError.self) { try SigningKey.generate(.ecdsaP521) }
    }

    @Test func showsNoSecret() throws {
        let key = try SigningKey.generate(.ed25519)
        var text = ""
        dump(key, to: &text)
        #expect(text.contains("publicKey"))
        #expect(!text.contains("pointer"))
    }
}
