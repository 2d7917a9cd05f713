import Crypto
import Testing

@testable import Snapshot

@Suite struct SignatureMemoryTests {
    private let key: SigningKey
    private let other: SigningKey

    init() throws {
        key = try SigningKey.generate(.ed25519)
        other = try SigningKey.generate(.ed25519)
    }

    private func envelope(_ payload: [UInt8], by key: SigningKey) throws -> Envelope {
        try Envelope(signing: payload, type: "test", by: [key])
    }

    @Test func theAnswerIsTheSameAsWithoutIt() throws {
        let memory = SignatureMemory(countMax: 16)
        let genuine = try envelope([1, 2, 3], by: key)
        let keys = [key.publicKey, other.publicKey]
        for _ in 0..<3 {
            let signers = genuine.signers(among: keys, remembering: memory)
            #expect(signers == [key.publicKey.keyID])
        }
        #expect(memory.count == 1)
    }

    @Test func anotherPayloadTypeOrKeyIsNotTakenForWhatIsKnown() throws {
        let memory = SignatureMemory(countMax: 16)
        let genuine = try envelope([1, 2, 3], by: key)
        #expect(!genuine.signers(among: [key.publicKey], remembering: memory).isEmpty)
        let signature = try #require(genuine.signatures.first)
        let forgeries = [
            Envelope(payloadType: "test", payload: [1, 2, 4], signatures: [signature]),
            Envelope(payloadType: "tesu", payload: [1, 2, 3], signatures: [signature]),
            Envelope(
                payloadType: "test",
                payload: [1, 2, 3],
                signatures: [.init(keyID: other.publicKey.keyID, bytes: signature.bytes)]
            ),
            Envelope(
                payloadType: "test",
                payload: [1, 2, 3],
                signatures: [.init(keyID: signature.keyID, bytes: signature.bytes.reversed())]
            ),
        ]
        let keys = [key.publicKey, other.publicKey]
        for forgery in forgeries {
            // Twice: a refusal must not be remembered as anything.
            #expect(forgery.signers(among: keys, remembering: memory).isEmpty)
            #expect(forgery.signers(among: keys, remembering: memory).isEmpty)
        }
        #expect(memory.count == 1)
    }

    @Test func aKeyThatIsNotAskedForHasNotSigned() throws {
        let memory = SignatureMemory(countMax: 16)
        let genuine = try envelope([1], by: key)
        #expect(!genuine.signers(among: [key.publicKey], remembering: memory).isEmpty)
        #expect(genuine.signers(among: [other.publicKey], remembering: memory).isEmpty)
    }

    @Test func whatIsSignedHereIsKnownAndNothingElse() throws {
        let memory = SignatureMemory(countMax: 16)
        let own = try Envelope(signing: [1], type: "test", by: [key], remembering: memory)
        #expect(memory.count == 1)
        #expect(own.signers(among: [key.publicKey], remembering: memory) == [key.publicKey.keyID])
        #expect(memory.count == 1)
        let signature = try #require(own.signatures.first)
        let altered = Envelope(payloadType: "test", payload: [2], signatures: [signature])
        #expect(altered.signers(among: [key.publicKey], remembering: memory).isEmpty)
    }

    @Test func itIsBounded() throws {
        let memory = SignatureMemory(countMax: 3)
        for number in 0..<8 {
            let one = try envelope([UInt8(number)], by: key)
            #expect(!one.signers(among: [key.publicKey], remembering: memory).isEmpty)
            #expect(memory.count <= 3)
        }
    }
}
