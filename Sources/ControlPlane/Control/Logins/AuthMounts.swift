import Store
import Wire

/// What kinds of logins there are.
package enum AuthMethod: String, Sendable, Hashable, CaseIterable {
    case jwt
    case cert
    case approle
    case userpass
    case aws
    case kubernetes
}

/// One way to log in, mounted below `auth/`.
package struct AuthMount: Equatable, Sendable {
    /// Without slashes, such as `jwt`.
    package let path: String
    package let method: AuthMethod
    package let summary: String
    /// In seconds; zero for none of its own.
    package let defaultLifetimeSeconds: Int64
    package let maxLifetimeSeconds: Int64
    package let accessor: String
    /// Whether it is being removed: nobody logs in, and the tokens that it gave are on their way out.
    let isEnding: Bool

    package init(
        path: String,
        method: AuthMethod,
        summary: String,
        defaultLifetimeSeconds: Int64 = 0,
        maxLifetimeSeconds: Int64 = 0,
        accessor: String = "",
        isEnding: Bool = false
    ) {
        self.isEnding = isEnding
        self.path = path
        self.method = method
        self.summary = summary
        self.defaultLifetimeSeconds = defaultLifetimeSeconds
        self.maxLifetimeSeconds = maxLifetimeSeconds
        self.accessor = accessor
    }

    var document: Document {
        var document = Document.fields([
            "type": .string(method.rawValue),
            "description": .string(summary),
            "default_lease_ttl": .number(defaultLifetimeSeconds),
            "max_lease_ttl": .number(maxLifetimeSeconds),
            "accessor": .string(accessor),
        ])
        if isEnding { document.set("ending", true) }
        return document
    }

    /// The same on its way out.
    var ending: AuthMount {
        AuthMount(
            path: path,
            method: method,
            summary: summary,
            defaultLifetimeSeconds: defaultLifetimeSeconds,
            maxLifetimeSeconds: maxLifetimeSeconds,
            accessor: accessor,
            isEnding: true
        )
    }

    /// Nil for what no server wrote.
    init?(_ row: AuthEntryRow) {
        let prefix = "auth/"
        guard row.kind == .mount, row.path.hasPrefix(prefix),
            let method = row.document["type"]?.text.flatMap(AuthMethod.init(rawValue:)),
            let summary = row.document["description"]?.text,
            let lifetime = row.document["default_lease_ttl"]?.integer,
            let longest = row.document["max_lease_ttl"]?.integer,
            let accessor = row.document["accessor"]?.text
        else { return nil }
        self.init(
            path: String(row.path.dropFirst(prefix.count)),
            method: method,
            summary: summary,
            defaultLifetimeSeconds: lifetime,
            maxLifetimeSeconds: longest,
            accessor: accessor,
            isEnding: row.document["ending"] == true
        )
    }
}

/// Which ways to log in there are, and what stands below them.
package struct AuthMounts: Sendable {
    package static let pathBytesMax = 64
    package static let nameBytesMax = 128
    package static let summaryBytesMax = 512
    /// The most ways to log in.
    package static let mountsMax = 64

    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Refuses what cannot be the path of a mount: it is one segment, and `token` is taken.
    package static func check(path: String) throws(ControlError) {
        let isPlain = path.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x61...0x7A, 0x2D, 0x5F: true
            default: false
            }
        }
        guard isPlain, (1...pathBytesMax).contains(path.utf8.count), path != "token" else {
            throw .invalid(
                "auth.path",
                field: "path",
                "must be 1 to \(pathBytesMax) of a-z, 0-9, - and _, and not token"
            )
        }
    }

    /// Refuses what cannot be the name of a role.
    package static func check(name: String) throws(ControlError) {
        guard (1...nameBytesMax).contains(name.utf8.count), Text.isPrintableASCII(name),
            !name.utf8.contains(UInt8(ascii: "/"))
        else {
            throw .invalid(
                "auth.name",
                field: "name",
                "must be 1 to \(nameBytesMax) printable characters without a slash"
            )
        }
    }

    // MARK: Mounts

    /// All of them, by path.
    package func list() async throws(ControlError) -> [AuthMount] {
        try await control.read { database in
            try await AuthEntryRepository.list(
                below: "auth/",
                kind: .mount,
                guardedBy: control.rowGuard,
                in: database
            ).compactMap(AuthMount.init)
        }
    }

    /// One of them; nil if there is none.
    package func find(_ path: String) async throws(ControlError) -> AuthMount? {
        try await control.read { database in
            try await AuthEntryRepository.find(
                ["auth/\(path)"],
                guardedBy: control.rowGuard,
                in: database
            ).first.flatMap(AuthMount.init)
        }
    }

    /// One of them, for somebody who shows no token.
    package func find(_ path: String, for caller: Caller) async throws(ControlError) -> AuthMount? {
        try await control.gated(caller) { () async throws(ControlError) in try await find(path) }
    }

    /// One of them that must be there and of a kind; one that is being removed is not there.
    package func require(
        _ path: String,
        _ method: AuthMethod
    ) async throws(ControlError) -> AuthMount {
        guard let mount = try await find(path), mount.method == method, !mount.isEnding else {
            throw Self.absent(path)
        }
        return mount
    }

    /// Makes one; refused where there is one already.
    package func enable(
        _ mount: AuthMount,
        by caller: Caller
    ) async throws(ControlError) {
        try Self.check(path: mount.path)
        try Self.check(mount)
        let accessor = "auth_\(mount.method.rawValue)_\(control.makeID())"
        let made = AuthMount(
            path: mount.path,
            method: mount.method,
            summary: mount.summary,
            defaultLifetimeSeconds: mount.defaultLifetimeSeconds,
            maxLifetimeSeconds: mount.maxLifetimeSeconds,
            accessor: accessor
        )
        try await put("auth/\(mount.path)", .mount, made.document, by: caller) { old, act in
            guard old == nil else {
                throw ControlError.invalid(
                    "auth.path_in_use",
                    field: "path",
                    "path is already in use at \(mount.path)/"
                )
            }
            let others = try await AuthEntryRepository.list(
                below: "auth/",
                kind: .mount,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard others.count < Self.mountsMax else {
                throw ControlError.invalid(
                    "auth.too_many",
                    field: "path",
                    "there are \(Self.mountsMax) ways to log in already"
                )
            }
        }
    }

    /// Changes the summary and the lifetimes of one.
    package func tune(
        _ path: String,
        by caller: Caller,
        _ change: @Sendable (AuthMount) -> AuthMount
    ) async throws(ControlError) {
        guard let mount = try await find(path) else { throw Self.absent(path) }
        let changed = change(mount)
        try Self.check(changed)
        guard !mount.isEnding else { throw Self.absent(path) }
        try await put("auth/\(path)", .mount, changed.document, by: caller) { old, _ in
            guard old?.document == mount.document else { throw Self.changed }
        }
    }

    /// Removes one with everything below it; the tokens that it gave end.
    ///
    /// In three steps, so that no crash leaves a token behind that nothing speaks of: nobody logs in any
    /// more, the tokens end, the entries go. Whoever finds it half done removes it again.
    package func disable(_ path: String, by caller: Caller) async throws(ControlError) {
        let prefix = "auth/\(path)"
        guard let mount = try await find(path) else {
            return try await control.act(caller, action: "auth.delete", resource: prefix) { act in
                act.conclude(outcome: "unchanged")
            }
        }
        try await put(prefix, .mount, mount.ending.document, by: caller) { old, act in
            guard old?.document == mount.document else { throw Self.changed }
            try await control.tokens.checkAdministratorRemains(
                withoutThoseMadeAt: "\(prefix)/login",
                act
            )
        }
        var last: UUIDv7?
        repeat {
            last = try await control.tokens.revokeSome(
                madeAt: "\(prefix)/login",
                after: last,
                by: caller
            )
        } while last != nil
        while try await !removeSome(below: mount, by: caller) {}
    }

    /// Removes a mount that is on its way out, or some of what is below it; true once it is gone.
    private func removeSome(
        below mount: AuthMount,
        by caller: Caller
    ) async throws(ControlError) -> Bool {
        let prefix = "auth/\(mount.path)"
        return try await control.act(caller, action: "auth.delete", resource: prefix) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let found = try await AuthEntryRepository.find(
                [prefix],
                guardedBy: control.rowGuard,
                in: act.database
            ).first
            guard let found, AuthMount(found)?.isEnding == true else {
                act.conclude(outcome: "unchanged")
                return true
            }
            let below = try await AuthEntryRepository.list(
                below: "\(prefix)/",
                guardedBy: control.rowGuard,
                in: act.database
            )
            for entry in below {
                _ = try await AuthEntryRepository.delete(entry.path, in: act.database)
                var record = caller.entry(action: "auth.delete", resource: entry.path)
                record.detail = ["version": .number(entry.version + 1)]
                act.audit(record)
            }
            guard below.isEmpty else { return false }
            // What is no entry that a server wrote goes too: it would be the next mount's.
            try await AuthEntryRepository.delete(below: "\(prefix)/", in: act.database)
            _ = try await AuthEntryRepository.delete(prefix, in: act.database)
            try await SecretIDRepository.delete(below: "\(prefix)/", in: act.database)
            act.describe(["version": .number(found.version + 1)])
            return true
        }
    }

    private static func check(_ mount: AuthMount) throws(ControlError) {
        guard mount.summary.utf8.count <= summaryBytesMax, Text.isPrintable(mount.summary) else {
            throw .invalid(
                "auth.description",
                field: "description",
                "must be at most \(summaryBytesMax) printable bytes"
            )
        }
    }

    static func absent(_ path: String) -> ControlError {
        .notFound(Complaint("auth.no_mount", "there is no such login at auth/\(path)"))
    }

    static let changed = ControlError.conflict(
        Complaint("auth.changed", "it was changed meanwhile: read it again")
    )
}

extension ControlPlane {
    /// Which ways to log in there are.
    package var authMounts: AuthMounts { AuthMounts(self) }
}
