package import Wire

/// What a login by a role gives: the fields that clients of Vault write as `token_…`.
package struct TokenGrant: Equatable, Sendable {
    /// The longest life that a login gives, whatever the role says.
    package static let lifetimeMax: Duration = .seconds(365 * 86_400)
    /// How long a login's token can be renewed where neither role nor mount says.
    package static let longestDefault: Duration = .seconds(32 * 86_400)
    /// What a login gives where the role says nothing.
    package static let lifetimeDefault: Duration = .seconds(3_600)
    package static let policiesMax = 32

    package var policies: [String] = []
    /// Zero for `lifetimeDefault`.
    package var lifetimeSeconds: Int64 = 0
    /// No renewal goes beyond this after the login; zero for no bound of its own.
    package var maxSeconds: Int64 = 0
    /// The same, and shown as the token's `explicit_max_ttl`.
    package var explicitMaxSeconds: Int64 = 0
    /// Zero for as often as one likes.
    package var uses: Int64 = 0
    package var boundCIDRs: [String] = []

    package init() {}

    /// As it is stored.
    package var document: Document {
        .fields([
            "policies": .list(policies),
            "ttl": .number(lifetimeSeconds),
            "max_ttl": .number(maxSeconds),
            "explicit_max_ttl": .number(explicitMaxSeconds),
            "num_uses": .number(uses),
            "bound_cidrs": .list(boundCIDRs),
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document?) {
        guard let document, let lifetime = document["ttl"]?.integer,
            let longest = document["max_ttl"]?.integer,
            let explicit = document["explicit_max_ttl"]?.integer,
            let uses = document["num_uses"]?.integer
        else { return nil }
        policies = document["policies"]?.items?.compactMap(\.text) ?? []
        lifetimeSeconds = lifetime
        maxSeconds = longest
        explicitMaxSeconds = explicit
        self.uses = uses
        boundCIDRs = document["bound_cidrs"]?.items?.compactMap(\.text) ?? []
        guard self.document == document else { return nil }
    }

    /// The first life of a token, cut by what bounds it.
    package var lifetime: Duration {
        var seconds =
            lifetimeSeconds > 0 ? lifetimeSeconds : Self.lifetimeDefault.components.seconds
        for bound in [maxSeconds, explicitMaxSeconds] where bound > 0 {
            seconds = min(seconds, bound)
        }
        return min(.seconds(seconds), Self.lifetimeMax)
    }

    /// The longest life of a token with all renewals.
    package var longest: Duration {
        let bounds = [maxSeconds, explicitMaxSeconds].filter { $0 > 0 }
        return min(bounds.min().map { .seconds($0) } ?? Self.longestDefault, Self.lifetimeMax)
    }
}
