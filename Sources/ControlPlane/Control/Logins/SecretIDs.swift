import Mesh
import Postgres
import Store
package import Wire

/// What a secret id is bound to beside its role, and what the tokens of its logins tell.
package struct SecretIDBounds: Equatable, Sendable {
    /// From where it may be used; empty for everywhere.
    package var ranges: [String] = []
    /// From where its tokens may be used; empty for what the role says.
    package var tokenRanges: [String] = []
    package var metadata: [String: String] = [:]
    /// How many uses it was made for; zero for as often as one likes.
    package var uses: Int64 = 0
    package var lifetimeSeconds: Int64 = 0

    package init() {}

    /// As it is stored.
    var document: Document {
        .fields([
            "cidr_list": .list(ranges),
            "token_bound_cidrs": .list(tokenRanges),
            "metadata": .map(metadata),
            "num_uses": .number(uses),
            "ttl": .number(lifetimeSeconds),
        ])
    }

    /// Nil for what no server wrote.
    init?(_ document: Document) {
        guard let uses = document["num_uses"]?.integer, let lifetime = document["ttl"]?.integer
        else { return nil }
        ranges = document["cidr_list"]?.items?.compactMap(\.text) ?? []
        tokenRanges = document["token_bound_cidrs"]?.items?.compactMap(\.text) ?? []
        for entry in document["metadata"]?.entries ?? [] {
            metadata[entry.key] = entry.value.text ?? ""
        }
        self.uses = uses
        lifetimeSeconds = lifetime
        guard self.document == document else { return nil }
    }
}

/// A secret id that is asked for.
package struct SecretIDRequest: Equatable, Sendable {
    /// Nil for one that the server makes.
    package var secret: String?
    /// Of the bounds, `uses` and `lifetimeSeconds` are zero for what the role says.
    package var bounds = SecretIDBounds()

    package init() {}
}

/// A secret id that was made; the only time that anybody sees it.
package struct MadeSecretID: Sendable {
    package let secret: String
    package let accessor: String
    package let lifetimeSeconds: Int64
    package let uses: Int64
}

/// The secret ids of roles: stored as keyed digests only, counted and ended one by one.
package struct SecretIDs: Sendable {
    /// What a chosen one may have, in bytes: shorter ones are guessed.
    package static let chosenBytes = 16...512
    /// The most of one role that have not expired.
    package static let countMax: Int64 = 10_000

    private static let prefix = "tps."
    private static let secretByteCount = 32
    /// Of a use that somebody else took first.
    static let spent = ControlError.invalid("auth.secret_id_spent", field: "", "it is used up")

    private let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// The keyed digests of a secret id of one role.
    func hmacs(of secret: String, _ role: String) -> [[UInt8]] {
        control.keyring.hmacs(of: Array(secret.utf8), label: "secret-id/\(role)")
    }

    // MARK: Making

    /// Makes one for a role, or takes one that was chosen.
    package func make(
        _ request: SecretIDRequest,
        role name: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> MadeSecretID {
        let path = AppRole.path(name, at: mount)
        if let chosen = request.secret, !Self.chosenBytes.contains(chosen.utf8.count) {
            throw Self.wrong(
                "secret_id",
                "must have \(Self.chosenBytes.lowerBound) to \(Self.chosenBytes.upperBound) bytes"
            )
        }
        let random = control.surroundings.randomBytes(Self.secretByteCount)
        let secret = request.secret ?? Self.prefix + Base64URL.encode(random)
        let accessor = control.makeID()
        return try await control.act(
            caller,
            action: "auth.secret_id",
            resource: "\(path)/secret-id"
        ) { act in
            try await ClusterRepository.shareIdentity(in: act.database)
            let (role, identity) = try await role(path, act)
            let bounds = try Self.bounds(request.bounds, of: role)
            let row = SecretIDRow(
                accessor: accessor,
                role: identity,
                rolePath: path,
                secretHMAC: hmacs(of: secret, role.identity).first ?? [],
                usesLeft: bounds.uses > 0 ? bounds.uses : nil,
                document: bounds.document,
                createdAt: act.at,
                expiresAt: act.at + .seconds(bounds.lifetimeSeconds),
                createdBy: caller.principal
            )
            try await check(row, hmacs(of: secret, role.identity), act)
            try await SecretIDRepository.insert(row, guardedBy: control.rowGuard, in: act.database)
            act.describe([
                "accessor": .string(accessor.description),
                "num_uses": .number(bounds.uses),
                "expires_at": .timestamp(row.expiresAt),
            ])
            return MadeSecretID(
                secret: secret,
                accessor: accessor.description,
                lifetimeSeconds: bounds.lifetimeSeconds,
                uses: bounds.uses
            )
        }
    }

    private func role(
        _ path: String,
        _ act: AuditedTransaction
    ) async throws -> (AppRole, UUIDv7) {
        let row = try await AuthEntryRepository.find(
            [path],
            guardedBy: control.rowGuard,
            in: act.database
        ).first { $0.kind == .appRole }
        guard let role = row.flatMap({ AppRole($0.document) }) else { throw Self.noRole }
        guard role.bindsSecretID else {
            throw Self.wrong("role", "has no secret ids: bind_secret_id is false")
        }
        return (role, try UUIDv7(parsing: role.identity))
    }

    private func check(
        _ row: SecretIDRow,
        _ hmacs: [[UInt8]],
        _ act: AuditedTransaction
    ) async throws {
        let same = try await SecretIDRepository.find(
            anyHMAC: hmacs,
            guardedBy: control.rowGuard,
            in: act.database
        )
        guard same == nil else {
            throw Self.wrong("secret_id", "is a secret id of the role already")
        }
        let count = try await SecretIDRepository.count(of: row.role, in: act.database)
        guard count < Self.countMax else {
            throw Self.wrong("role", "has \(Self.countMax) secret ids already: destroy some")
        }
    }

    /// What is asked for within what the role allows.
    private static func bounds(
        _ asked: SecretIDBounds,
        of role: AppRole
    ) throws(ControlError) -> SecretIDBounds {
        var bounds = asked
        try cover(asked.ranges, role.secretRanges, "cidr_list")
        try cover(asked.tokenRanges, role.grant.boundCIDRs, "token_bound_cidrs")
        let longest = role.secretLifetime.components.seconds
        guard asked.lifetimeSeconds <= longest else {
            throw wrong("ttl", "must not be greater than the role's, \(longest) s")
        }
        if asked.lifetimeSeconds == 0 { bounds.lifetimeSeconds = longest }
        if role.secretUses > 0 {
            guard asked.uses <= role.secretUses else {
                throw wrong("num_uses", "must not be greater than the role's, \(role.secretUses)")
            }
            if asked.uses == 0 { bounds.uses = role.secretUses }
        }
        guard asked.metadata.count <= ChildTokenRequest.metaMax,
            asked.metadata.allSatisfy({
                $0.utf8.count + $1.utf8.count <= ChildTokenRequest.metaBytesMax
            })
        else { throw wrong("metadata", "must have fewer and shorter entries") }
        return bounds
    }

    /// Refuses ranges that do not lie in those of the role.
    private static func cover(
        _ texts: [String],
        _ outer: [String],
        _ field: String
    ) throws(ControlError) {
        guard !outer.isEmpty else { return }
        let allowed = outer.compactMap { try? AddressRange($0) }
        for text in texts {
            guard let range = try? AddressRange(text), allowed.contains(where: { $0.covers(range) })
            else { throw wrong(field, "must lie within what the role allows") }
        }
    }

    // MARK: Looking and ending

    /// The accessors of those of a role that have not expired.
    package func accessors(
        role name: String,
        at mount: String
    ) async throws(ControlError) -> [String] {
        let role = try await identity(name, mount)
        return try await control.read { database in
            try await SecretIDRepository.accessors(of: role, in: database).map(\.description)
        }
    }

    /// Which one is meant.
    package enum Name: Sendable {
        case secret(String)
        case accessor(UUIDv7)
    }

    /// One as clients of Vault see it; nil where the role has none.
    package func find(
        _ name: Name,
        role: String,
        at mount: String
    ) async throws(ControlError) -> Document? {
        let identity = try await identity(role, mount)
        let row = try await control.read { database in
            try await find(name, identity, in: database)
        }
        guard let row, let bounds = SecretIDBounds(row.document) else { return nil }
        return .fields([
            "secret_id_accessor": .string(row.accessor.description),
            "secret_id_num_uses": .number(row.usesLeft ?? 0),
            "secret_id_ttl": .number(bounds.lifetimeSeconds),
            "creation_time": .timestamp(row.createdAt),
            "expiration_time": .timestamp(row.expiresAt),
            "last_updated_time": .timestamp(row.createdAt),
            "metadata": .map(bounds.metadata),
            "cidr_list": .list(bounds.ranges),
            "token_bound_cidrs": .list(bounds.tokenRanges),
        ])
    }

    /// Ends one; false where the role has none.
    package func destroy(
        _ name: Name,
        role: String,
        at mount: String,
        by caller: Caller
    ) async throws(ControlError) -> Bool {
        let identity = try await identity(role, mount)
        let path = AppRole.path(role, at: mount)
        return try await control.act(caller, action: "auth.secret_id_end", resource: path) { act in
            guard let row = try await find(name, identity, in: act.database) else {
                act.conclude(outcome: "unchanged")
                return false
            }
            try await SecretIDRepository.lock(row.accessor, in: act.database)
            try await SecretIDRepository.delete(row.accessor, in: act.database)
            act.concern(row.resource)
            act.describe(["uses_left": 0, "role": .string(path)])
            return true
        }
    }

    private func find(
        _ name: Name,
        _ role: UUIDv7,
        in database: PostgresTransaction
    ) async throws -> SecretIDRow? {
        switch name {
        case .accessor(let accessor):
            return try await SecretIDRepository.find(
                accessor,
                of: role,
                guardedBy: control.rowGuard,
                in: database
            )
        case .secret(let secret):
            return try await SecretIDRepository.find(
                anyHMAC: hmacs(of: secret, role.description),
                guardedBy: control.rowGuard,
                in: database
            )
        }
    }

    private func identity(_ name: String, _ mount: String) async throws(ControlError) -> UUIDv7 {
        let role = try await control.loginRoles(AppRole.self).find(name, at: mount)
        guard let text = role?.identity, let identity = try? UUIDv7(parsing: text) else {
            throw Self.noRole
        }
        return identity
    }

    // MARK: Use

    /// Takes one use within the transaction that makes the token; two logins never take the same.
    func use(_ seen: SecretIDRow, _ act: AuditedTransaction) async throws {
        try await SecretIDRepository.lock(seen.accessor, in: act.database)
        let found = try await SecretIDRepository.find(
            seen.accessor,
            of: seen.role,
            guardedBy: control.rowGuard,
            in: act.database
        )
        guard var row = found, row.expiresAt > act.at else { throw Self.spent }
        guard let left = row.usesLeft else { return }
        row.usesLeft = left - 1
        if left > 1 {
            try await SecretIDRepository.update(row, guardedBy: control.rowGuard, in: act.database)
        } else {
            try await SecretIDRepository.delete(row.accessor, in: act.database)
        }
        // By this a row that is put back is known for what it is.
        var record = control.server.entry(action: "auth.secret_id_use", resource: row.resource)
        record.detail = ["uses_left": .number(left - 1), "role": .string(row.rolePath)]
        act.audit(record)
    }

    private static let noRole = ControlError.notFound(
        Complaint("auth.not_found", "there is no such role")
    )

    private static func wrong(_ field: String, _ problem: String) -> ControlError {
        .invalid("auth.secret_id", field: field, problem)
    }
}

extension ControlPlane {
    /// The secret ids of roles.
    package var secretIDs: SecretIDs { SecretIDs(self) }
}
