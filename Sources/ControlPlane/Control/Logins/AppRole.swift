package import Mesh
package import Wire

/// Which programs log in by the id of a role and a secret id, and what the login gives.
package struct AppRole: Equatable, Sendable {
    /// The most ranges of addresses of one list.
    package static let rangesMax = 32
    package static let roleIDBytesMax = 128
    package static let secretUsesMax: Int64 = 1_000_000
    /// How long a secret id lives where nothing says less.
    package static let secretLifetimeMax: Duration = .seconds(365 * 86_400)

    /// What its secret ids belong to: another one of the same name has another.
    package var identity = ""
    /// What programs name it by; no secret.
    package var roleID = ""
    /// Whether a login needs a secret id.
    package var bindsSecretID = true
    /// From where its secret ids may be used; empty for everywhere.
    package var secretRanges: [String] = []
    /// Zero for as often as one likes.
    package var secretUses: Int64 = 0
    /// Zero for `secretLifetimeMax`.
    package var secretLifetimeSeconds: Int64 = 0
    package var grant = TokenGrant()

    package init() {}

    /// Whether it binds anything: the id alone is no credential.
    package var isBound: Bool { bindsSecretID || !grant.boundCIDRs.isEmpty }

    /// The longest life of a secret id of the role.
    package var secretLifetime: Duration {
        secretLifetimeSeconds > 0
            ? min(.seconds(secretLifetimeSeconds), Self.secretLifetimeMax) : Self.secretLifetimeMax
    }

    /// As it is stored.
    package var document: Document {
        .fields([
            "identity": .string(identity),
            "role_id": .string(roleID),
            "bind_secret_id": .bool(bindsSecretID),
            "secret_id_bound_cidrs": .list(secretRanges),
            "secret_id_num_uses": .number(secretUses),
            "secret_id_ttl": .number(secretLifetimeSeconds),
            "grant": grant.document,
        ])
    }

    /// Nil for what no server wrote.
    package init?(_ document: Document) {
        guard let identity = document["identity"]?.text, let roleID = document["role_id"]?.text,
            let binds = document["bind_secret_id"]?.bool,
            let uses = document["secret_id_num_uses"]?.integer,
            let lifetime = document["secret_id_ttl"]?.integer,
            let grant = TokenGrant(document["grant"])
        else { return nil }
        self.identity = identity
        self.roleID = roleID
        bindsSecretID = binds
        secretRanges = document["secret_id_bound_cidrs"]?.items?.compactMap(\.text) ?? []
        secretUses = uses
        secretLifetimeSeconds = lifetime
        self.grant = grant
        guard !identity.isEmpty, !roleID.isEmpty, self.document == document else { return nil }
    }
}
