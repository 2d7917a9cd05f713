import Crypto
import Mesh
import Postgres
import Store
import Wire

/// Static secrets with versions, sealed one by one and accounted for as a whole.
///
/// A row that was altered, put back or taken away is neither served nor overwritten: the request fails
/// and the alarm says which row it was.
package struct Secrets: Sendable {
    /// The one mount.
    package static let mount = "secret"
    /// The longest path below the mount, in bytes.
    package static let pathBytesMax = 448
    /// The most names of one list.
    package static let namesMax = 10_000
    /// The longest value, in bytes of JSON.
    package static let valueBytesMax = 1_000_000
    package static let metadataMax = 64
    package static let metadataKeyBytesMax = 128
    package static let metadataValueBytesMax = 512

    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Refuses what is no path of a secret.
    package static func check(path: String) throws(ControlError) {
        guard (1...pathBytesMax).contains(path.utf8.count), Text.isPrintable(path) else {
            throw .invalid(
                "secret.path",
                field: "path",
                "must be 1 to \(pathBytesMax) printable bytes"
            )
        }
    }

    // MARK: Head

    /// Makes the head of the mount, at the first start of a server that knows of secrets.
    func found(at time: Timestamp, in database: PostgresTransaction) async throws {
        let account = SecretAccount(keyVersion: control.keyring.activeVersion(of: .kv))
        let row = SecretMountRow(
            mount: Self.mount,
            sequence: 0,
            config: .map(SecretSettings().fields),
            sealed: try seal(account, sequence: 0),
            updatedAt: time
        )
        try await SecretRepository.put(row, guardedBy: control.rowGuard, in: database)
    }

    /// A head with what it holds; one that is missing or altered stops everything below it.
    func opened(
        _ found: Found<SecretMountRow>
    ) throws -> (SecretMountRow, SecretSettings, SecretAccount) {
        guard case .present(let row) = found, let settings = SecretSettings(row.config),
            let bytes = try? control.keyring.open(row.sealed, for: .kv, at: place(row.sequence)),
            let account = bytes.withBytes({ span in
                var copy: [UInt8] = []
                for index in span.indices { copy.append(span[index]) }
                return SecretAccount(copy)
            })
        else { throw altered("secret_mounts", Self.mount) }
        return (row, settings, account)
    }

    func seal(_ account: SecretAccount, sequence: Int64) throws -> [UInt8] {
        try control.keyring.seal(
            SecretBytes(copying: account.bytes),
            for: .kv,
            at: place(sequence),
            randomBytes: control.surroundings.randomBytes
        )
    }

    private func place(_ sequence: Int64) -> SealedPlace {
        SealedPlace(table: "secret_mounts", column: "sealed", key: Self.mount, version: sequence)
    }

    // MARK: Values

    /// A value on its way into a row, bound to path, version and sequence.
    func seal(_ value: Document, of path: String, version: Int64, sequence: Int64) throws -> [UInt8]
    {
        var bytes = JSON.compact(value)
        guard bytes.count <= Self.valueBytesMax else {
            throw ControlError.invalid(
                "secret.too_large",
                field: "data",
                "must be at most \(Self.valueBytesMax) bytes of JSON"
            )
        }
        return try control.keyring.seal(
            SecretBytes(taking: &bytes),
            for: .kv,
            at: Self.place(of: path, version: version, sequence: sequence),
            randomBytes: control.surroundings.randomBytes
        )
    }

    /// The value of a row; nil for one that is destroyed.
    func open(_ row: SecretVersionRow) throws -> Document? {
        guard let sealed = row.sealed else { return nil }
        let place = Self.place(of: row.path, version: row.version, sequence: row.sealedSequence)
        guard let secret = try? control.keyring.open(sealed, for: .kv, at: place) else {
            throw altered("secret_versions", "\(row.mount)/\(row.path)@\(row.version)")
        }
        let bytes = secret.withBytes { span in
            var copy: [UInt8] = []
            copy.reserveCapacity(span.count)
            for index in span.indices { copy.append(span[index]) }
            return copy
        }
        guard let value = try? JSON.parse(bytes, source: "secret") else {
            throw altered("secret_versions", "\(row.mount)/\(row.path)@\(row.version)")
        }
        return value
    }

    private static func place(of path: String, version: Int64, sequence: Int64) -> SealedPlace {
        SealedPlace(
            table: "secret_versions",
            column: "sealed",
            key: "\(mount)/\(path)@\(version)",
            version: sequence
        )
    }

    // MARK: Judgement

    /// A path as it was found under a head; throws for one that this server did not write last.
    func judged(_ found: Found<SecretKeyRow>, head: SecretMountRow) throws -> SecretPath? {
        switch found {
        case .absent: return nil
        case .altered: throw altered()
        case .present(let row):
            guard row.sequence <= head.sequence, let state = SecretState(row.state) else {
                throw altered("secret_keys", "\(row.mount)/\(row.path)")
            }
            return SecretPath(row: row, state: state, stored: row)
        }
    }

    /// A version as it was found under its path, which knows the sequence of each of them.
    func judged(
        _ found: Found<SecretVersionRow>,
        _ number: Int64,
        of path: SecretPath
    ) throws -> SecretVersionRow? {
        let name = "\(path.row.mount)/\(path.row.path)@\(number)"
        switch found {
        case .absent:
            guard path.state.versions[number] == nil else {
                throw altered("secret_versions", name)
            }
            return nil
        case .altered: throw altered()
        case .present(let row):
            guard path.state.versions[number] == row.sequence else {
                throw altered("secret_versions", name)
            }
            return row
        }
    }

    /// Raises the alarm about a row, unless whoever read it has done so.
    func altered(_ table: String? = nil, _ key: String = "") -> ControlError {
        if let table { control.alarms.raise(RowAlarm(table: table, key: key)) }
        return .faulted(
            Complaint(
                "secret.altered",
                "what the database holds is not what was written: see the alarms in /v1/status"
            )
        )
    }
}

extension ControlPlane {
    /// Static secrets.
    package var secrets: Secrets { Secrets(self) }
}
