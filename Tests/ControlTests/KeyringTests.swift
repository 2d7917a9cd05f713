import Control
import Crypto
import Testing

@Suite struct KeyringTests {
    private let secret = SecretBytes(copying: Array("a private key".utf8))

    @Test(arguments: [
        SealedPlace(table: "other", column: "sealed_key", key: "1", version: 1),
        SealedPlace(table: "authorities", column: "other", key: "1", version: 1),
        SealedPlace(table: "authorities", column: "sealed_key", key: "2", version: 1),
        SealedPlace(table: "authorities", column: "sealed_key", key: "1", version: 2),
    ])
    func aSecretOpensOnlyAtItsPlace(other: SealedPlace) async throws {
        try await ControlFixture.with { fixture in
            let keyring = fixture.control.keyring
            let place = SealedPlace(table: "authorities", column: "sealed_key", key: "1")
            let sealed = try keyring.seal(
                secret,
                for: .ca,
                at: place,
                randomBytes: Randomness.bytes
            )
            #expect(throws: KeyError.altered("\(other.table).\(other.column) of \(other.key)")) {
                try keyring.open(sealed, for: .ca, at: other)
            }
            #expect(throws: KeyError.self) { try keyring.open(sealed, for: .snapshot, at: place) }
            for index in sealed.indices {
                var altered = sealed
                altered[index] ^= 1
                #expect(throws: KeyError.self, "byte \(index)") {
                    try keyring.open(altered, for: .ca, at: place)
                }
            }
            #expect(throws: KeyError.self) { try keyring.open([], for: .ca, at: place) }
        }
    }

    @Test func aKeyOfTheWrongSizeIsNone() {
        #expect(KeyEncryptionKey(SecretBytes(copying: [1, 2, 3])) == nil)
        #expect(KeyEncryptionKey(SecretBytes(copying: [UInt8](repeating: 0, count: 32))) == nil)
    }

    @Test func secretsOfDifferentKindsHaveDifferentTags() async throws {
        try await ControlFixture.with { fixture in
            let keyring = fixture.control.keyring
            #expect(keyring.hmacs(of: [1], label: "a") != keyring.hmacs(of: [1], label: "b"))
            #expect(keyring.hmacs(of: [1], label: "a").count == 1)
        }
    }
}
