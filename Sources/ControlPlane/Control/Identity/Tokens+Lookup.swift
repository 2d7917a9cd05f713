package import Mesh
import Postgres
package import Store
package import Wire

extension Tokens {
    /// What a token may do, by its text; refused when it does not live.
    package func policies(of token: String) async throws(ControlError) -> [AccessPolicy] {
        try await policies(behind: accessor(of: token))
    }

    /// What the token with a public name may do; refused when it does not live.
    package func policies(behind accessor: UUIDv7) async throws(ControlError) -> [AccessPolicy] {
        let row = try await look(at: accessor).row
        return try await control.read { database in
            try await control.policies.resolve(row.policies, in: database)
        }
    }

    /// The token with a public name and the time; refused unless it and all above it live.
    ///
    /// `isOwn` says that the token itself asks, which may have been its last use.
    package func look(
        at accessor: UUIDv7,
        isOwn: Bool = false
    ) async throws(ControlError) -> (row: TokenRow, at: Timestamp) {
        try await control.read { database in
            let row = try await TokenRepository.find(
                accessor: accessor,
                guardedBy: control.rowGuard,
                in: database
            )
            let now = try await ServerRepository.time(in: database)
            guard let row else { throw Self.unknown }
            var judged = row
            if isOwn { judged.traits?.usesLeft = nil }
            guard try await isLive(judged, at: now, in: database) else { throw Self.unknown }
            return (row, now)
        }
    }

    /// The public name of a token; refused unless there is such a one.
    package func accessor(of token: String) async throws(ControlError) -> UUIDv7 {
        guard let secret = TokenText.secret(of: token) else { throw Self.unknown }
        let hmacs = control.keyring.hmacs(of: secret, label: TokenText.label)
        let row = try await control.read { database in
            try await TokenRepository.find(
                anyHMAC: hmacs,
                guardedBy: control.rowGuard,
                in: database
            ).token
        }
        guard let row else { throw Self.unknown }
        return row.accessor
    }

    /// Whether a token and all above it live.
    func isLive(
        _ row: TokenRow,
        at now: Timestamp,
        in database: PostgresTransaction
    ) async throws(PostgresError) -> Bool {
        guard row.isLive(at: now) else { return false }
        let above = try await TokenRepository.ancestors(
            of: row,
            guardedBy: control.rowGuard,
            in: database
        )
        return Self.isWhole(above, of: row) && above.allSatisfy { $0.isLive(at: now) }
    }

    /// The public names of all live tokens, in order of creation, at most `accessorsMax`.
    package func accessors() async throws(ControlError) -> [UUIDv7] {
        var accessors: [UUIDv7] = []
        var after: UUIDv7?
        repeat {
            let (page, now) = try await control.read { database in
                let page = try await TokenRepository.list(
                    after: after,
                    limit: TokenRepository.pageMax,
                    guardedBy: control.rowGuard,
                    in: database
                )
                return (page, try await ServerRepository.time(in: database))
            }
            accessors += page.items.filter { $0.isLive(at: now) }.map(\.accessor)
            after = page.next.flatMap { try? UUIDv7(parsing: $0) }
        } while after != nil && accessors.count < Self.accessorsMax
        return accessors
    }

    /// The most names that `accessors` gives, and a page more.
    private static var accessorsMax: Int { 100_000 }

    /// One sentence for what is malformed, unknown, expired and revoked.
    static var unknown: ControlError { .forbidden(Complaint("token.unknown", "bad token")) }
}

extension TokenRow {
    /// What a look-up answers; `id` is the token's text where whoever asks has shown it.
    package func lookup(id: String, at now: Timestamp) -> Document {
        let life =
            traits?.lifetimeSeconds ?? expiresAt.duration(since: createdAt).components.seconds
        let meta = traits?.meta ?? [:]
        return .fields([
            "id": .string(id),
            "accessor": .string(accessor.description),
            "path": .string(traits?.path ?? "auth/token/create"),
            "display_name": .string(displayName),
            "policies": .list(policies),
            "identity_policies": .list([Document]()),
            "meta": meta.isEmpty ? .null : .map(meta),
            "entity_id": "",
            "creation_time": .number(createdAt.secondsSinceEpoch),
            "creation_ttl": .number(life),
            "ttl": .number(max(0, expiresAt.duration(since: now).components.seconds)),
            "explicit_max_ttl": .number(traits?.explicitMaxSeconds ?? 0),
            "issue_time": .timestamp(createdAt),
            "expire_time": .timestamp(expiresAt),
            "num_uses": .number(traits?.usesLeft ?? 0),
            "orphan": .bool(traits?.parent == nil),
            "renewable": .bool(traits?.isRenewable ?? false),
            "bound_cidrs": (traits?.boundCIDRs).flatMap { $0.isEmpty ? nil : .list($0) },
            "bound_certificate": (traits?.certificate).map { .string($0) },
            "type": "service",
        ])
    }
}

extension GrantedToken {
    /// The `auth` block; `text` is the token where its holder has it already.
    package func auth(_ text: String) -> Document {
        let meta = row.traits?.meta ?? [:]
        return .fields([
            "client_token": .string(text),
            "accessor": .string(row.accessor.description),
            "policies": .list(row.policies),
            "token_policies": .list(row.policies),
            "identity_policies": .list([Document]()),
            "metadata": meta.isEmpty ? .null : .map(meta),
            "lease_duration": .number(row.expiresAt.duration(since: at).components.seconds),
            "renewable": .bool(row.traits?.isRenewable ?? false),
            "entity_id": "",
            "token_type": "service",
            "orphan": .bool(row.traits?.parent == nil),
            "num_uses": .number(row.traits?.usesLeft ?? 0),
            "mfa_requirement": .null,
        ])
    }
}
