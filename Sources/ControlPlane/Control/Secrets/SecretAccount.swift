import Crypto
import Store
import Wire

/// The account of the rows of a mount: how many there are, and a hash of their set that grows and
/// shrinks row by row.
///
/// Members are keyed hashes of rows, combined by exclusive or. The account is sealed in the mount's
/// head, because whoever saw it change with each row could put together other sets of the same hash.
struct SecretAccount: Equatable, Sendable {
    private static let format: UInt8 = 1

    /// The version of the key that members are made with.
    let keyVersion: Int
    private(set) var count: Int64 = 0
    private(set) var hash = [UInt8](repeating: 0, count: SHA256Digest.byteCount)

    init(keyVersion: Int) { self.keyVersion = keyVersion }

    /// Takes a row in, or out again.
    mutating func toggle(_ content: RowContent, by change: Int64, _ keyring: Keyring) throws {
        let member = try keyring.member(content.bytes, of: .kv, version: keyVersion)
        for index in hash.indices where index < member.count { hash[index] ^= member[index] }
        count += change
    }

    // MARK: At rest

    /// The account as it is sealed.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.writeUInt8(Self.format)
        writer.writeUInt32(UInt32(clamping: keyVersion))
        writer.writeInt64(count)
        writer.writeBytes(hash)
        return writer.bytes
    }

    /// Nil for bytes that no server sealed.
    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        guard let format = try? reader.readUInt8(), format == Self.format,
            let version = try? reader.readUInt32(), let count = try? reader.readInt64()
        else { return nil }
        let rest = Array(reader.readRest())
        guard rest.count == SHA256Digest.byteCount else { return nil }
        keyVersion = Int(version)
        self.count = count
        hash = rest
    }
}
