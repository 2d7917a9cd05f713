package import Mesh
package import Store
package import Wire

/// What a client of Vault writes about a profile, which it calls a role; what is nil stays as it is.
package struct ProfileChange: Sendable {
    package var target: TargetName?
    package var creation: [String]?
    package var revocation: [String]?
    /// What clients of Vault do not know: the role that leased ones are members of, in place of
    /// statements.
    package var groupRole: String?
    package var ownerRole: String?
    package var settings: [String: String]?
    package var connectionLimit: Int?
    package var leasesMax: Int?
    /// Zero for what is usual.
    package var defaultTTL: Duration?
    package var maxTTL: Duration?

    package init() {}
}

extension Profiles {
    /// Creates or changes a profile as clients of Vault do; its trial is that of every profile.
    ///
    /// - Returns: what became otherwise than asked.
    package func change(
        _ name: ProfileName,
        _ change: ProfileChange,
        by caller: Caller
    ) async throws(ControlError) -> [String] {
        let known = try await control.read { database in
            try await ProfileRepository.find(name, guardedBy: control.rowGuard, in: database)
        }
        guard let target = change.target ?? known?.profile.target else {
            throw .invalid("profile.target", field: "db_name", "is required")
        }
        var warnings: [String] = []
        let (usual, most) = try Self.terms(change, known?.profile, &warnings)
        let profile = LeaseProfile(
            name: name,
            target: target,
            plan: try Self.plan(change, known?.profile.plan),
            defaultTTL: usual,
            maxTTL: most,
            leasesMax: change.leasesMax ?? known?.profile.leasesMax
                ?? LeaseProfile.leasesMaxDefault
        )
        do throws(InvalidField) {
            try profile.validate()
        } catch {
            throw .invalid("profile.invalid", error)
        }
        let version = known?.version
        _ = try await put(profile, if: { $0 == version }, by: caller)
        return warnings
    }

    private static func terms(
        _ change: ProfileChange,
        _ known: LeaseProfile?,
        _ warnings: inout [String]
    ) throws(ControlError) -> (usual: Duration, most: Duration) {
        let longest = LeaseProfile.lifetimes.upperBound
        let asked = (usual: change.defaultTTL, most: change.maxTTL)
        if let usual = asked.usual, let most = asked.most, most > .zero, usual > most {
            throw .invalid("profile.invalid", field: "default_ttl", "must not exceed max_ttl")
        }
        var most = asked.most ?? known?.maxTTL ?? longest
        if most == .zero { most = longest }
        if most > longest {
            warnings.append(cut("max_ttl", most))
            most = longest
        }
        var usual = asked.usual ?? known?.defaultTTL ?? .zero
        if usual == .zero { usual = min(LeaseProfile.defaultTTL, most) }
        if usual > most {
            warnings.append(cut("default_ttl", usual, to: most))
            usual = most
        }
        return (usual, most)
    }

    private static func cut(
        _ field: String,
        _ asked: Duration,
        to most: Duration = LeaseProfile.lifetimes.upperBound
    ) -> String {
        "\(field): \(DurationText.format(asked)) was asked for; no lease of this profile lives longer"
            + " than \(DurationText.format(most))"
    }

    private static func plan(
        _ change: ProfileChange,
        _ known: LeaseProfile.Plan?
    ) throws(ControlError) -> LeaseProfile.Plan {
        let isRaw = change.creation.map { !$0.isEmpty } ?? false
        if isRaw, change.groupRole != nil {
            throw .invalid(
                "profile.invalid",
                field: "creation_statements",
                "say how a role is made: leave group_role out, or the statements"
            )
        }
        if !isRaw, change.groupRole == nil, case .raw(var raw)? = known {
            raw.revocation = change.revocation ?? raw.revocation
            return .raw(raw)
        }
        if isRaw {
            var revocation: [String] = []
            if case .raw(let raw)? = known { revocation = raw.revocation }
            return .raw(
                LeaseProfile.Raw(
                    creation: change.creation ?? [],
                    revocation: change.revocation ?? revocation
                )
            )
        }
        var old: LeaseProfile.Managed?
        if case .managed(let managed)? = known { old = managed }
        guard let group = change.groupRole ?? old?.groupRole else {
            throw .invalid(
                "profile.invalid",
                field: "creation_statements",
                "is required, or group_role: the role of which leased ones are members"
            )
        }
        guard change.revocation?.isEmpty ?? true else {
            throw .invalid(
                "profile.invalid",
                field: "revocation_statements",
                "stand beside creation_statements only: a member of a group is ended without"
            )
        }
        if old?.groupRole != group { old = nil }
        return .managed(
            LeaseProfile.Managed(
                groupRole: group,
                ownerRole: change.ownerRole ?? old?.ownerRole,
                settings: change.settings.map(sorted) ?? old?.settings ?? [],
                connectionLimit: change.connectionLimit ?? old?.connectionLimit
                    ?? LeaseProfile.connectionLimitDefault
            )
        )
    }

    private static func sorted(_ settings: [String: String]) -> [LeaseProfile.Setting] {
        settings.sorted { $0.key < $1.key }
            .map { LeaseProfile.Setting(name: $0.key, value: $0.value) }
    }

    /// The names of all profiles, at most `Leases.namesMax` and a page more.
    package func names() async throws(ControlError) -> [String] {
        var names: [String] = []
        var after: String?
        repeat {
            let page = try await list(after: after, limit: 1_000)
            names += page.items.map(\.profile.name.text)
            after = page.next
        } while after != nil && names.count < Leases.namesMax
        return names
    }
}

extension ProfileRow {
    /// The profile as a client of Vault reads it.
    package var roleDocument: Document {
        var document = Document.fields([
            "db_name": .string(profile.target.text),
            "creation_statements": .list([Document]()),
            "revocation_statements": .list([Document]()),
            "rollback_statements": .list([Document]()),
            "renew_statements": .list([Document]()),
            "default_ttl": .number(profile.defaultTTL.components.seconds),
            "max_ttl": .number(profile.maxTTL.components.seconds),
            "credential_type": "password",
            "credential_config": .null,
        ])
        let native = profile.document
        for name in [
            "creation_statements", "revocation_statements", "group_role", "owner_role", "settings",
            "connection_limit", "leases_max",
        ] {
            if let value = native[name] { document.set(name, value) }
        }
        return document
    }
}
