package import Postgres

/// The root key as one key-encryption key wraps it.
package struct WrappedRootKey: Equatable, Sendable {
    package let version: Int
    package let provider: String
    package let keyEncryptionKeyID: String
    package let wrapped: [UInt8]

    package init(version: Int, provider: String, keyEncryptionKeyID: String, wrapped: [UInt8]) {
        self.version = version
        self.provider = provider
        self.keyEncryptionKeyID = keyEncryptionKeyID
        self.wrapped = wrapped
    }
}

/// One key of the keyring as the root key wraps it.
package struct WrappedKey: Equatable, Sendable {
    /// Whether new work uses the key, or only what was made with it earlier.
    package enum State: String, Equatable, Sendable, PostgresCodable { case active, retiring }

    package let purpose: String
    package let version: Int
    package let rootVersion: Int
    package let wrapped: [UInt8]
    package let state: State

    package init(
        purpose: String,
        version: Int,
        rootVersion: Int,
        wrapped: [UInt8],
        state: State
    ) {
        self.purpose = purpose
        self.version = version
        self.rootVersion = rootVersion
        self.wrapped = wrapped
        self.state = state
    }
}

/// Wrapped keys; nothing here can open them.
package enum KeyRepository {
    /// All wraps of the root key.
    package static func rootKeys(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [WrappedRootKey] {
        let rows = try await transaction.query(
            """
            SELECT version, kek_provider, kek_id, wrapped FROM turnpike.root_keys
            ORDER BY version, created_at
            """
        )
        var keys: [WrappedRootKey] = []
        for row in rows {
            let (version, provider, id, wrapped) = try row.decode(
                Int32.self,
                String.self,
                String.self,
                [UInt8].self
            )
            keys.append(
                WrappedRootKey(
                    version: Int(version),
                    provider: provider,
                    keyEncryptionKeyID: id,
                    wrapped: wrapped
                )
            )
        }
        return keys
    }

    /// Stores a wrap of the root key.
    package static func insert(
        _ key: WrappedRootKey,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.root_keys (version, kek_provider, kek_id, wrapped)
            VALUES (
                \(Int32(clamping: key.version)), \(key.provider), \(key.keyEncryptionKeyID),
                \(key.wrapped)
            )
            """
        )
    }

    /// Removes every wrap of the root key but that of one key-encryption key.
    package static func removeRootKeys(
        except keyEncryptionKeyID: String,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            "SELECT turnpike.retire_root_keys(\(keyEncryptionKeyID))"
        )
    }

    /// All keys of the keyring.
    package static func keyring(
        in transaction: PostgresTransaction
    ) async throws(PostgresError) -> [WrappedKey] {
        let rows = try await transaction.query(
            """
            SELECT purpose, version, root_version, wrapped, state FROM turnpike.keyring
            ORDER BY purpose, version
            """
        )
        var keys: [WrappedKey] = []
        for row in rows {
            keys.append(
                WrappedKey(
                    purpose: try row.decode("purpose"),
                    version: Int(try row.decode("version", as: Int32.self)),
                    rootVersion: Int(try row.decode("root_version", as: Int32.self)),
                    wrapped: try row.decode("wrapped"),
                    state: try row.decode("state")
                )
            )
        }
        return keys
    }

    /// Stores a key of the keyring.
    package static func insert(
        _ key: WrappedKey,
        in transaction: PostgresTransaction
    ) async throws(PostgresError) {
        try await transaction.query(
            """
            INSERT INTO turnpike.keyring (purpose, version, root_version, wrapped, state)
            VALUES (
                \(key.purpose), \(Int32(clamping: key.version)),
                \(Int32(clamping: key.rootVersion)), \(key.wrapped), \(key.state)
            )
            """
        )
    }
}
