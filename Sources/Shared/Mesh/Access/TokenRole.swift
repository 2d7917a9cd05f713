package import Wire

/// What tokens may be made by one role, by whoever may use it.
package struct TokenRole: Equatable, Sendable {
    /// The most names of each list.
    package static let namesMax = 64

    /// Given without further questions: whoever wrote the role had their rights.
    package var allowedPolicies: [String] = []
    /// With `*` for any text; of these everybody gets only what they have themselves.
    package var allowedGlobs: [String] = []
    package var disallowedPolicies: [String] = []
    package var disallowedGlobs: [String] = []
    /// Whether its tokens outlive their maker.
    package var isOrphan = false
    package var isRenewable = true
    /// What stands behind the role in the token's path; empty for nothing.
    package var pathSuffix = ""
    package var grant = TokenGrant()

    package init() {}

    /// Whether the role says which policies its tokens have.
    package var namesPolicies: Bool { !allowedPolicies.isEmpty || !allowedGlobs.isEmpty }

    /// Whether a token of the role may have a policy.
    package func admits(_ policy: String) -> Bool {
        let isDenied =
            disallowedPolicies.contains(policy)
            || disallowedGlobs.contains { TextGlob($0).matches(policy) }
        if isDenied { return false }
        return !namesPolicies || allowedPolicies.contains(policy)
            || allowedGlobs.contains { TextGlob($0).matches(policy) }
    }

    /// As it is stored.
    package var document: Document {
        .fields([
            "allowed_policies": .list(allowedPolicies),
            "allowed_policies_glob": .list(allowedGlobs),
            "disallowed_policies": .list(disallowedPolicies),
            "disallowed_policies_glob": .list(disallowedGlobs),
            "orphan": .bool(isOrphan),
            "renewable": .bool(isRenewable),
            "path_suffix": .string(pathSuffix),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let isOrphan = document["orphan"]?.bool,
            let isRenewable = document["renewable"]?.bool,
            let suffix = document["path_suffix"]?.text,
            let grant = TokenGrant(document["grant"])
        else { return nil }
        func texts(_ name: String) -> [String] {
            document[name]?.items?.compactMap(\.text) ?? []
        }
        allowedPolicies = texts("allowed_policies")
        allowedGlobs = texts("allowed_policies_glob")
        disallowedPolicies = texts("disallowed_policies")
        disallowedGlobs = texts("disallowed_policies_glob")
        self.isOrphan = isOrphan
        self.isRenewable = isRenewable
        pathSuffix = suffix
        self.grant = grant
        guard self.document == document else { return nil }
    }
}
