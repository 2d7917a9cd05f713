package import Crypto
package import Mesh
package import Store
package import Wire

/// The key by which a backup shows that it was made by the cluster that it names.
package enum BackupKey {
    private static let label = "turnpike backup authentication key 1"

    /// Opens the root key with one of the wraps that a backup carries and derives from it.
    ///
    /// Every key-encryption key that opens the database opens one of them, so whichever was kept
    /// proves the backup. A wrap that somebody made up opens under none.
    package static func open(
        of clusterID: UUIDv7,
        _ trustDomain: TrustDomain,
        roots: [WrappedRootKey],
        under key: KeyEncryptionKey
    ) throws(KeyError) -> SecretBytes {
        let cluster = ClusterRow(id: clusterID, trustDomain: trustDomain, createdAt: .distantPast)
        let root = try Keyring.open(for: cluster, under: key, roots: roots, keys: []).root
        do throws(CryptoError) {
            return try HKDF.derive(
                from: root,
                info: SealedBox.associatedBytes([
                    label, trustDomain.text, clusterID.description,
                ]),
                count: Keyring.keyByteCount
            )
        } catch {
            throw .backend
        }
    }
}
