import Crypto
import Store
package import Wire

/// What a token keeps for itself: nobody else reads it, and it goes with the token.
package struct Cubbyholes: Sendable {
    /// The most values of one token.
    package static let pathsMax = 100
    /// The longest value, in bytes of JSON.
    package static let valueBytesMax = 65_536

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The value at a path; nil if there is none.
    package func read(_ path: String, by caller: Caller) async throws(ControlError) -> Document? {
        let token = try Self.token(caller, path)
        return try await control.act(
            caller,
            action: "cubbyhole.read",
            resource: "cubbyhole/\(token)"
        ) { act in
            guard let found = try await CubbyholeRepository.lock(path, of: token, in: act.database)
            else {
                act.conclude(outcome: "unchanged", reason: "absent")
                return nil
            }
            let secret = try control.keyring.open(
                found.sealed,
                for: .kv,
                at: Self.place(token, path, found.version)
            )
            let bytes = secret.withBytes { span in span.indices.map { span[$0] } }
            return try JSON.parse(bytes, source: "the value")
        }
    }

    /// Stores a value in the place of the one before.
    package func write(
        _ value: Document,
        to path: String,
        by caller: Caller
    ) async throws(ControlError) {
        let token = try Self.token(caller, path)
        let bytes = JSON.compact(value)
        guard bytes.count <= Self.valueBytesMax else {
            throw .invalid(
                "cubbyhole.too_large",
                field: "",
                "must be at most \(Self.valueBytesMax) bytes of JSON"
            )
        }
        try await control.act(
            caller,
            action: "cubbyhole.write",
            resource: "cubbyhole/\(token)"
        ) { act in
            _ = try await control.tokens.checkLives(caller, act)
            let old = try await CubbyholeRepository.lock(path, of: token, in: act.database)
            if old == nil {
                let paths = try await CubbyholeRepository.paths(of: token, in: act.database)
                guard paths.count < Self.pathsMax else {
                    throw ControlError.invalid(
                        "cubbyhole.full",
                        field: "",
                        "a token keeps at most \(Self.pathsMax) values"
                    )
                }
            }
            let version = (old?.version ?? 0) + 1
            let sealed = try control.keyring.seal(
                SecretBytes(copying: bytes),
                for: .kv,
                at: Self.place(token, path, version),
                randomBytes: control.surroundings.randomBytes
            )
            try await CubbyholeRepository.put(
                sealed,
                at: path,
                of: token,
                version: version,
                in: act.database
            )
        }
    }

    /// Removes a value; one that is not there is removed.
    package func remove(_ path: String, by caller: Caller) async throws(ControlError) {
        let token = try Self.token(caller, path)
        try await control.act(
            caller,
            action: "cubbyhole.delete",
            resource: "cubbyhole/\(token)"
        ) { act in
            try await CubbyholeRepository.delete(path, of: token, in: act.database)
        }
    }

    /// The names in a folder, of folders with a slash; the top for an empty path.
    package func names(below path: String, by caller: Caller) async throws(ControlError) -> [String]
    {
        let prefix = path.isEmpty ? "" : path + "/"
        guard !caller.isListDenied(of: "cubbyhole/\(prefix)") else { throw Self.denied }
        if !path.isEmpty { try Secrets.check(path: path) }
        guard let token = caller.accessor else { throw Tokens.unknown }
        let paths = try await control.read { database in
            try await CubbyholeRepository.paths(of: token, in: database)
        }
        var names: [String] = []
        for path in paths where path.utf8.starts(with: prefix.utf8) {
            let rest = path.utf8.dropFirst(prefix.utf8.count)
            let first = rest.prefix { $0 != UInt8(ascii: "/") }
            let name = String(Substring(first)) + (first.count < rest.count ? "/" : "")
            if names.last != name { names.append(name) }
        }
        return names
    }

    private static func token(_ caller: Caller, _ path: String) throws(ControlError) -> UUIDv7 {
        try Secrets.check(path: path)
        guard let accessor = caller.accessor else { throw Tokens.unknown }
        // Every token has one, unless a policy of it says otherwise.
        guard !caller.isDenied(on: "cubbyhole/\(path)") else { throw denied }
        return accessor
    }

    private static let denied = ControlError.forbidden(
        Complaint("access.denied", "permission denied")
    )

    private static func place(_ token: UUIDv7, _ path: String, _ version: Int64) -> SealedPlace {
        SealedPlace(
            table: "cubbyholes",
            column: "sealed",
            key: "\(token)/\(path)",
            version: version
        )
    }
}

extension ControlPlane {
    /// What tokens keep for themselves.
    package var cubbyholes: Cubbyholes { Cubbyholes(self) }
}
