/// Which database row, and which value of it, a sealed secret or a MAC belongs to.
///
/// Every field is authenticated, so that a database administrator can move nothing to another row,
/// column, table, tenant, trust domain or cluster, and can put back no earlier value.
package struct RowIdentity: Sendable, Hashable {
    package var trustDomain: String
    package var clusterID: String
    package var table: String
    /// Empty where the row as a whole is meant.
    package var column: String
    /// Namespace or mount; empty where the table has none.
    package var tenant: String
    /// The columns of the primary key, in the table's order.
    package var primaryKey: [String]
    /// Which version of the secret; 0 where there are none.
    package var secretVersion: UInt64
    /// Grows with every write of the row.
    package var rowSequence: UInt64

    package init(
        trustDomain: String,
        clusterID: String,
        table: String,
        column: String = "",
        tenant: String = "",
        primaryKey: [String],
        secretVersion: UInt64 = 0,
        rowSequence: UInt64
    ) {
        self.trustDomain = trustDomain
        self.clusterID = clusterID
        self.table = table
        self.column = column
        self.tenant = tenant
        self.primaryKey = primaryKey
        self.secretVersion = secretVersion
        self.rowSequence = rowSequence
    }

    /// The one encoding, in which no field can run into the next.
    func append(to canonical: inout CanonicalBytes) {
        for text in [trustDomain, clusterID, table, column, tenant] { canonical.append(text) }
        canonical.append(UInt64(primaryKey.count))
        for text in primaryKey { canonical.append(text) }
        canonical.append(secretVersion)
        canonical.append(rowSequence)
    }
}

/// One version of a key of the keyring.
package struct KeyringKey: Sendable {
    /// The longest name of a keyring.
    package static let nameBytesMax = 255

    /// The keyring's name: which purpose the key has.
    package let keyring: String
    /// Which key of the keyring.
    package let version: UInt32

    let key: SecretBytes

    /// Throws when the key is not 32 bytes long, or the name empty or too long.
    package init(keyring: String, version: UInt32, key: SecretBytes) throws(CryptoError) {
        guard key.count == 32 else {
            throw .malformed(field: "keyring key", problem: "it has 32 bytes")
        }
        guard 1...Self.nameBytesMax ~= keyring.utf8.count else {
            throw .malformed(field: "keyring name", problem: "it has 1 to 255 bytes")
        }
        self.keyring = keyring
        self.version = version
        self.key = key
    }
}

/// Fields in a row, each with its length before it, so that different fields give different bytes.
struct CanonicalBytes {
    private(set) var bytes: [UInt8] = []

    /// Begins with a label that no other use of a key has.
    init(label: String) {
        append(label)
    }

    mutating func append(_ text: String) {
        append(Array(text.utf8))
    }

    mutating func append(_ field: [UInt8]) {
        append(UInt64(field.count))
        bytes.append(contentsOf: field)
    }

    mutating func append(_ number: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
        }
    }
}
