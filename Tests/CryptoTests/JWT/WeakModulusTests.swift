import Crypto
import Testing

struct WeakModulusTests {
    @Test func powersOf65537AreFound() {
        // 65537 to the power of 0 and of 1.
        #expect(WeakModulus.isROCA([1]))
        #expect(WeakModulus.isROCA([1, 0, 1]))
        #expect(!WeakModulus.isROCA([1, 0, 3]))
        #expect(!WeakModulus.isROCA([]))
    }

    @Test func freshKeysAreNotTakenForWeak() throws {
        let key = try SigningKey.generate(.rsa(bits: 2048)).publicKey
        let modulus = try #require(WeakModulus.modulus(of: key))
        #expect(modulus.count == 256)
        #expect(!WeakModulus.isROCA(modulus))
        #expect(try WeakModulus.modulus(of: SigningKey.generate(.ed25519).publicKey) == nil)
    }
}
