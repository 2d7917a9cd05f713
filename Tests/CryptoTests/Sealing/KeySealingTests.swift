import Crypto
import Testing

/// A row with distinct texts in every field.
func exampleRow() -> RowIdentity {
    RowIdentity(
        trustDomain: "mesh.example",
        clusterID: "cluster",
        table: "secret_versions",
        column: "value",
        tenant: "web",
        primaryKey: ["kv", "cart/password"],
        secretVersion: 3,
        rowSequence: 17
    )
}

/// Every row that differs from `exampleRow` in one respect.
let otherRows: [@Sendable (inout RowIdentity) -> Void] = [
    { $0.trustDomain = "other.example" }, { $0.clusterID = "other" }, { $0.table = "other" },
    { $0.column = "other" }, { $0.tenant = "other" }, { $0.primaryKey = ["kv", "cart"] },
    { $0.primaryKey = ["kvcart/password"] }, { $0.primaryKey = ["kv", "cart/password", ""] },
    { $0.secretVersion = 2 }, { $0.rowSequence = 16 },
    {
        $0.table = "secret_versionsv"
        $0.column = "alue"
    },
]

struct KeySealingTests {
    let key: KeyringKey
    let secret = SecretBytes(copying: Array("correct horse".utf8))

    init() throws {
        key = try KeyringKey(keyring: "kv", version: 4, key: .random(count: 32))
    }

    @Test func opensWhatItSealed() throws {
        let envelope = try KeySealing.seal(secret, as: exampleRow(), with: key)
        let opened = try KeySealing.open(envelope, as: exampleRow(), with: key)
        #expect(opened.equalsInConstantTime(secret))
        let header = try EnvelopeHeader(of: envelope)
        #expect(header.keyring == "kv" && header.keyVersion == 4)
        #expect(try KeySealing.seal(secret, as: exampleRow(), with: key) != envelope)
        let empty = SecretBytes(copying: [])
        let sealedEmpty = try KeySealing.seal(empty, as: exampleRow(), with: key)
        #expect(try KeySealing.open(sealedEmpty, as: exampleRow(), with: key).count == 0)
    }

    @Test(arguments: otherRows.indices)
    func opensInNoOtherRow(index: Int) throws {
        let envelope = try KeySealing.seal(secret, as: exampleRow(), with: key)
        var row = exampleRow()
        otherRows[index](&row)
        #expect(throws: CryptoError.authenticationFailed) {
            try KeySealing.open(envelope, as: row, with: key)
        }
    }

    @Test func everyAlteredBitAndEveryCutIsRefused() throws {
        let envelope = try KeySealing.seal(secret, as: exampleRow(), with: key)
        for bit in 0..<envelope.count * 8 {
            var altered = envelope
            altered[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: CryptoError.self) {
                try KeySealing.open(altered, as: exampleRow(), with: key)
            }
        }
        for count in 0..<envelope.count {
            #expect(throws: CryptoError.self) {
                try KeySealing.open(Array(envelope.prefix(count)), as: exampleRow(), with: key)
            }
        }
    }

    @Test func anUnknownFormatIsAnErrorOfItsOwn() throws {
        var envelope = try KeySealing.seal(secret, as: exampleRow(), with: key)
        envelope[0] = 2
        let error = #expect(throws: CryptoError.self) {
            try KeySealing.open(envelope, as: exampleRow(), with: key)
        }
        guard case .unsupported = error else {
            Issue.record("an unknown format must be named as such")
            return
        }
    }

    @Test func anotherKeyIsRefused() throws {
        let envelope = try KeySealing.seal(secret, as: exampleRow(), with: key)
        let next = try KeyringKey(keyring: "kv", version: 5, key: .random(count: 32))
        let same = try KeyringKey(keyring: "kv", version: 4, key: .random(count: 32))
        for other in [next, same] {
            #expect(throws: CryptoError.self) {
                try KeySealing.open(envelope, as: exampleRow(), with: other)
            }
        }
        #expect(throws: CryptoError.self) {
            try KeyringKey(keyring: "kv", version: 1, key: .random(count: 16))
        }
        #expect(throws: CryptoError.self) {
            try KeyringKey(keyring: "", version: 1, key: .random(count: 32))
        }
    }
}
