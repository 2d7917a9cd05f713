import Crypto
package import Mesh
package import Store
package import Wire

extension TargetRow {
    /// The target's entity tag.
    package var entityVersion: Int64 { version }

    /// The target as the API shows it, without its password.
    package var document: Document {
        var document = target.document
        document.set(
            "decommissioned_at",
            decommissionedAt.map { Document.timestamp($0) } ?? Document.null
        )
        document.set("version", .number(version))
        document.set("created_at", .timestamp(createdAt))
        document.set("updated_at", .timestamp(updatedAt))
        document.set("created_by", .string(createdBy))
        return document
    }
}

extension ProfileRow {
    /// The profile's entity tag.
    package var entityVersion: Int64 { version }

    /// The profile as the API shows it.
    package var document: Document {
        var document = profile.document
        document.set("preflighted_at", .timestamp(preflightedAt))
        document.set("version", .number(version))
        document.set("created_at", .timestamp(createdAt))
        document.set("updated_at", .timestamp(updatedAt))
        document.set("created_by", .string(createdBy))
        return document
    }
}

extension LeaseRow {
    /// Whether nobody can use it any more.
    package var isOver: Bool { accessEndedAt != nil }

    /// The lease as the API shows it.
    package var document: Document {
        func moment(_ value: Timestamp?) -> Document {
            value.map { .timestamp($0) } ?? Document.null
        }
        func text(_ value: String?) -> Document { value.map { .string($0) } ?? Document.null }
        return [
            "lease_id": .string(name.description),
            "profile": .string(plan.name.text),
            "target": .string(plan.target.text),
            "principal": .string(principal),
            "state": .string(state.rawValue),
            "issued_at": moment(issuedAt),
            "renewed_at": moment(renewedAt),
            "expires_at": .timestamp(expiresAt),
            "max_expires_at": .timestamp(maxExpiresAt),
            "end_reason": text(revokeReason),
            "access_ended_at": moment(accessEndedAt),
            "cleaned_at": moment(cleanedAt),
            "last_error": text(lastError),
        ]
    }
}

extension Targets {
    /// One page of the targets that a caller may read, by name and in their REST form.
    package func page(
        after name: String?,
        limit: Int,
        for caller: Caller
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        let page = try await list(after: name, limit: limit)
        let visible = page.items.filter { caller.may(.read, on: Self.path($0.target.name)) }
        return (visible.map(\.document), page.next)
    }

    /// Stores a target with a password as a request carries it; nil keeps the one that is stored.
    package func put(
        _ target: LeaseTarget,
        passwordText: String?,
        isVerified: Bool = true,
        if condition: Policies.VersionCondition? = nil,
        by caller: Caller
    ) async throws(ControlError) -> (row: TargetRow, isNew: Bool) {
        var bytes = passwordText.map { Array($0.utf8) } ?? []
        let secret = passwordText == nil ? nil : SecretBytes(taking: &bytes)
        return try await put(
            target,
            password: secret,
            isVerified: isVerified,
            if: condition,
            by: caller
        )
    }
}

extension Profiles {
    /// One page of the profiles that a caller may read, by name and in their REST form.
    package func page(
        after name: String?,
        limit: Int,
        for caller: Caller
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        let page = try await list(after: name, limit: limit)
        let visible = page.items.filter { caller.may(.read, on: Self.path($0.profile.name)) }
        return (visible.map(\.document), page.next)
    }
}

extension Leases {
    /// The canonical resource path of one lease.
    package static func path(_ name: LeaseID) -> String {
        "leases/\(name.profile)/\(name.key)"
    }

    /// One page of the leases that a caller may read, in the order in which they were asked for.
    package func page(
        of profile: ProfileName?,
        openOnly: Bool,
        after id: UUIDv7?,
        limit: Int,
        for caller: Caller
    ) async throws(ControlError) -> (items: [Document], next: String?) {
        let page = try await list(of: profile, openOnly: openOnly, after: id, limit: limit)
        let visible = page.items.filter { caller.may(.read, on: Self.path($0.name)) }
        return (visible.map(\.document), page.next)
    }
}
