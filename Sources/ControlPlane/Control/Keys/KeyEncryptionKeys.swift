import Crypto
import Postgres
import Store
import Wire

extension Keyring {
    /// The root key wrapped for another key-encryption key, and proof that this one opens it.
    func wrapped(
        under key: KeyEncryptionKey,
        randomBytes: (Int) -> [UInt8]
    ) throws(KeyError) -> WrappedRootKey {
        let box = try SealedBox.seal(
            root,
            key: key.secret,
            nonce: randomBytes(AEAD.nonceByteCount),
            context: Self.rootContext(cluster, version: Self.rootVersion, keyID: key.id)
        )
        let wrapped = WrappedRootKey(
            version: Self.rootVersion,
            provider: key.provider,
            keyEncryptionKeyID: key.id,
            wrapped: box
        )
        try prove(wrapped, opensUnder: key)
        return wrapped
    }

    /// Throws unless a wrap opens and holds the very root key that is in use.
    func prove(_ wrapped: WrappedRootKey, opensUnder key: KeyEncryptionKey) throws(KeyError) {
        let opened = try SealedBox.open(
            wrapped.wrapped,
            key: key.secret,
            context: Self.rootContext(cluster, version: wrapped.version, keyID: key.id),
            what: "the root key"
        )
        guard opened.equalsInConstantTime(root) else { throw .altered("the root key") }
    }
}

extension ControlPlane {
    /// Wraps the root key for a second key-encryption key as well, and proves from what is stored
    /// that it opens; nothing that is sealed changes.
    ///
    /// - Returns: whether the wrap is new.
    package func addKeyEncryptionKey(_ key: KeyEncryptionKey) async throws(ControlError) -> Bool {
        do {
            return try await act(server, action: "kek.add", resource: "ca/kek/\(key.id)") { act in
                var stored = try await KeyRepository.rootKeys(in: act.database)
                    .last { $0.keyEncryptionKeyID == key.id }
                let isNew = stored == nil
                if isNew {
                    try await KeyRepository.insert(
                        try keyring.wrapped(
                            under: key,
                            randomBytes: surroundings.randomBytes
                        ),
                        in: act.database
                    )
                    stored = try await KeyRepository.rootKeys(in: act.database)
                        .last { $0.keyEncryptionKeyID == key.id }
                } else {
                    act.conclude(outcome: "unchanged")
                }
                guard let stored else {
                    throw ControlError.faulted(Complaint("kek.lost", "the wrap was not stored"))
                }
                do throws(KeyError) {
                    try keyring.prove(stored, opensUnder: key)
                } catch {
                    throw ControlError.faulted(
                        Complaint("kek.unproven", "the wrap does not open: \(error)")
                    )
                }
                return isNew
            }
        }
    }

    /// Throws unless the key-encryption key that this replica works with opens the database still.
    func demandKeyEncryptionKey(in database: PostgresTransaction) async throws {
        let own = keyring.keyEncryptionKeyID
        let stored = try await KeyRepository.rootKeys(in: database).map(\.keyEncryptionKeyID)
        guard stored.contains(own) else {
            throw ControlError.conflict(
                Complaint(
                    "kek.retired",
                    "the key-encryption key \(own) opens this database no more, it was retired"
                        + " meanwhile: start with \(stored.joined(separator: " or ")) as"
                        + " keys.kek_file"
                )
            )
        }
    }

    /// Removes the wraps of every key-encryption key but the one that this replica works with; not
    /// while a live replica works with another one, which could not be started again.
    ///
    /// - Returns: the ids of those that open nothing from now on.
    package func retireKeyEncryptionKeys(
        by caller: Caller
    ) async throws(ControlError) -> [String] {
        try await act(caller, action: "kek.retire", resource: "ca/kek") { act in
            // A replica that starts says with which key it works under the same lock.
            try await ClusterRepository.lockIdentity(in: act.database)
            let kept = keyring.keyEncryptionKeyID
            let all = try await KeyRepository.rootKeys(in: act.database)
                .map(\.keyEncryptionKeyID)
            guard all.contains(kept) else {
                throw ControlError.faulted(
                    Complaint("kek.lost", "the wrap of the key in use is not stored")
                )
            }
            // The newer one is what the operator changes to: to keep the older would lock it out.
            guard all.last == kept else {
                throw ControlError.conflict(
                    Complaint(
                        "kek.newer_waits",
                        "this server works with \(kept), and \(all.last ?? "") is newer: start every"
                            + " server with the newer one as keys.kek_file, then retire the other"
                    )
                )
            }
            let gone = all.filter { $0 != kept }
            let behind =
                gone.isEmpty
                ? [] : try await ServerRepository.live(withoutKey: kept, in: act.database)
            guard behind.isEmpty else {
                throw ControlError.conflict(
                    Complaint(
                        "kek.replica_behind",
                        "these replicas do not work with \(kept): \(behind.joined(separator: ", "));"
                            + " start each with it as keys.kek_file, or stop it and wait a minute"
                    )
                )
            }
            try await KeyRepository.removeRootKeys(except: kept, in: act.database)
            act.describe(.fields(["kept": .string(kept), "removed": .list(gone)]))
            return gone
        }
    }
}
