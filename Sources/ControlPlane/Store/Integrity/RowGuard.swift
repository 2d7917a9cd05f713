package import Crypto
import Wire

/// A row that grants but was written by somebody who does not hold the key.
package struct RowAlarm: Hashable, Sendable {
    package let table: String
    package let key: String

    package init(table: String, key: String) {
        self.table = table
        self.key = key
    }
}

/// Tags rows that grant, and finds those that were inserted or altered behind the server's back.
///
/// A tag is four bytes of key version and 32 bytes of HMAC-SHA256. A row whose tag does not hold
/// counts as absent: whoever reads it must drop it when `isAuthentic` says no.
package struct RowGuard: Sendable {
    private let keys: [Int: SecretBytes]
    private let activeVersion: Int
    private let onAlarm: @Sendable (RowAlarm) -> Void

    /// - Parameters:
    ///   - keys: by version; the active one must be among them.
    ///   - activeVersion: the one that new tags are made with.
    ///   - onAlarm: called on any thread for every forged row that is read, so it must be quick.
    package init(
        keys: [Int: SecretBytes],
        activeVersion: Int,
        onAlarm: @escaping @Sendable (RowAlarm) -> Void
    ) {
        precondition(keys[activeVersion] != nil, "the active key is missing")
        self.keys = keys
        self.activeVersion = activeVersion
        self.onAlarm = onAlarm
    }

    /// The tag to store beside a row.
    package func tag(_ content: RowContent) -> [UInt8] {
        guard let key = keys[activeVersion] else { return [] }
        var writer = ByteWriter(reservingCapacity: 36)
        writer.writeUInt32(UInt32(clamping: activeVersion))
        writer.writeBytes(HMACSHA256.tag(of: content.bytes, key: key).bytes)
        return writer.bytes
    }

    /// Whether the row was written by a server of this cluster; raises the alarm if not.
    ///
    /// `isSuperseded` says that the feed has spoken of the row's key since: then somebody has put
    /// back what was once written, tag and all.
    package func isAuthentic(
        _ content: RowContent,
        tag: [UInt8],
        isSuperseded: Bool = false
    ) -> Bool {
        if !isSuperseded, isValid(tag, of: content) { return true }
        onAlarm(RowAlarm(table: content.table, key: content.key))
        return false
    }

    /// Raises the alarm about a row that does not even read.
    func reportUnreadable(table: String, key: String) {
        onAlarm(RowAlarm(table: table, key: key))
    }

    private func isValid(_ tag: [UInt8], of content: RowContent) -> Bool {
        var reader = ByteReader(tag)
        guard tag.count == 4 + SHA256Digest.byteCount,
            let version = try? reader.readUInt32(),
            let key = keys[Int(version)]
        else { return false }
        return HMACSHA256.isValid(tag: reader.readRest(), of: content.bytes, key: key)
    }
}
