import Crypto
import Testing

struct PublicKeyTests {
    // RFC 8032 §7.1 test 2.
    @Test func verifiesEd25519() throws {
        let key = try PublicKey(
            spki: hex(
                "302a300506032b6570032100"
                    + "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
            )
        )
        let signature = try hex(
            """
            92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
            085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
            """
        )
        #expect(key.kind == .ed25519)
        #expect(key.isValid(signature: signature, of: [0x72], as: .ed25519))
        #expect(!key.isValid(signature: signature, of: [0x73], as: .ed25519))
        #expect(!key.isValid(signature: [], of: [0x72], as: .ed25519))
        #expect(!key.isValid(signature: signature + [0], of: [0x72], as: .ed25519))
        // The same point with S + L: a second spelling, which RFC 8032 §5.1.7 refuses.
        let order = try hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var twisted = signature
        var carry = 0
        for index in 0..<32 {
            let sum = Int(twisted[32 + index]) + Int(order[index]) + carry
            twisted[32 + index] = UInt8(sum & 0xFF)
            carry = sum >> 8
        }
        #expect(!key.isValid(signature: twisted, of: [0x72], as: .ed25519))
    }

    static let kinds: [KeyKind] = [.ed25519, .ecdsaP256, .ecdsaP384, .rsa(bits: 2048)]
    static let schemes: [SignatureScheme] = [
        .ed25519, .ecdsaDER(.sha256), .ecdsaP1363(.sha256), .ecdsaDER(.sha384),
        .ecdsaP1363(.sha384), .rsaPKCS1(.sha256), .rsaPKCS1(.sha512), .rsaPSS(.sha256),
        .rsaPSS(.sha384),
    ]

    @Test(arguments: kinds, schemes)
    func onlyFittingSchemesSignAndVerify(kind: KeyKind, scheme: SignatureScheme) throws {
        let key = try SigningKey.generate(kind)
        guard kind.fits(scheme) else {
            #expect(throws: CryptoError.self) { try key.sign([1, 2, 3], as: scheme) }
            return
        }
        let signature = try key.sign([1, 2, 3], as: scheme)
        #expect(key.publicKey.isValid(signature: signature, of: [1, 2, 3], as: scheme))
        for other in Self.schemes where other != scheme {
            #expect(!key.publicKey.isValid(signature: signature, of: [1, 2, 3], as: other))
        }
        let stranger = try SigningKey.generate(kind).publicKey
        #expect(!stranger.isValid(signature: signature, of: [1, 2, 3], as: scheme))
        let empty = try key.sign([], as: scheme)
        #expect(key.publicKey.isValid(signature: empty, of: [UInt8](), as: scheme))
    }

    @Test func everyAlteredByteOfASignatureIsRefused() throws {
        let key = try SigningKey.generate(.ecdsaP256)
        for scheme in [SignatureScheme.ecdsaDER(.sha256), .ecdsaP1363(.sha256)] {
            let signature = try key.sign([5], as: scheme)
            for index in signature.indices {
                var altered = signature
                altered[index] ^= 1
                #expect(!key.publicKey.isValid(signature: altered, of: [5], as: scheme))
            }
        }
    }

    @Test(arguments: [
        "", "30", "3000",
        // P-192, whose order is too short.
        "3049301306072a8648ce3d020106082a8648ce3d030101033200"
            + "0462b12d60690cdcf330babab6e69763b471f994dd702d16a563bf5ec08069705ffff65e5ca5c0d697"
            + "16dfcb3474373902",
        // Ed25519 with parameters, with a byte too few, with spare bits, with a trailing byte.
        "302c300706032b657005000321003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af466"
            + "0c",
        "3029300506032b65700320003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af466",
        "302a300506032b6570032101" + "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4"
            + "660c",
        "302a300506032b6570032100" + "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4"
            + "660c00",
        // X25519 is no signature key.
        "302a300506032b656e032100" + "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4"
            + "660c",
    ])
    func refusesOtherKeysAndEncodings(text: String) throws {
        let bytes = try hex(text)
        #expect(throws: CryptoError.self) { try PublicKey(spki: bytes) }
    }

    @Test func refusesPointsOffTheCurveAndCompressedOnes() throws {
        let spki = try SigningKey.generate(.ecdsaP256).publicKey.spki
        var off = spki
        off[spki.count - 1] ^= 1
        #expect(throws: CryptoError.self) { try PublicKey(spki: off) }
        var compressed = Array(spki.prefix(26 + 33))
        compressed[1] = 0x39
        compressed[24] = 0x22
        compressed[26] = 2
        #expect(throws: CryptoError.self) { try PublicKey(spki: compressed) }
    }

    @Test func keyIDsNameTheEncoding() throws {
        let key = try SigningKey.generate(.ed25519).publicKey
        #expect(key.keyID == SHA256.digest(of: key.spki))
        #expect(try PublicKey(spki: key.spki) == key)
    }
}
