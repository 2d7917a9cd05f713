import Control
import Mesh
import Wire

/// The fields of a role about the token that a login gives: `token_…`, and the old names without it.
enum TokenGrantFields {
    /// Reads them; what would make another token than one of this server is refused.
    static func read(_ fields: VaultFields) throws(ControlError) -> TokenGrant {
        var grant = TokenGrant()
        grant.policies = try policies(fields)
        grant.lifetimeSeconds = try seconds(fields, "token_ttl", "ttl")
        grant.maxSeconds = try seconds(fields, "token_max_ttl", "max_ttl")
        grant.explicitMaxSeconds = try seconds(fields, "token_explicit_max_ttl", nil)
        for name in ["num_uses", "token_num_uses"] {
            grant.uses = try fields.integer(name, in: 0...ChildTokenRequest.usesMax) ?? grant.uses
        }
        for name in ["bound_cidrs", "token_bound_cidrs"] {
            grant.boundCIDRs = try ranges(fields, name) ?? grant.boundCIDRs
        }
        try refuseAbsent(fields)
        guard grant.maxSeconds == 0 || grant.lifetimeSeconds <= grant.maxSeconds else {
            throw VaultFields.wrong("token_ttl", "must not be greater than token_max_ttl")
        }
        return grant
    }

    /// The policies alone.
    static func policies(_ fields: VaultFields) throws(ControlError) -> [String] {
        var policies: [String] = []
        for name in try texts(fields, "token_policies", "policies") {
            let name = name.lowercased()
            // There is no policy default: what it would allow, every token may.
            if name != "default", !policies.contains(name) { policies.append(name) }
        }
        guard policies.count <= TokenGrant.policiesMax else {
            throw VaultFields.wrong(
                "token_policies",
                "must name at most \(TokenGrant.policiesMax) policies"
            )
        }
        return policies
    }

    /// As a role shows them.
    static func show(_ grant: TokenGrant) -> [(String, Document)] {
        [
            ("token_policies", .list(grant.policies)),
            ("token_ttl", .number(grant.lifetimeSeconds)),
            ("token_max_ttl", .number(grant.maxSeconds)),
            ("token_explicit_max_ttl", .number(grant.explicitMaxSeconds)),
            ("token_num_uses", .number(grant.uses)),
            ("token_bound_cidrs", .list(grant.boundCIDRs)),
            ("token_period", 0),
            ("token_no_default_policy", false),
            ("token_type", "default"),
        ]
    }

    /// A field, or where it is absent the old name of it.
    private static func texts(
        _ fields: VaultFields,
        _ name: String,
        _ old: String
    ) throws(ControlError) -> [String] {
        if let texts = try fields.texts(name) { return texts }
        return try fields.texts(old) ?? []
    }

    private static func seconds(
        _ fields: VaultFields,
        _ name: String,
        _ old: String?
    ) throws(ControlError) -> Int64 {
        let range = Duration.zero...TokenGrant.lifetimeMax
        var found = try fields.duration(name, in: range)
        if found == nil, let old { found = try fields.duration(old, in: range) }
        return found?.components.seconds ?? 0
    }

    /// A field with ranges of addresses, in their one spelling; nil when it is absent.
    static func ranges(
        _ fields: VaultFields,
        _ name: String
    ) throws(ControlError) -> [String]? {
        guard let texts = try fields.texts(name) else { return nil }
        guard texts.count <= ChildTokenRequest.rangesMax else {
            throw VaultFields.wrong(
                name,
                "must have at most \(ChildTokenRequest.rangesMax) ranges"
            )
        }
        var ranges: [String] = []
        for text in texts {
            do {
                ranges.append(try AddressRange(text).description)
            } catch {
                throw VaultFields.wrong(name, error.description)
            }
        }
        return ranges
    }

    private static func refuseAbsent(_ fields: VaultFields) throws(ControlError) {
        for name in ["token_period", "period"] {
            if let period = try fields.duration(name), period > .zero {
                throw VaultFields.wrong(name, "there are no periodic tokens here: renew a token")
            }
        }
        if let type = try fields.text("token_type"),
            !["", "service", "default", "default-service"].contains(type)
        {
            throw VaultFields.wrong("token_type", "there are service tokens only, yet")
        }
        if try fields.flag("token_strictly_bind_ip") == true {
            throw VaultFields.wrong("token_strictly_bind_ip", "use token_bound_cidrs")
        }
    }
}
