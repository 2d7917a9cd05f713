import Mesh
package import Store
package import Wire

/// What a token shall be that a token makes.
package struct ChildTokenRequest: Equatable, Sendable {
    package static let lifetimes: ClosedRange<Duration> = .seconds(1)...(.seconds(365 * 86_400))
    package static let usesMax: Int64 = 1_000_000_000
    package static let metaMax = 64
    package static let metaBytesMax = 512
    package static let rangesMax = 32

    package var displayName = "token"
    /// Nil for those of its maker.
    package var policies: [String]?
    package var lifetime: Duration?
    package var explicitMaxLifetime: Duration?
    package var isRenewable = true
    /// 0 for as often as one likes.
    package var uses: Int64 = 0
    package var boundCIDRs: [String] = []
    package var meta: [String: String] = [:]
    /// Whether it outlives its maker.
    package var isOrphan = false
    /// The path that makes it.
    package var path = "auth/token/create"
    /// The role by which it is made; nil for none.
    package var role: String?

    package init() {}

    fileprivate func check() throws(ControlError) {
        if displayName.isEmpty || displayName.utf8.count > TokenRequest.displayNameBytesMax
            || !Text.isPrintable(displayName)
        {
            throw Self.wrong(
                "display_name",
                "must be 1 to \(TokenRequest.displayNameBytesMax) printable bytes"
            )
        }
        if let policies, policies.count > TokenRequest.policiesMax {
            throw Self.wrong("policies", "must name at most \(TokenRequest.policiesMax) policies")
        }
        guard meta.allSatisfy({ !$0.utf8.contains(0) && !$1.utf8.contains(0) }) else {
            throw Self.wrong("meta", "must not hold NUL")
        }
        guard meta.count <= Self.metaMax,
            meta.allSatisfy({ $0.utf8.count + $1.utf8.count <= Self.metaBytesMax })
        else {
            throw Self.wrong(
                "meta",
                "must have at most \(Self.metaMax) entries of \(Self.metaBytesMax) bytes"
            )
        }
        guard boundCIDRs.count <= Self.rangesMax else {
            throw Self.wrong("bound_cidrs", "must have at most \(Self.rangesMax) ranges")
        }
    }

    fileprivate static func wrong(_ field: String, _ problem: String) -> ControlError {
        .invalid("token.invalid", field: field, problem)
    }
}

/// A token that was just made or renewed.
package struct GrantedToken: Sendable {
    package let row: TokenRow
    /// The only copy of its text; empty where its holder has it already.
    package let text: String
    /// By the database's clock.
    package let at: Timestamp
    /// What became otherwise than asked.
    package let warnings: [String]
}

extension Tokens {
    /// Makes a token as a child of the caller's: it ends with it, in the same commit.
    package func create(
        _ request: ChildTokenRequest,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        try request.check()
        let accessor = control.makeID()
        let secret = control.surroundings.randomBytes(TokenText.secretByteCount)
        let granted = try await control.act(
            caller,
            action: "token.create",
            resource: "tokens/\(accessor)"
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let maker = try await liveMaker(caller, act)
            var warnings: [String] = []
            let (request, vetted) = try await control.tokenRoles.applied(
                to: request,
                &warnings,
                act
            )
            let names = try policyNames(request, maker, &warnings)
            try await control.tokenRoles.check(names, for: request, act)
            try await checkGrant(names.filter { !vetted.contains($0) }, by: caller, act)
            let traits = try await traits(request, maker, act, &warnings)
            let row = TokenRow(
                accessor: accessor,
                tokenHMAC: control.keyring.hmacs(of: secret, label: TokenText.label).first ?? [],
                displayName: request.displayName,
                kind: .service,
                policies: names,
                createdAt: act.at,
                expiresAt: Self.whole(act.at + .seconds(traits.lifetimeSeconds)),
                createdBy: caller.principal,
                traits: traits
            )
            try await TokenRepository.insert(row, guardedBy: control.rowGuard, in: act.database)
            if row.policies.contains(BuiltInPolicies.adminName) {
                try await endBootstrap(act, caller)
            }
            act.describe(Self.summary(row))
            return GrantedToken(
                row: row,
                text: TokenText.text(of: secret),
                at: act.at,
                warnings: warnings
            )
        }
        control.principals.flush()
        return granted
    }

    /// Moves the end of a token to `increment` from now, as far as its bounds allow.
    package func renew(
        _ accessor: UUIDv7,
        increment: Duration?,
        by caller: Caller
    ) async throws(ControlError) -> GrantedToken {
        let granted = try await control.act(
            caller,
            action: "token.renew",
            resource: "tokens/\(accessor)"
        ) { act in
            try await ClusterRepository.lockIdentity(in: act.database)
            let found = try await TokenRepository.lock(
                accessor: accessor,
                guardedBy: control.rowGuard,
                in: act.database
            )
            guard var row = found, row.isLive(at: act.at) else { throw Self.unknown }
            guard let traits = row.traits, traits.isRenewable else {
                throw ControlError.invalid(
                    "token.not_renewable",
                    field: "",
                    "lease is not renewable"
                )
            }
            let above = try await liveAncestors(of: row, act)
            var warnings: [String] = []
            let wanted = increment ?? .seconds(traits.lifetimeSeconds)
            var end = act.at + wanted
            if end > traits.maxExpiresAt {
                end = traits.maxExpiresAt
                warnings.append("the longest life of the token ends before what was asked")
            }
            if let parent = above.first, end > parent.expiresAt {
                end = parent.expiresAt
                warnings.append("the parent's token ends before what was asked")
            }
            row.expiresAt = Self.whole(end)
            try await TokenRepository.update(row, guardedBy: control.rowGuard, in: act.database)
            act.describe(["expires_at": .timestamp(row.expiresAt)])
            return GrantedToken(row: row, text: "", at: act.at, warnings: warnings)
        }
        control.principals.flush()
        return granted
    }

    /// The tokens above one; refused unless all of them live.
    func liveAncestors(
        of row: TokenRow,
        _ act: AuditedTransaction
    ) async throws -> [TokenRow] {
        let above = try await TokenRepository.ancestors(
            of: row,
            guardedBy: control.rowGuard,
            in: act.database
        )
        guard Self.isWhole(above, of: row), above.allSatisfy({ $0.isLive(at: act.at) }) else {
            throw Self.unknown
        }
        return above
    }

    /// Whether a chain of ancestors reaches an orphan, none left out.
    static func isWhole(_ above: [TokenRow], of row: TokenRow) -> Bool {
        (above.last ?? row).traits?.parent == nil && above.count <= TokenRepository.ancestorsMax
    }

    /// Refuses a caller whose token has ended meanwhile, or one above it.
    ///
    /// Callers without a token are the server's own. What is lasting outlives the request, so that the
    /// last use of a token, which ends with it, is none for that.
    ///
    /// - Returns: the principal of the token at the top of the tree, for bounds that children share.
    func checkLives(
        _ caller: Caller,
        _ act: AuditedTransaction,
        isLasting: Bool = false
    ) async throws -> String {
        guard let accessor = caller.accessor else { return caller.principal }
        // Whoever ends tokens holds the lock of this row until its commit.
        try await ClusterRepository.shareIdentity(in: act.database)
        let found = try await TokenRepository.find(
            accessor: accessor,
            guardedBy: control.rowGuard,
            in: act.database
        )
        guard var row = found else { throw Self.unknown }
        if isLasting, row.traits?.usesLeft == 0 {
            throw ControlError.invalid(
                "token.last_use",
                field: "",
                "this was the last use of the token, with which what it leases would end at once"
            )
        }
        // This very request may be the last use of a token that has a count.
        row.traits?.usesLeft = nil
        guard row.isLive(at: act.at) else { throw Self.unknown }
        guard let top = try await liveAncestors(of: row, act).last else { return caller.principal }
        return "token/\(top.accessor)"
    }

    /// Refuses a maker that has ended meanwhile, and one with bounds of its own: what it makes here
    /// would stand alone, without them.
    func checkMaker(_ caller: Caller, _ act: AuditedTransaction) async throws {
        guard caller.accessor != nil else { return }
        let maker = try await liveMaker(caller, act)
        _ = try await liveAncestors(of: maker, act)
        guard maker.traits?.parent == nil, maker.traits?.boundCIDRs.isEmpty ?? true,
            maker.traits?.certificate == nil
        else {
            throw ControlError.forbidden(
                Complaint(
                    "token.bounded",
                    "a token with a parent or a bound makes children of its own, by"
                        + " auth/token/create, and no token that stands alone"
                )
            )
        }
    }

    private func liveMaker(
        _ caller: Caller,
        _ act: AuditedTransaction
    ) async throws -> TokenRow {
        guard let accessor = caller.accessor else { throw Self.unknown }
        let found = try await TokenRepository.find(
            accessor: accessor,
            guardedBy: control.rowGuard,
            in: act.database
        )
        guard let maker = found else { throw Self.unknown }
        guard maker.traits?.usesLeft == nil else {
            throw ControlError.invalid(
                "token.restricted",
                field: "",
                "restricted use token cannot generate child tokens"
            )
        }
        guard maker.isLive(at: act.at) else { throw Self.unknown }
        return maker
    }

    private func policyNames(
        _ request: ChildTokenRequest,
        _ maker: TokenRow,
        _ warnings: inout [String]
    ) throws -> [String] {
        var names: [String] = []
        for name in request.policies ?? [] {
            let name = name.lowercased()
            if !names.contains(name) { names.append(name) }
        }
        if names.contains("default") {
            names.removeAll { $0 == "default" }
            warnings.append("there is no policy default: what it allows, every token may")
        }
        if names.isEmpty { names = maker.policies }
        return names
    }

    private func traits(
        _ request: ChildTokenRequest,
        _ maker: TokenRow,
        _ act: AuditedTransaction,
        _ warnings: inout [String]
    ) async throws -> TokenTraits {
        var isOrphan = request.isOrphan
        if !isOrphan, maker.kind == .bootstrap {
            isOrphan = true
            warnings.append("the bootstrap token has no children: the token is an orphan")
        }
        let above = isOrphan ? [] : [maker] + (try await liveAncestors(of: maker, act))
        guard above.count <= TokenRepository.ancestorsMax else {
            throw ControlError.invalid(
                "token.too_deep",
                field: "",
                "a token has at most \(TokenRepository.ancestorsMax) ancestors: make an orphan"
            )
        }
        let longest = request.explicitMaxLifetime ?? ChildTokenRequest.lifetimes.upperBound
        let asked = request.lifetime ?? TokenRequest.lifetimeDefault
        var lifetime = min(asked, longest)
        if lifetime < asked, request.lifetime != nil {
            warnings.append("the longest life of the token ends before what was asked")
        }
        if let parent = above.first {
            let left = parent.expiresAt.duration(since: act.at)
            if left < lifetime {
                lifetime = left
                warnings.append("the parent's token ends before what was asked")
            }
        }
        return TokenTraits(
            parent: above.first?.accessor,
            isRenewable: request.isRenewable,
            lifetimeSeconds: max(1, lifetime.components.seconds),
            explicitMaxSeconds: request.explicitMaxLifetime?.components.seconds ?? 0,
            maxExpiresAt: Self.whole(act.at + longest),
            usesLeft: request.uses > 0 ? request.uses : nil,
            boundCIDRs: try ranges(request.boundCIDRs, within: maker.traits?.boundCIDRs ?? []),
            meta: request.meta,
            path: request.path,
            certificate: maker.traits?.certificate
        )
    }

    /// A token reaches no further than its maker.
    private func ranges(_ asked: [String], within bounds: [String]) throws -> [String] {
        guard !asked.isEmpty else { return bounds }
        var ranges: [AddressRange] = []
        for text in asked {
            do {
                ranges.append(try AddressRange(text))
            } catch {
                throw ChildTokenRequest.wrong("bound_cidrs", error.description)
            }
        }
        let outer = bounds.compactMap { try? AddressRange($0) }
        guard
            bounds.isEmpty
                || ranges.allSatisfy({ range in outer.contains { $0.covers(range) } })
        else {
            throw ChildTokenRequest.wrong("bound_cidrs", "must lie within those of the token used")
        }
        return ranges.map(\.description)
    }
}
