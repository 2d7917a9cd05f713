import Crypto

/// What stands at the end of a backup: a checksum, and where there is a key the proof of its origin.
struct BackupSeal: Sendable {
    private var hash = SHA256()
    private var tag: HMACSHA256?

    init(key: SecretBytes?) {
        tag = key.map { key in key.withBytes { HMACSHA256(key: $0) } }
    }

    /// Takes in more of the file.
    mutating func update(_ bytes: [UInt8]) {
        hash.update(bytes)
        tag?.update(bytes)
    }

    /// The bytes at the end; nothing may be taken in afterwards.
    mutating func finalize() -> [UInt8] {
        hash.finalize().bytes + (tag?.finalize().bytes ?? [])
    }
}
