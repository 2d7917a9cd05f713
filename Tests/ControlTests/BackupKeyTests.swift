import Crypto
import Mesh
import Store
import Testing
import Wire

@testable import Control

@Suite struct BackupKeyTests {
    private let trustDomain: TrustDomain
    private let cluster: ClusterRow
    private let keyring: Keyring
    private let first: WrappedRootKey
    private let second: WrappedRootKey

    init() throws {
        trustDomain = try TrustDomain("example.org")
        cluster = ClusterRow(
            id: UUIDv7(
                timestamp: Timestamp(secondsSinceEpoch: 1_800_000_000),
                random: [UInt8](repeating: 4, count: UUIDv7.randomByteCount)
            ),
            trustDomain: trustDomain,
            createdAt: Timestamp(secondsSinceEpoch: 1_800_000_000)
        )
        let made = try Keyring.create(
            for: cluster,
            under: Bytes.key(filledWith: 1),
            randomBytes: Randomness.bytes
        )
        keyring = made.keyring
        first = made.wrapped
        second = try keyring.wrapped(
            under: Bytes.key(filledWith: 2),
            randomBytes: Randomness.bytes
        )
    }

    private func open(
        of id: UUIDv7? = nil,
        _ roots: [WrappedRootKey],
        under key: KeyEncryptionKey
    ) throws -> SecretBytes {
        try BackupKey.open(of: id ?? cluster.id, trustDomain, roots: roots, under: key)
    }

    @Test func everyKeyThatOpensTheDatabaseGivesTheSame() throws {
        let one = try open([first, second], under: Bytes.key(filledWith: 1))
        let other = try open([first, second], under: Bytes.key(filledWith: 2))
        #expect(one.equalsInConstantTime(other) && one.count == 32)
        #expect(!one.equalsInConstantTime(keyring.root))
    }

    @Test func noOtherKeyAndNoMadeUpWrapGivesAny() throws {
        #expect(throws: KeyError.self) { try open([first], under: Bytes.key(filledWith: 2)) }
        #expect(throws: KeyError.self) { try open([], under: Bytes.key(filledWith: 1)) }
        // A wrap of another cluster under the same key, or one that was altered.
        let elsewhere = UUIDv7(
            timestamp: Timestamp(secondsSinceEpoch: 1_800_000_000),
            random: [UInt8](repeating: 5, count: UUIDv7.randomByteCount)
        )
        #expect(throws: KeyError.self) {
            try open(of: elsewhere, [first], under: Bytes.key(filledWith: 1))
        }
        var bytes = first.wrapped
        bytes[bytes.count - 1] ^= 1
        let altered = WrappedRootKey(
            version: first.version,
            provider: first.provider,
            keyEncryptionKeyID: first.keyEncryptionKeyID,
            wrapped: bytes
        )
        #expect(throws: KeyError.self) { try open([altered], under: Bytes.key(filledWith: 1)) }
    }
}
