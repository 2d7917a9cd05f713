import Crypto
import Testing

struct CertificateSigningRequestTests {
    @Test(arguments: [KeyKind.ed25519, .ecdsaP256, .ecdsaP384])
    func provesPossession(kind: KeyKind) throws {
        let key = try SigningKey.generate(kind)
        let der = try CertificateSigningRequest.make(for: key)
        #expect(try CertificateSigningRequest(verifying: der).publicKey == key.publicKey)
        for index in stride(from: 0, to: der.count, by: 3) {
            var altered = der
            altered[index] ^= 0x04
            #expect(throws: CryptoError.self) {
                try CertificateSigningRequest(verifying: altered)
            }
        }
        #expect(throws: CryptoError.self) { try CertificateSigningRequest(verifying: der + [0]) }
    }

    @Test func refusesKeysThatAreTooCostly() throws {
        let der = try CertificateSigningRequest.make(for: SigningKey.generate(.rsa(bits: 2048)))
        #expect(throws: CryptoError.self) { try CertificateSigningRequest(verifying: der) }
    }
}
