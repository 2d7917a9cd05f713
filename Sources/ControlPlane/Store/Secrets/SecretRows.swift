package import Wire

/// The head of a mount: its settings, and the sealed account of the rows below it.
package struct SecretMountRow: Equatable, Sendable {
    /// Without slashes, such as `secret`.
    package let mount: String
    /// Grows with every write below the mount.
    package var sequence: Int64
    package var config: Document
    /// How many rows there are and the hash of their set.
    package var sealed: [UInt8]
    package var updatedAt: Timestamp

    package init(
        mount: String,
        sequence: Int64,
        config: Document,
        sealed: [UInt8],
        updatedAt: Timestamp
    ) {
        self.mount = mount
        self.sequence = sequence
        self.config = config
        self.sealed = sealed
        self.updatedAt = updatedAt
    }

    var content: RowContent {
        var content = RowContent(table: "secret_mounts", key: mount)
        content.add("sequence", sequence)
        content.add("config", config)
        content.add("sealed", sealed)
        content.add("updated_at", updatedAt)
        return content
    }
}

/// A path that has secrets.
package struct SecretKeyRow: Equatable, Sendable {
    package let mount: String
    package let path: String
    /// 0 before the first version.
    package var currentVersion: Int64
    /// The first version that is kept; 0 while none was given up.
    package var oldestVersion: Int64
    /// Settings, and the sequence of the row of every version.
    package var state: Document
    /// The head's sequence when the row was last written.
    package var sequence: Int64
    package let createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        mount: String,
        path: String,
        currentVersion: Int64,
        oldestVersion: Int64,
        state: Document,
        sequence: Int64,
        createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.mount = mount
        self.path = path
        self.currentVersion = currentVersion
        self.oldestVersion = oldestVersion
        self.state = state
        self.sequence = sequence
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// What the row's MAC covers, and what stands for it in the set of the mount's rows.
    package var content: RowContent {
        var content = RowContent(table: "secret_keys", key: "\(mount)/\(path)")
        content.add("current_version", currentVersion)
        content.add("oldest_version", oldestVersion)
        content.add("state", state)
        content.add("sequence", sequence)
        content.add("created_at", createdAt)
        content.add("updated_at", updatedAt)
        return content
    }
}

/// One version of a secret.
package struct SecretVersionRow: Equatable, Sendable {
    package let mount: String
    package let path: String
    package let version: Int64
    /// Nil once it is destroyed.
    package var sealed: [UInt8]?
    /// The head's sequence when the value was sealed, which it is bound to.
    package let sealedSequence: Int64
    /// The head's sequence when the row was last written.
    package var sequence: Int64
    package let createdAt: Timestamp
    /// From when on it counts as deleted; nil for never.
    package var deletionTime: Timestamp?

    package init(
        mount: String,
        path: String,
        version: Int64,
        sealed: [UInt8]?,
        sealedSequence: Int64,
        sequence: Int64,
        createdAt: Timestamp,
        deletionTime: Timestamp?
    ) {
        self.mount = mount
        self.path = path
        self.version = version
        self.sealed = sealed
        self.sealedSequence = sealedSequence
        self.sequence = sequence
        self.createdAt = createdAt
        self.deletionTime = deletionTime
    }

    /// Whether its value is gone for ever.
    package var isDestroyed: Bool { sealed == nil }

    /// Whether it counts as deleted at a time of the database's clock.
    package func isDeleted(at now: Timestamp) -> Bool { deletionTime.map { $0 <= now } ?? false }

    /// What the row's MAC covers, and what stands for it in the set of the mount's rows.
    package var content: RowContent {
        var content = RowContent(table: "secret_versions", key: "\(mount)/\(path)@\(version)")
        content.add("sealed", sealed)
        content.add("sealed_sequence", sealedSequence)
        content.add("sequence", sequence)
        content.add("created_at", createdAt)
        content.add("deletion_time", deletionTime)
        return content
    }
}

/// What was found at a place: a row that somebody else wrote is neither there nor absent, since
/// nothing may be written in its place unseen.
package enum Found<Value: Sendable>: Sendable {
    case absent
    case altered
    case present(Value)
}

/// A version as its metadata shows it.
package struct SecretTimes: Equatable, Sendable {
    package let version: Int64
    package let sequence: Int64
    package let createdAt: Timestamp
    package let deletionTime: Timestamp?
    package let isDestroyed: Bool

    package init(
        version: Int64,
        sequence: Int64,
        createdAt: Timestamp,
        deletionTime: Timestamp?,
        isDestroyed: Bool
    ) {
        self.version = version
        self.sequence = sequence
        self.createdAt = createdAt
        self.deletionTime = deletionTime
        self.isDestroyed = isDestroyed
    }
}
