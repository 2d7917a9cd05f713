import Crypto
import Testing

struct SecretBytesTests {
    @Test func comparesByContent() {
        let one = SecretBytes(copying: [1, 2, 3])
        #expect(one.equalsInConstantTime(SecretBytes(copying: [1, 2, 3])))
        #expect(!one.equalsInConstantTime(SecretBytes(copying: [1, 2, 4])))
        #expect(!one.equalsInConstantTime(SecretBytes(copying: [1, 2])))
        #expect(SecretBytes(copying: []).equalsInConstantTime(SecretBytes(copying: [])))
    }

    @Test func takingEmptiesTheSource() {
        var bytes: [UInt8] = [7, 8]
        let secret = SecretBytes(taking: &bytes)
        #expect(bytes.isEmpty)
        #expect(secret.withBytes { [UInt8](copying: $0) } == [7, 8])
    }

    @Test func showsNothing() {
        let secret = SecretBytes(copying: Array("hunter2".utf8))
        var text = ""
        dump(secret, to: &text)
        #expect(!text.contains("104") && !text.contains("hunter2"))
        #expect(!"\(secret)".contains("hunter2"))
        #expect(!String(reflecting: secret).contains("104"))
    }

    @Test func randomBytesDiffer() {
        #expect(Randomness.bytes(32) != Randomness.bytes(32))
        #expect(Randomness.bytes(0).isEmpty)
        #expect(SecretBytes.random(count: 32).count == 32)
    }

    @Test(arguments: [
        ([UInt8](), [UInt8](), true), ([1], [1], true), ([1], [2], false), ([1], [1, 2], false),
    ])
    func constantTimeEquality(left: [UInt8], right: [UInt8], isEqual: Bool) {
        #expect(constantTimeEquals(left, right) == isEqual)
    }
}
