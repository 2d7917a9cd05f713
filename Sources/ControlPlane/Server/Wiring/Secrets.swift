import Control
import Crypto
import Reactor

/// The secrets that live in files of their own, outside of the database.
struct SecretFiles {
    let configuration: ServerConfiguration

    /// The key-encryption key, made at first start.
    ///
    /// A missing file is made only while there is no cluster to open: a lost key must not be
    /// replaced by a fresh one that opens nothing. An empty file is what a crash leaves of one that
    /// was never used.
    func keyEncryptionKey(mayCreate: Bool) throws(StartFailure) -> KeyEncryptionKey {
        try key(configuration.kekFile, mayCreate: mayCreate)
    }

    /// Its successor, made when missing; nil where none is named.
    func newKeyEncryptionKey() throws(StartFailure) -> KeyEncryptionKey? {
        guard let path = configuration.newKEKFile else { return nil }
        return try key(path, mayCreate: true)
    }

    private func key(_ path: String, mayCreate: Bool) throws(StartFailure) -> KeyEncryptionKey {
        do throws(FileError) {
            let status = try FileSystem.status(path)
            let isEmpty = status.map { $0.kind == .regular && $0.byteCount == 0 } ?? false
            if mayCreate, isEmpty { try FileSystem.remove(path) }
            if mayCreate, isEmpty || status == nil {
                try FileSystem.makeDirectory(FileSystem.parent(of: path))
                try FileSystem.create(path, with: Randomness.bytes(KeyEncryptionKey.byteCount))
            }
            var bytes = try FileSystem.readSecret(path, byteCountMax: 64)
            guard let key = KeyEncryptionKey(SecretBytes(taking: &bytes)) else {
                throw FileError(path: path, reason: .invalidPath)
            }
            return key
        } catch {
            if error.reason == .invalidPath {
                throw .work("\(path): a key-encryption key is 32 random bytes")
            }
            throw .work("\(error)")
        }
    }

    /// Whether the key lies on the volume of what it opens: a copy of that volume has both.
    ///
    /// With a database elsewhere the data directory holds nothing that is sealed.
    var isKeyBesideData: Bool {
        guard configuration.databaseURL == nil,
            let key = try? FileSystem.status(configuration.kekFile),
            let data = try? FileSystem.status(configuration.dataDirectory)
        else { return false }
        return key.device == data.device
    }

    /// Writes the trust key where it leaves this process for good.
    func writeTrustKey(_ pem: String) throws {
        try write(pem, to: configuration.trustKeyFile)
    }

    /// Writes the first administrator's token.
    func writeBootstrapToken(_ token: String) throws {
        try write(token + "\n", to: configuration.bootstrapTokenFile)
    }

    private func write(_ text: String, to path: String) throws {
        try FileSystem.makeDirectory(FileSystem.parent(of: path))
        try FileSystem.replace(path, with: Array(text.utf8))
    }
}
