import Wire

/// How versions are kept: of a mount, or of one path, which then goes before the mount's.
package struct SecretSettings: Equatable, Sendable {
    /// Versions that are kept where neither says.
    package static let versionsDefault: Int64 = 10

    /// 0 for what the mount says, and at the mount for `versionsDefault`.
    package var maxVersions: Int64 = 0
    /// Whether every write must say which version it follows.
    package var isCASRequired = false
    /// After how many seconds a version counts as deleted; 0 for never.
    package var deleteAfterSeconds: Int64 = 0

    package init() {}

    init?(_ document: Document) {
        guard let max = document["max_versions"]?.integer,
            let cas = document["cas_required"]?.bool,
            let after = document["delete_version_after"]?.integer
        else { return nil }
        maxVersions = max
        isCASRequired = cas
        deleteAfterSeconds = after
    }

    var fields: [String: Document] {
        [
            "max_versions": .number(maxVersions),
            "cas_required": .bool(isCASRequired),
            "delete_version_after": .number(deleteAfterSeconds),
        ]
    }
}

/// What a change of settings leaves as it is, where it says nothing.
package struct SecretSettingsChange: Sendable {
    package var maxVersions: Int64?
    package var isCASRequired: Bool?
    package var deleteAfterSeconds: Int64?
    /// Replaces all of it; of a path only.
    package var customMetadata: [String: String]?
    /// Whether `customMetadata` is merged into what there is; a key without a text goes.
    package var removedMetadata: Set<String>?

    package init() {}

    func applied(to settings: SecretSettings) -> SecretSettings {
        var settings = settings
        if let maxVersions { settings.maxVersions = maxVersions }
        if let isCASRequired { settings.isCASRequired = isCASRequired }
        if let deleteAfterSeconds { settings.deleteAfterSeconds = deleteAfterSeconds }
        return settings
    }
}

/// What a path keeps beside its versions.
struct SecretState: Equatable, Sendable {
    var settings = SecretSettings()
    var customMetadata: [String: String] = [:]
    /// Every version that has a row, with the sequence of its last change: a row that was put back, or
    /// taken away, is not the one that stands here.
    var versions: [Int64: Int64] = [:]

    init() {}

    init?(_ document: Document) {
        guard let settings = SecretSettings(document),
            let metadata = document["custom_metadata"]?.entries,
            let versions = document["versions"]?.entries
        else { return nil }
        self.settings = settings
        for entry in metadata {
            guard let text = entry.value.text else { return nil }
            customMetadata[entry.key] = text
        }
        for entry in versions {
            guard let version = Int64(entry.key), let sequence = entry.value.integer else {
                return nil
            }
            self.versions[version] = sequence
        }
    }

    var document: Document {
        var fields = settings.fields
        fields["custom_metadata"] = .map(customMetadata)
        fields["versions"] = .map(
            Dictionary(versions.map { (String($0.key), Document.number($0.value)) }) { first, _ in
                first
            }
        )
        return .map(fields)
    }
}
