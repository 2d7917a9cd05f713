import Mesh
import Postgres
import Store
package import Wire

/// One version of a secret as a client sees it.
package struct SecretVersion: Sendable {
    package let version: Int64
    package let createdAt: Timestamp
    package let deletionTime: Timestamp?
    package let isDestroyed: Bool
    package let customMetadata: [String: String]
    /// Nil where it is deleted or destroyed.
    package let value: Document?

    init(_ row: SecretVersionRow, _ state: SecretState, value: Document?) {
        version = row.version
        createdAt = row.createdAt
        deletionTime = row.deletionTime
        isDestroyed = row.isDestroyed
        customMetadata = state.customMetadata
        self.value = value
    }
}

/// A path with its settings and versions.
package struct SecretMetadata: Sendable {
    package let settings: SecretSettings
    package let customMetadata: [String: String]
    package let currentVersion: Int64
    package let oldestVersion: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    /// In order.
    package let versions: [Version]

    /// When a version was written and ended.
    package struct Version: Sendable {
        package let number: Int64
        package let createdAt: Timestamp
        package let deletionTime: Timestamp?
        package let isDestroyed: Bool
    }
}

extension Secrets {
    /// What reads of a mount share.
    typealias Reads = Rounds<String, Wish, SecretVersion?>
    /// Reads of one commit.
    static let readsPerRound = 32

    /// Somebody's wish to read a version.
    struct Wish: Sendable {
        let wanted: SecretRepository.Wanted
        let caller: Caller
    }

    /// A version with its value, recorded as read; nil version is the current one, nil answer none.
    ///
    /// Those that come while others are read are read together: their records share a commit.
    package func read(
        _ path: String,
        version: Int64?,
        by caller: Caller
    ) async throws(ControlError) -> SecretVersion? {
        try Self.check(path: path)
        let wanted = SecretRepository.Wanted(path: path, version: version)
        let wish = Wish(wanted: wanted, caller: caller)
        return try await control.secretReads.answer(wish, in: Self.mount) { wishes in
            await Reads.work(wishes) { wishes throws(ControlError) in
                try await control.actTogether { shared in try await read(wishes, shared) }
            }
        }
    }

    private func read(
        _ wishes: [Wish],
        _ shared: SharedTransaction
    ) async throws -> [Reads.Outcome] {
        let readings = try await SecretRepository.find(
            mount: Self.mount,
            wishes.map(\.wanted),
            guardedBy: control.rowGuard,
            in: shared.database
        )
        let (head, _, _) = try opened(readings.first?.mount ?? .absent)
        var outcomes: [Reads.Outcome] = []
        for (wish, reading) in zip(wishes, readings) {
            let act = shared.begin(
                wish.caller.entry(
                    action: "secret.read",
                    resource: "\(Self.mount)/data/\(wish.wanted.path)"
                )
            )
            do {
                outcomes.append(.success(try judged(reading, head, wish.wanted.version, act)))
                shared.keep(act)
            } catch let refusal as ControlError {
                outcomes.append(.failure(refusal))
            }
        }
        return outcomes
    }

    private func judged(
        _ reading: SecretRepository.Reading,
        _ head: SecretMountRow,
        _ version: Int64?,
        _ act: AuditedTransaction
    ) throws -> SecretVersion? {
        guard let found = try judged(reading.key, head: head) else {
            act.conclude(outcome: "absent")
            return nil
        }
        let number = version ?? found.row.currentVersion
        guard let row = try judged(reading.version, number, of: found) else {
            act.conclude(outcome: "absent")
            return nil
        }
        act.describe(["version": .number(number)])
        guard !row.isDestroyed, !row.isDeleted(at: act.at) else {
            act.conclude(outcome: "absent", reason: row.isDestroyed ? "destroyed" : "deleted")
            return SecretVersion(row, found.state, value: nil)
        }
        return SecretVersion(row, found.state, value: try open(row))
    }

    /// What is known of a path without its values; nil where there is none.
    package func metadata(_ path: String) async throws(ControlError) -> SecretMetadata? {
        try Self.check(path: path)
        return try await control.read { database in
            let reading = try await SecretRepository.find(
                mount: Self.mount,
                path: path,
                version: 0,
                guardedBy: control.rowGuard,
                in: database
            )
            let (head, _, _) = try opened(reading.mount)
            guard let found = try judged(reading.key, head: head) else { return nil }
            let times = try await SecretRepository.times(
                mount: Self.mount,
                path: path,
                in: database
            )
            let sequences = Dictionary(times.map { ($0.version, $0.sequence) }) { first, _ in first
            }
            guard sequences == found.state.versions else {
                throw altered("secret_keys", "\(Self.mount)/\(path)")
            }
            return SecretMetadata(
                settings: found.state.settings,
                customMetadata: found.state.customMetadata,
                currentVersion: found.row.currentVersion,
                oldestVersion: found.row.oldestVersion,
                createdAt: found.row.createdAt,
                updatedAt: found.row.updatedAt,
                versions: times.map {
                    SecretMetadata.Version(
                        number: $0.version,
                        createdAt: $0.createdAt,
                        deletionTime: $0.deletionTime,
                        isDestroyed: $0.isDestroyed
                    )
                }
            )
        }
    }

    /// The names directly below a folder, in order; of folders with a slash at the end.
    package func names(below folder: String) async throws(ControlError) -> [String] {
        if !folder.isEmpty { try Self.check(path: folder) }
        return try await control.read { database in
            try await SecretRepository.names(
                mount: Self.mount,
                below: folder.isEmpty ? "" : folder + "/",
                limit: Self.namesMax,
                in: database
            )
        }
    }

    /// The settings of the mount.
    package func settings() async throws(ControlError) -> SecretSettings {
        try await control.read { database in
            let found = try await SecretRepository.findMount(
                Self.mount,
                guardedBy: control.rowGuard,
                in: database
            )
            return try opened(found).1
        }
    }

    /// Compares every row of the mount with its head; false, with the alarm, when they differ.
    ///
    /// One scan of all that there is, in one state of the database.
    package func verify() async throws(ControlError) -> Bool {
        try await control.read { database in
            let found = try await SecretRepository.findMount(
                Self.mount,
                guardedBy: control.rowGuard,
                in: database
            )
            let (_, _, account) = try opened(found)
            var counted = SecretAccount(keyVersion: account.keyVersion)
            var isWhole = true
            var path = ""
            while true {
                let rows = try await SecretRepository.keys(
                    mount: Self.mount,
                    after: path,
                    guardedBy: control.rowGuard,
                    in: database
                )
                for case .present(let row) in rows {
                    try counted.toggle(row.content, by: 1, control.keyring)
                    path = row.path
                }
                // A step that ends with a row that is not ours leads no further.
                guard rows.count == SecretRepository.pathsPerStepMax,
                    case .present = rows.last
                else { break }
            }
            var place = (path: "", version: Int64(0))
            while true {
                let rows = try await SecretRepository.versions(
                    mount: Self.mount,
                    after: place,
                    guardedBy: control.rowGuard,
                    in: database
                )
                for case .present(let row) in rows {
                    try counted.toggle(row.content, by: 1, control.keyring)
                    place = (row.path, row.version)
                }
                guard rows.count == SecretRepository.versionsPerStepMax,
                    case .present = rows.last
                else { break }
            }
            if counted != account {
                isWhole = false
                _ = altered("secret_mounts", Self.mount)
            }
            return isWhole
        }
    }
}
