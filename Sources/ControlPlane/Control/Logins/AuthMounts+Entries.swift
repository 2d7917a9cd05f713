package import Store
import Wire

extension AuthMounts {
    /// The longest entry that an audit record repeats.
    private static let entryShownBytesMax = 2_048

    /// One entry below a mount, as it is stored.
    package func entry(
        _ path: String,
        _ kind: AuthEntryRow.Kind
    ) async throws(ControlError) -> AuthEntryRow? {
        try await control.read { database in
            try await AuthEntryRepository.find(
                [path],
                guardedBy: control.rowGuard,
                in: database
            ).first { $0.kind == kind }
        }
    }

    /// The last segments of the entries below a path that ends in a slash.
    package func names(below prefix: String) async throws(ControlError) -> [String] {
        try await control.read { database in
            try await AuthEntryRepository.list(
                below: prefix,
                guardedBy: control.rowGuard,
                in: database
            ).map { String($0.path.dropFirst(prefix.count)) }
        }
    }

    /// Removes an entry; one that is not there is removed.
    package func remove(_ path: String, by caller: Caller) async throws(ControlError) {
        try await control.act(caller, action: "auth.delete", resource: path) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let found = try await AuthEntryRepository.find(
                [path],
                guardedBy: control.rowGuard,
                in: act.database
            ).first
            guard let found, try await AuthEntryRepository.delete(path, in: act.database) else {
                act.conclude(outcome: "unchanged")
                return
            }
            try await SecretIDRepository.delete(below: path, in: act.database)
            act.describe(["version": .number(found.version + 1)])
        }
    }

    /// Stores an entry; `check` sees the old one within the transaction, and `shown` is what the audit
    /// trail keeps of it where that is not all.
    func put(
        _ path: String,
        _ kind: AuthEntryRow.Kind,
        _ document: Document,
        shown: Document? = nil,
        by caller: Caller,
        check: (AuthEntryRow?, AuditedTransaction) async throws -> Void
    ) async throws(ControlError) {
        try await control.act(caller, action: "auth.put", resource: path) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let old = try await AuthEntryRepository.find(
                [path],
                guardedBy: control.rowGuard,
                in: act.database
            ).first
            try await check(old, act)
            let last = try await AuthEntryRepository.lastVersion(of: path, in: act.database)
            let row = AuthEntryRow(
                path: path,
                kind: kind,
                document: document,
                version: max(old?.version ?? 0, last) + 1,
                createdAt: old?.createdAt ?? act.at,
                updatedAt: act.at,
                createdBy: old?.createdBy ?? caller.principal
            )
            try await AuthEntryRepository.put(row, guardedBy: control.rowGuard, in: act.database)
            // The version must be in the record, whatever else does not fit.
            let shown = shown ?? document
            let isShort = JSON.canonical(shown).count <= Self.entryShownBytesMax
            var detail = Document.fields([
                "version": .number(row.version), "kind": .string(kind.rawValue),
            ])
            if isShort { detail.set("entry", shown) }
            act.describe(detail)
        }
    }

    /// Stores an entry below a mount that must be there and of a kind.
    func put(
        _ path: String,
        below mount: AuthMount,
        _ kind: AuthEntryRow.Kind,
        _ document: Document,
        shown: Document? = nil,
        policies: [String] = [],
        by caller: Caller,
        check: (AuthEntryRow?) throws -> Void = { _ in },
        more: (AuditedTransaction) async throws -> Void = { _ in }
    ) async throws(ControlError) {
        try await put(path, kind, document, shown: shown, by: caller) { old, act in
            try check(old)
            let found = try await AuthEntryRepository.find(
                ["auth/\(mount.path)"],
                guardedBy: control.rowGuard,
                in: act.database
            ).first.flatMap(AuthMount.init)
            guard let found, found.method == mount.method, !found.isEnding else {
                throw Self.absent(mount.path)
            }
            try await more(act)
            // Whoever logs in gets these: nobody hands out by a role what they lack.
            try await control.tokens.checkGrant(policies, by: caller, act)
        }
    }

    /// Refuses who lacks what any role of a mount gives: whoever says by what the mount knows its callers
    /// gives all of it.
    func checkRoles(
        of mount: String,
        by caller: Caller,
        _ act: AuditedTransaction
    ) async throws {
        let entries = try await AuthEntryRepository.list(
            below: "auth/\(mount)/",
            guardedBy: control.rowGuard,
            in: act.database
        )
        let names = entries.flatMap { entry in
            entry.document["grant"]?["policies"]?.items?.compactMap(\.text) ?? []
        }
        try await control.tokens.checkGrant(known: Set(names).sorted(), by: caller, act)
    }
}
