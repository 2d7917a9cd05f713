import Mesh
import Store
package import Wire

extension Secrets {
    /// Writes a new version.
    ///
    /// `cas` names the version that it follows, 0 for none; a caller needs `create` for the first one
    /// and `update` for every other.
    package func write(
        _ value: Document,
        to path: String,
        cas: Int64?,
        by caller: Caller
    ) async throws(ControlError) -> SecretVersion {
        try Self.check(path: path)
        let resource = "\(Self.mount)/data/\(path)"
        return try await control.act(caller, action: "secret.write", resource: resource) { act in
            var ledger = try await SecretLedger(control, act)
            let found = try await ledger.find(path)
            try control.identity.authorise(caller, found == nil ? .create : .update, on: resource)
            return try await write(value, found, path, cas: cas, &ledger, act)
        }
    }

    /// Merges a patch (RFC 7396) into the current version and writes the result as a new one; nil
    /// where there is none to merge into.
    package func patch(
        _ patch: Document,
        at path: String,
        cas: Int64?,
        by caller: Caller
    ) async throws(ControlError) -> SecretVersion? {
        try Self.check(path: path)
        let resource = "\(Self.mount)/data/\(path)"
        return try await control.act(caller, action: "secret.patch", resource: resource) { act in
            var ledger = try await SecretLedger(control, act)
            guard let found = try await ledger.find(path),
                let row = try await ledger.version(found.row.currentVersion, of: found),
                !row.isDeleted(at: act.at), let value = try open(row)
            else {
                act.conclude(outcome: "absent")
                return nil
            }
            let merged = MergePatch.apply(patch, to: value)
            return try await write(merged, found, path, cas: cas, &ledger, act)
        }
    }

    private func write(
        _ value: Document,
        _ found: SecretPath?,
        _ name: String,
        cas: Int64?,
        _ ledger: inout SecretLedger,
        _ act: AuditedTransaction
    ) async throws -> SecretVersion {
        let current = found?.row.currentVersion ?? 0
        let isRequired =
            ledger.settings.isCASRequired || found?.state.settings.isCASRequired == true
        if let cas {
            guard cas == current else {
                throw ControlError.preconditionFailed(
                    Complaint(
                        "secret.cas",
                        "check-and-set parameter did not match the current version"
                    )
                )
            }
        } else if isRequired {
            throw ControlError.invalid(
                "secret.cas_required",
                field: "options.cas",
                "check-and-set parameter required for this call"
            )
        }
        var path = found ?? newPath(name, act)
        // Versions refer to their path, so a new one is stored before its first version.
        if path.stored == nil { try await ledger.store(&path) }
        let number = current + 1
        path.row.currentVersion = number
        let row = SecretVersionRow(
            mount: Self.mount,
            path: name,
            version: number,
            sealed: try seal(value, of: name, version: number, sequence: ledger.sequence),
            sealedSequence: ledger.sequence,
            sequence: ledger.sequence,
            createdAt: act.at,
            deletionTime: Self.end(path.state.settings, ledger.settings, from: act.at)
        )
        try await ledger.store(row, replacing: nil, of: &path)
        try await giveUpOld(&path, &ledger)
        try await ledger.store(&path)
        try await ledger.close()
        act.describe(["version": .number(number), "sequence": .number(ledger.sequence)])
        return SecretVersion(row, path.state, value: nil)
    }

    private func newPath(_ name: String, _ act: AuditedTransaction) -> SecretPath {
        let state = SecretState()
        let row = SecretKeyRow(
            mount: Self.mount,
            path: name,
            currentVersion: 0,
            oldestVersion: 0,
            state: state.document,
            sequence: 1,
            createdAt: act.at,
            updatedAt: act.at
        )
        return SecretPath(row: row, state: state, stored: nil)
    }

    /// Removes the versions that are more than shall be kept.
    private func giveUpOld(_ path: inout SecretPath, _ ledger: inout SecretLedger) async throws {
        let own = path.state.settings.maxVersions
        let mount = ledger.settings.maxVersions
        let kept = own > 0 ? own : mount > 0 ? mount : SecretSettings.versionsDefault
        let oldest = path.row.currentVersion - min(kept, SecretRepository.versionsMax) + 1
        for number in path.state.versions.keys.sorted() where number < oldest {
            guard let row = try await ledger.version(number, of: path) else { continue }
            try await ledger.remove(row, of: &path)
        }
        if oldest > 1 { path.row.oldestVersion = oldest }
    }

    /// When a version that is written now ends by itself; the sooner of the two settings.
    private static func end(
        _ own: SecretSettings,
        _ mount: SecretSettings,
        from now: Timestamp
    ) -> Timestamp? {
        let seconds = [own.deleteAfterSeconds, mount.deleteAfterSeconds].filter { $0 > 0 }.min()
        return seconds.map { now + .seconds($0) }
    }

    // MARK: Deleting

    /// What is done to versions that exist already.
    package enum Change: String, Sendable {
        case delete, undelete, destroy
    }

    /// Deletes, undeletes or destroys versions; nil is the current one.
    ///
    /// Those that are not there are passed over.
    package func change(
        _ change: Change,
        _ versions: [Int64]?,
        of path: String,
        by caller: Caller
    ) async throws(ControlError) {
        try Self.check(path: path)
        let base = versions == nil ? "data" : change.rawValue
        try await control.act(
            caller,
            action: "secret.\(change.rawValue)",
            resource: "\(Self.mount)/\(base)/\(path)"
        ) { act in
            var ledger = try await SecretLedger(control, act)
            guard var found = try await ledger.find(path) else {
                act.conclude(outcome: "unchanged")
                return
            }
            var changed: [Int64] = []
            for number in Set(versions ?? [found.row.currentVersion]).sorted() {
                guard let old = try await ledger.version(number, of: found),
                    let new = Self.changed(old, change, at: act.at)
                else { continue }
                try await ledger.store(new, replacing: old, of: &found)
                changed.append(number)
            }
            guard !changed.isEmpty else {
                act.conclude(outcome: "unchanged")
                return
            }
            try await ledger.store(&found)
            try await ledger.close()
            act.describe([
                "versions": .list(changed.map { .number($0) }),
                "sequence": .number(ledger.sequence),
            ])
        }
    }

    /// The row after the change; nil where it is so already.
    private static func changed(
        _ row: SecretVersionRow,
        _ change: Change,
        at now: Timestamp
    ) -> SecretVersionRow? {
        guard !row.isDestroyed else { return nil }
        var row = row
        switch change {
        case .delete:
            guard !row.isDeleted(at: now) else { return nil }
            row.deletionTime = now
        case .undelete:
            guard row.deletionTime != nil else { return nil }
            row.deletionTime = nil
        case .destroy: row.sealed = nil
        }
        return row
    }

    /// Removes a path with all of its versions, for ever.
    package func remove(_ path: String, by caller: Caller) async throws(ControlError) {
        try Self.check(path: path)
        try await control.act(
            caller,
            action: "secret.remove",
            resource: "\(Self.mount)/metadata/\(path)"
        ) { act in
            var ledger = try await SecretLedger(control, act)
            guard var found = try await ledger.find(path) else {
                act.conclude(outcome: "unchanged")
                return
            }
            for number in found.state.versions.keys.sorted() {
                guard let row = try await ledger.version(number, of: found) else { continue }
                try await ledger.remove(row, of: &found)
            }
            try await ledger.remove(found)
            try await ledger.close()
            act.describe(["sequence": .number(ledger.sequence)])
        }
    }

    // MARK: Settings

    /// Changes the settings of the mount.
    package func configure(
        _ change: SecretSettingsChange,
        by caller: Caller
    ) async throws(ControlError) {
        try await control.act(
            caller,
            action: "secret.configure",
            resource: "\(Self.mount)/config"
        ) { act in
            var ledger = try await SecretLedger(control, act)
            ledger.set(change.applied(to: ledger.settings))
            try await ledger.close()
            act.describe(.map(ledger.settings.fields))
        }
    }

    /// Changes the settings of a path, which is made where there is none.
    ///
    /// A caller needs `create` for a new one and `update` for every other; `mayCreate` is false for a
    /// patch, which needs its own right and a path that is there. False where there is none.
    @discardableResult
    package func configure(
        _ name: String,
        _ change: SecretSettingsChange,
        mayCreate: Bool = true,
        by caller: Caller
    ) async throws(ControlError) -> Bool {
        try Self.check(path: name)
        let resource = "\(Self.mount)/metadata/\(name)"
        return try await control.act(caller, action: "secret.configure", resource: resource) {
            act in
            var ledger = try await SecretLedger(control, act)
            let found = try await ledger.find(name)
            if mayCreate {
                try control.identity.authorise(
                    caller,
                    found == nil ? .create : .update,
                    on: resource
                )
            } else if found == nil {
                act.conclude(outcome: "absent")
                return false
            }
            var path = found ?? newPath(name, act)
            path.state.settings = change.applied(to: path.state.settings)
            if let removed = change.removedMetadata {
                for key in removed { path.state.customMetadata[key] = nil }
                path.state.customMetadata.merge(change.customMetadata ?? [:]) { _, new in new }
            } else if let metadata = change.customMetadata {
                path.state.customMetadata = metadata
            }
            try Self.check(metadata: path.state.customMetadata)
            try await ledger.store(&path)
            try await ledger.close()
            act.describe(["sequence": .number(ledger.sequence)])
            return true
        }
    }

    private static func check(metadata: [String: String]) throws(ControlError) {
        let isShort = metadata.allSatisfy { key, value in
            (1...metadataKeyBytesMax).contains(key.utf8.count) && Text.isPrintable(key)
                && value.utf8.count <= metadataValueBytesMax && Text.isPrintable(value)
        }
        guard metadata.count <= metadataMax, isShort else {
            throw .invalid(
                "secret.metadata",
                field: "custom_metadata",
                "must have at most \(metadataMax) entries: printable keys of 1 to"
                    + " \(metadataKeyBytesMax) bytes, values of at most \(metadataValueBytesMax)"
            )
        }
    }
}
