import Crypto
import Postgres
import Store
import Wire

/// The writes of one transaction below a mount: holds the lock on its head, takes every row in and out
/// of the account, and stores the head at the end.
struct SecretLedger {
    private let control: ControlPlane
    private let act: AuditedTransaction
    private(set) var head: SecretMountRow
    private(set) var settings: SecretSettings
    private var account: SecretAccount
    /// What every row that is written here carries.
    let sequence: Int64

    init(_ control: ControlPlane, _ act: AuditedTransaction) async throws {
        let found = try await SecretRepository.lockMount(
            Secrets.mount,
            guardedBy: control.rowGuard,
            in: act.database
        )
        (head, settings, account) = try control.secrets.opened(found)
        self.control = control
        self.act = act
        sequence = head.sequence + 1
    }

    /// A path with what it keeps; nil where there is none.
    func find(_ path: String) async throws -> SecretPath? {
        let found = try await SecretRepository.findKey(
            mount: head.mount,
            path: path,
            guardedBy: control.rowGuard,
            in: act.database
        )
        return try control.secrets.judged(found, head: head)
    }

    /// A version that a path keeps; nil where it keeps none of that number.
    func version(_ number: Int64, of path: SecretPath) async throws -> SecretVersionRow? {
        let found = try await SecretRepository.find(
            mount: head.mount,
            path: path.row.path,
            version: number,
            guardedBy: control.rowGuard,
            in: act.database
        )
        return try control.secrets.judged(found.version, number, of: path)
    }

    /// Stores a version, new or in the place of one, and has its path know of it.
    mutating func store(
        _ version: SecretVersionRow,
        replacing old: SecretVersionRow?,
        of path: inout SecretPath
    ) async throws {
        var version = version
        version.sequence = sequence
        if let old { try account.toggle(old.content, by: -1, control.keyring) }
        try account.toggle(version.content, by: 1, control.keyring)
        path.state.versions[version.version] = sequence
        try await SecretRepository.put(version, guardedBy: control.rowGuard, in: act.database)
    }

    /// Removes a version for ever.
    mutating func remove(_ version: SecretVersionRow, of path: inout SecretPath) async throws {
        try account.toggle(version.content, by: -1, control.keyring)
        path.state.versions[version.version] = nil
        try await SecretRepository.delete(version, in: act.database)
    }

    /// Stores a path; before its first version, since versions refer to it.
    mutating func store(_ path: inout SecretPath) async throws {
        if let stored = path.stored { try account.toggle(stored.content, by: -1, control.keyring) }
        path.row.sequence = sequence
        path.row.updatedAt = act.at
        path.row.state = path.state.document
        try account.toggle(path.row.content, by: 1, control.keyring)
        try await SecretRepository.put(path.row, guardedBy: control.rowGuard, in: act.database)
        path.stored = path.row
    }

    /// Removes a path whose versions were removed.
    mutating func remove(_ path: SecretPath) async throws {
        if let stored = path.stored { try account.toggle(stored.content, by: -1, control.keyring) }
        try await SecretRepository.delete(path.row, in: act.database)
    }

    /// Changes the settings of the mount.
    mutating func set(_ settings: SecretSettings) { self.settings = settings }

    /// Stores the head; the last thing that a writer does.
    mutating func close() async throws {
        head.sequence = sequence
        head.config = .map(settings.fields)
        head.updatedAt = act.at
        head.sealed = try control.secrets.seal(account, sequence: sequence)
        try await SecretRepository.put(head, guardedBy: control.rowGuard, in: act.database)
    }
}

/// A path as a transaction works with it.
struct SecretPath {
    var row: SecretKeyRow
    var state: SecretState
    /// The row as the database has it; nil for a new one.
    var stored: SecretKeyRow?
}
