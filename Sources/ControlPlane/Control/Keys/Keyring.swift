import Crypto
import Mesh
import Store
import Wire

/// The keys that this cluster works with, held in memory only.
///
/// Hierarchy: the key-encryption key (outside the database) opens the root key, the root key opens
/// one key per purpose and version, and each sealed row has a key of its own derived from that.
package struct Keyring: Sendable {
    /// What a key is for; keys of different purposes never meet the same data.
    package enum Purpose: String, Sendable, CaseIterable {
        case rowMAC = "row-mac"
        case tokenHMAC = "token-hmac"
        case ca
        case snapshot
        case api
        /// Passwords of those who make roles on targets.
        case targetAdmin = "target-admin"
        /// Static secrets.
        case kv
    }

    /// The versions of one purpose.
    struct Versions: Sendable {
        var keys: [Int: SecretBytes] = [:]
        var active = 0
    }

    static let keyByteCount = 32
    /// Enough for every new key and nonce of one completion.
    static let rootVersion = 1

    let cluster: ClusterRow
    /// The key-encryption key that opened it.
    let keyEncryptionKeyID: String
    let root: SecretBytes
    private(set) var versions: [Purpose: Versions] = [:]

    private init(cluster: ClusterRow, root: SecretBytes, under keyID: String) {
        self.cluster = cluster
        keyEncryptionKeyID = keyID
        self.root = root
    }

    /// A root key and its wrap for a new cluster; the keyring is empty until it is completed.
    static func create(
        for cluster: ClusterRow,
        under key: KeyEncryptionKey,
        randomBytes: (Int) -> [UInt8]
    ) throws(KeyError) -> (keyring: Keyring, wrapped: WrappedRootKey) {
        var bytes = randomBytes(keyByteCount)
        let root = SecretBytes(taking: &bytes)
        let box = try SealedBox.seal(
            root,
            key: key.secret,
            nonce: randomBytes(AEAD.nonceByteCount),
            context: rootContext(cluster, version: rootVersion, keyID: key.id)
        )
        let wrapped = WrappedRootKey(
            version: rootVersion,
            provider: key.provider,
            keyEncryptionKeyID: key.id,
            wrapped: box
        )
        return (Keyring(cluster: cluster, root: root, under: key.id), wrapped)
    }

    /// Opens the root key with the wrap made for `key`, and every key of the ring with the root.
    static func open(
        for cluster: ClusterRow,
        under key: KeyEncryptionKey,
        roots: [WrappedRootKey],
        keys: [WrappedKey]
    ) throws(KeyError) -> Keyring {
        guard let wrap = roots.last(where: { $0.keyEncryptionKeyID == key.id }) else {
            throw .otherKeyEncryptionKey(given: key.id, wanted: roots.map(\.keyEncryptionKeyID))
        }
        let root = try SealedBox.open(
            wrap.wrapped,
            key: key.secret,
            context: rootContext(cluster, version: wrap.version, keyID: key.id),
            what: "the root key"
        )
        var keyring = Keyring(cluster: cluster, root: root, under: key.id)
        for wrapped in keys {
            // A purpose of a newer program is none of our business.
            guard let purpose = Purpose(rawValue: wrapped.purpose) else { continue }
            let secret = try SealedBox.open(
                wrapped.wrapped,
                key: root,
                context: keyContext(cluster, purpose, version: wrapped.version),
                what: "the key for \(purpose.rawValue)"
            )
            keyring.versions[purpose, default: Versions()].keys[wrapped.version] = secret
            if wrapped.state == .active { keyring.versions[purpose]?.active = wrapped.version }
        }
        return keyring
    }

    /// Makes the first key of every purpose that has none, and gives what to store.
    mutating func complete(randomBytes: (Int) -> [UInt8]) throws(KeyError) -> [WrappedKey] {
        var made: [WrappedKey] = []
        for purpose in Purpose.allCases where versions[purpose] == nil {
            var bytes = randomBytes(Self.keyByteCount)
            let secret = SecretBytes(taking: &bytes)
            let box = try SealedBox.seal(
                secret,
                key: root,
                nonce: randomBytes(AEAD.nonceByteCount),
                context: Self.keyContext(cluster, purpose, version: 1)
            )
            versions[purpose] = Versions(keys: [1: secret], active: 1)
            made.append(
                WrappedKey(
                    purpose: purpose.rawValue,
                    version: 1,
                    rootVersion: Self.rootVersion,
                    wrapped: box,
                    state: .active
                )
            )
        }
        for purpose in Purpose.allCases {
            guard let ring = versions[purpose], ring.keys[ring.active] != nil else {
                throw .missing(purpose: purpose.rawValue, version: 0)
            }
        }
        return made
    }

    /// The guard of rows that grant.
    func rowGuard(onAlarm: @escaping @Sendable (RowAlarm) -> Void) -> RowGuard {
        let ring = versions[.rowMAC] ?? Versions()
        return RowGuard(keys: ring.keys, activeVersion: ring.active, onAlarm: onAlarm)
    }

    static func rootContext(
        _ cluster: ClusterRow,
        version: Int,
        keyID: String
    ) -> [String] {
        [
            "turnpike root key", cluster.trustDomain.text, cluster.id.description,
            String(version), keyID,
        ]
    }

    private static func keyContext(
        _ cluster: ClusterRow,
        _ purpose: Purpose,
        version: Int
    ) -> [String] {
        [
            "turnpike keyring", cluster.trustDomain.text, cluster.id.description,
            purpose.rawValue, String(version),
        ]
    }
}
