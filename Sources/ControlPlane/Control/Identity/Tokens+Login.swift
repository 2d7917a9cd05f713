import Mesh
import Store
import Wire

extension Tokens {
    /// What a login that was accepted gives.
    struct Login: Sendable {
        let mount: AuthMount
        /// The role as it was when the login was judged by it.
        let role: AuthEntryRow
        /// What the proof was verified by, as it was then; nil where that is no entry.
        var configuration: AuthEntryRow?
        let grant: TokenGrant
        let displayName: String
        let metadata: [String: String]
        /// The thumbprint of the certificate that the token is bound to; nil for none.
        var certificate: PresentedCertificate?
        /// What the token does not outlive, such as that certificate.
        var endsBefore: Timestamp?
        /// Uses up what counts once, within the transaction that makes the token.
        var consume: @Sendable (AuditedTransaction) async throws -> Void = { _ in }
    }

    /// Makes the token of a login, unless its role was changed or its mount removed meanwhile.
    func grant(_ login: Login, by caller: Caller) async throws(ControlError) -> GrantedToken {
        let accessor = control.makeID()
        let secret = control.surroundings.randomBytes(TokenText.secretByteCount)
        let resource = login.role.path
        let granted = try await control.act(
            caller,
            action: "auth.login",
            resource: resource
        ) { act in
            // Whoever changes the role or the mount holds this row's lock until its commit.
            let isAdministrator = login.grant.policies.contains(BuiltInPolicies.adminName)
            if isAdministrator {
                try await ClusterRepository.lockIdentity(in: act.database)
            } else {
                try await ClusterRepository.shareIdentity(in: act.database)
            }
            let paths = [resource, "auth/\(login.mount.path)", login.configuration?.path]
            let entries = try await AuthEntryRepository.find(
                paths.compactMap(\.self),
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard entries.contains(login.role),
                login.configuration.map(entries.contains) ?? true,
                entries.contains(where: { AuthMount($0) == login.mount })
            else {
                throw ControlError.conflict(
                    Complaint("auth.changed", "the role was changed meanwhile: log in again")
                )
            }
            try await login.consume(act)
            if let certificate = login.certificate,
                try await !certificate.isStanding(at: act.at, in: act.database)
            {
                throw ControlError.conflict(
                    Complaint("auth.changed", "the certificate was revoked meanwhile")
                )
            }
            // The first administrator ends the token that the server began with.
            if isAdministrator { try await endBootstrap(act, caller) }
            let row = row(of: login, accessor, secret, at: act.at)
            try await TokenRepository.insert(row, guardedBy: control.rowGuard, in: act.database)
            act.describe(
                [
                    "accessor": .string(accessor.description),
                    "display_name": .string(row.displayName),
                    "policies": .list(row.policies),
                    "expires_at": .timestamp(row.expiresAt),
                ]
            )
            return GrantedToken(
                row: row,
                text: TokenText.text(of: secret),
                at: act.at,
                warnings: []
            )
        }
        if login.grant.policies.contains(BuiltInPolicies.adminName) { control.principals.flush() }
        return granted
    }

    private func row(
        of login: Login,
        _ accessor: UUIDv7,
        _ secret: [UInt8],
        at now: Timestamp
    ) -> TokenRow {
        var lifetime = login.grant.lifetime
        if login.grant.lifetimeSeconds == 0, login.mount.defaultLifetimeSeconds > 0 {
            lifetime = min(.seconds(login.mount.defaultLifetimeSeconds), login.grant.longest)
        }
        var longest = login.grant.longest
        if login.mount.maxLifetimeSeconds > 0 {
            longest = min(longest, .seconds(login.mount.maxLifetimeSeconds))
        }
        if let end = login.endsBefore { longest = min(longest, end.duration(since: now)) }
        lifetime = min(lifetime, longest)
        let traits = TokenTraits(
            parent: nil,
            isRenewable: true,
            lifetimeSeconds: max(1, lifetime.components.seconds),
            explicitMaxSeconds: login.grant.explicitMaxSeconds,
            maxExpiresAt: Self.whole(now + longest),
            usesLeft: login.grant.uses > 0 ? login.grant.uses : nil,
            boundCIDRs: login.grant.boundCIDRs,
            meta: login.metadata,
            path: "auth/\(login.mount.path)/login",
            certificate: login.certificate?.thumbprint
        )
        return TokenRow(
            accessor: accessor,
            tokenHMAC: control.keyring.hmacs(of: secret, label: TokenText.label).first ?? [],
            displayName: Self.displayName(login.displayName),
            kind: .service,
            policies: login.grant.policies,
            createdAt: now,
            expiresAt: Self.whole(now + .seconds(traits.lifetimeSeconds)),
            createdBy: login.role.path,
            traits: traits
        )
    }

    /// As much of a name as a token takes.
    private static func displayName(_ text: String) -> String {
        var name = text
        while name.utf8.count > TokenRequest.displayNameBytesMax { name.removeLast() }
        return name
    }

    /// Ends some of the live tokens that a login gave; where to go on, nil once there are no more.
    func revokeSome(
        madeAt path: String,
        after accessor: UUIDv7?,
        by caller: Caller
    ) async throws(ControlError) -> UUIDv7? {
        let last = try await control.act(
            caller,
            action: "token.revoke",
            resource: path
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let (tokens, last) = try await TokenRepository.lockLive(
                .madeAt(path: path),
                after: accessor,
                at: act.at,
                guardedBy: control.rowGuard,
                in: act.database
            )
            try await end(tokens, because: "login_disabled", caller, act)
            if tokens.isEmpty { act.conclude(outcome: "unchanged") }
            return last
        }
        control.principals.flush()
        return last
    }

    /// Ends the tokens that are bound to certificates which are denied, with their leases, in the commit
    /// that denies these.
    func endDenied(by caller: Caller, _ act: AuditedTransaction) async throws {
        var last: UUIDv7?
        repeat {
            let found = try await TokenRepository.lockLive(
                .boundToDenied,
                after: last,
                at: act.at,
                guardedBy: control.rowGuard,
                in: act.database
            )
            try await end(found.tokens, because: "certificate_revoked", caller, act)
            last = found.last
        } while last != nil
    }

    private func end(
        _ tokens: [TokenRow],
        because reason: String,
        _ caller: Caller,
        _ act: AuditedTransaction
    ) async throws {
        var ended: Set<UUIDv7> = []
        for token in tokens where ended.insert(token.accessor).inserted {
            let below = try await TokenRepository.lockDescendants(
                of: token.accessor,
                guardedBy: control.rowGuard,
                in: act.database
            )
            try await end(token, because: reason, caller, act)
            try await endLeases(of: token.accessor, act)
            for child in below where ended.insert(child.accessor).inserted {
                try await end(child, because: "parent_revoked", caller, act)
            }
        }
    }
}
