import Mesh
package import Store
package import Wire

/// What a new token shall be.
package struct TokenRequest: Equatable, Sendable {
    package static let displayNameBytesMax = 128
    package static let policiesMax = 32
    package static let lifetimes: ClosedRange<Duration> = .seconds(60)...(.seconds(365 * 86_400))
    package static let lifetimeDefault: Duration = .seconds(32 * 86_400)

    package let displayName: String
    package let policies: [String]
    package let lifetime: Duration

    package init(
        displayName: String,
        policies: [String],
        lifetime: Duration = lifetimeDefault
    ) {
        self.displayName = displayName
        self.policies = policies
        self.lifetime = lifetime
    }

    func check() throws(ControlError) {
        var problems: [FieldProblem] = []
        if displayName.isEmpty || displayName.utf8.count > Self.displayNameBytesMax
            || !Text.isPrintable(displayName)
        {
            problems.append(
                FieldProblem(
                    field: "display_name",
                    problem: "must be 1 to \(Self.displayNameBytesMax) printable bytes"
                )
            )
        }
        if policies.isEmpty || policies.count > Self.policiesMax {
            problems.append(
                FieldProblem(
                    field: "policies",
                    problem: "must name 1 to \(Self.policiesMax) policies"
                )
            )
        }
        if Set(policies).count != policies.count {
            problems.append(
                FieldProblem(field: "policies", problem: "must name each policy once")
            )
        }
        if !Self.lifetimes.contains(lifetime) {
            problems.append(
                FieldProblem(field: "ttl", problem: "must lie between 1m and 8760h")
            )
        }
        guard problems.isEmpty else {
            throw .invalid(
                Complaint("token.invalid", "the token cannot be made as asked"),
                fields: problems
            )
        }
    }
}

/// Who may call, by token; the token itself is shown once, when it is made.
package struct Tokens: Sendable {
    private static let bootstrapLifetime: Duration = .seconds(86_400)

    let control: ControlPlane

    init(_ control: ControlPlane) { self.control = control }

    /// Makes a token; the first administrator ends the bootstrap token.
    ///
    /// - Returns: the row, and the only copy of the token's text.
    package func create(
        _ request: TokenRequest,
        by caller: Caller
    ) async throws(ControlError) -> (token: TokenRow, text: String) {
        try request.check()
        let accessor = control.makeID()
        let secret = control.surroundings.randomBytes(TokenText.secretByteCount)
        let row = try await control.act(
            caller,
            action: "token.create",
            resource: "tokens/\(accessor)"
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            try await checkMaker(caller, act)
            try await checkGrant(request.policies, by: caller, act)
            let row = TokenRow(
                accessor: accessor,
                tokenHMAC: control.keyring.hmacs(of: secret, label: TokenText.label).first ?? [],
                displayName: request.displayName,
                kind: .service,
                policies: request.policies,
                createdAt: act.at,
                expiresAt: Self.whole(act.at + request.lifetime),
                createdBy: caller.principal
            )
            try await TokenRepository.insert(row, guardedBy: control.rowGuard, in: act.database)
            if row.policies.contains(BuiltInPolicies.adminName) {
                try await endBootstrap(act, caller)
            }
            act.describe(Self.summary(row))
            return row
        }
        control.principals.flush()
        return (row, TokenText.text(of: secret))
    }

    /// Ends a token at once and for ever; ending it again changes nothing.
    @discardableResult
    package func revoke(
        _ accessor: UUIDv7,
        by caller: Caller
    ) async throws(ControlError) -> TokenRow {
        let row = try await control.act(
            caller,
            action: "token.revoke",
            resource: "tokens/\(accessor)"
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let found = try await TokenRepository.find(
                accessor: accessor,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard var row = found else { throw Self.notFound(accessor) }
            guard row.revokedAt == nil else {
                try await endLeases(of: accessor, act)
                act.conclude(outcome: "unchanged")
                return row
            }
            let below = try await TokenRepository.lockDescendants(
                of: accessor,
                guardedBy: control.rowGuard,
                in: act.database
            )
            try await checkAdministratorRemains(without: [row] + below, act)
            row.revokedAt = act.at
            try await TokenRepository.update(row, guardedBy: control.rowGuard, in: act.database)
            try await endLeases(of: accessor, act)
            try await CubbyholeRepository.empty(of: accessor, in: act.database)
            // Those of all below it are ended too, of which the rows may be too many for one commit.
            for child in below { try await end(child, because: "parent_revoked", caller, act) }
            act.describe(Self.summary(row))
            return row
        }
        control.principals.flush()
        return row
    }

    /// One token by its public name.
    package func find(_ accessor: UUIDv7) async throws(ControlError) -> TokenRow {
        let row = try await control.read { database in
            try await TokenRepository.find(
                accessor: accessor,
                guardedBy: control.rowGuard,
                in: database
            )
        }
        guard let row else { throw Self.notFound(accessor) }
        return row
    }

    /// One page in order of creation, after a token.
    package func list(
        after accessor: UUIDv7? = nil,
        limit: Int = 100
    ) async throws(ControlError) -> Page<TokenRow> {
        try await control.read { database in
            try await TokenRepository.list(
                after: accessor,
                limit: limit,
                guardedBy: control.rowGuard,
                in: database
            )
        }
    }

    // MARK: Rules

    /// A token for a cluster that nobody can administer; nil if somebody can.
    func bootstrap(in change: ChangeTransaction) async throws -> String? {
        try await ClusterRepository.lockIdentity(in: change.database)
        let administrators = try await TokenRepository.live(
            holding: BuiltInPolicies.adminName,
            at: change.at,
            guardedBy: control.rowGuard,
            in: change.database
        )
        guard administrators.isEmpty else { return nil }
        let secret = control.surroundings.randomBytes(TokenText.secretByteCount)
        let row = TokenRow(
            accessor: control.surroundings.makeID(change.at),
            tokenHMAC: control.keyring.hmacs(of: secret, label: TokenText.label).first ?? [],
            displayName: "bootstrap",
            kind: .bootstrap,
            policies: [BuiltInPolicies.adminName],
            createdAt: change.at,
            expiresAt: Self.whole(change.at + Self.bootstrapLifetime),
            createdBy: control.server.principal
        )
        try await TokenRepository.insert(row, guardedBy: control.rowGuard, in: change.database)
        var entry = control.server.entry(
            action: "token.create",
            resource: "tokens/\(row.accessor)",
            reason: "no_administrator"
        )
        entry.detail = Self.summary(row)
        change.audited.audit(entry)
        return TokenText.text(of: secret)
    }

    /// What a token leased ends with it, and what those below it leased.
    func endLeases(of accessor: UUIDv7, _ act: AuditedTransaction) async throws {
        _ = try await LeaseRepository.requestRevocation(
            of: .tokens(below: accessor),
            because: "token_revoked",
            in: act.database
        )
    }

    /// Ends one more token in the same commit, with a record of its own.
    func end(
        _ token: TokenRow,
        because reason: String,
        _ caller: Caller,
        _ act: AuditedTransaction
    ) async throws {
        var token = token
        token.revokedAt = act.at
        try await TokenRepository.update(token, guardedBy: control.rowGuard, in: act.database)
        try await CubbyholeRepository.empty(of: token.accessor, in: act.database)
        act.audit(
            caller.entry(
                action: "token.revoke",
                resource: "tokens/\(token.accessor)",
                reason: reason
            )
        )
    }

    func checkGrant(
        _ names: [String],
        by caller: Caller,
        _ act: AuditedTransaction
    ) async throws {
        let policies = try await control.policies.resolve(names, in: act.database)
        let unknown = names.filter { name in !policies.contains { $0.name == name } }
        guard unknown.isEmpty else {
            let text = unknown.map(Redaction.text).joined(separator: ", ")
            throw ControlError.invalid(
                "token.unknown_policy",
                field: "policies",
                "no policy is named \(text)"
            )
        }
        for policy in policies {
            try control.policies.checkGrant(policy, by: caller)
        }
    }

    /// The same for policies of which some may be gone, which then give nothing.
    func checkGrant(
        known names: [String],
        by caller: Caller,
        _ act: AuditedTransaction
    ) async throws {
        for policy in try await control.policies.resolve(names, in: act.database) {
            try control.policies.checkGrant(policy, by: caller)
        }
    }

    func endBootstrap(_ act: AuditedTransaction, _ caller: Caller) async throws {
        let administrators = try await TokenRepository.live(
            holding: BuiltInPolicies.adminName,
            at: act.at,
            guardedBy: control.rowGuard,
            in: act.database
        )
        for token in administrators where token.kind == .bootstrap {
            try await endLeases(of: token.accessor, act)
            try await end(token, because: "administrator_exists", caller, act)
        }
    }

    private func checkAdministratorRemains(
        without rows: [TokenRow],
        _ act: AuditedTransaction
    ) async throws {
        let ending = Set(rows.map(\.accessor))
        try await checkAdministratorRemains(act) { ending.contains($0.accessor) }
    }

    /// Refuses where all who administer have logged in by one way, which is about to be removed.
    func checkAdministratorRemains(
        withoutThoseMadeAt path: String,
        _ act: AuditedTransaction
    ) async throws {
        try await checkAdministratorRemains(act) { $0.traits?.path == path }
    }

    private func checkAdministratorRemains(
        _ act: AuditedTransaction,
        isEnding: (TokenRow) -> Bool
    ) async throws {
        let administrators = try await TokenRepository.live(
            holding: BuiltInPolicies.adminName,
            at: act.at,
            guardedBy: control.rowGuard,
            in: act.database
        )
        // Where nobody administers, nothing ends that did.
        guard administrators.contains(where: isEnding) else { return }
        guard administrators.contains(where: { !isEnding($0) }) else {
            throw ControlError.conflict(
                Complaint(
                    "token.last_administrator",
                    "this is the last administrator's token: make another token with the policy"
                        + " admin first"
                )
            )
        }
    }

    private static func notFound(_ accessor: UUIDv7) -> ControlError {
        .notFound(Complaint("token.not_found", "there is no token \(accessor)"))
    }

    /// To the microsecond that the database keeps, so that the MAC holds when it is read.
    static func whole(_ time: Timestamp) -> Timestamp {
        let rest = time.nanosecondsSinceEpoch % 1_000
        return Timestamp(nanosecondsSinceEpoch: time.nanosecondsSinceEpoch - rest)
    }

    static func summary(_ row: TokenRow) -> Document {
        .fields([
            "display_name": .string(row.displayName),
            "kind": .string(row.kind.rawValue),
            "policies": .list(row.policies),
            "expires_at": .timestamp(row.expiresAt),
        ])
    }
}

extension ControlPlane {
    /// Who may call, by token.
    package var tokens: Tokens { Tokens(self) }
}
