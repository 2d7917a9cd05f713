import Control
import Mesh
import Wire

/// A role of the login `jwt` as clients of Vault write and read it.
extension JWTRole: VaultLoginRole {
    static func read(_ fields: VaultFields, _ old: JWTRole?) throws(ControlError) -> JWTRole {
        var role = JWTRole()
        if let type = try fields.text("role_type"), !["", "jwt"].contains(type) {
            throw VaultFields.wrong("role_type", "must be jwt: others do not exist here yet")
        }
        role.audiences = try list(fields, "bound_audiences")
        role.clientIDs = try list(fields, "bound_client_ids")
        role.subject = try bounded(fields, "bound_subject")
        role.userClaim = try bounded(fields, "user_claim")
        guard !role.userClaim.isEmpty else { throw VaultFields.wrong("user_claim", "is required") }
        role.areClaimsGlobs = try isGlob(fields)
        role.claims = try claims(fields)
        role.claimMappings = try mappings(fields)
        role.leewaySeconds = try leeway(fields)
        role.grant = try TokenGrantFields.read(fields)
        try refuseAbsent(fields)
        return role
    }

    var fields: Document {
        var data = Document.fields([
            "role_type": "jwt",
            "bound_audiences": audiences.isEmpty ? .null : .list(audiences),
            "bound_client_ids": clientIDs.isEmpty ? .null : .list(clientIDs),
            "bound_subject": .string(subject),
            "bound_claims": claims.isEmpty
                ? .null
                : .map(
                    Dictionary(claims.map { ($0.path, Document.list($0.values)) }) {
                        first,
                        _ in first
                    }
                ),
            "bound_claims_type": areClaimsGlobs ? "glob" : "string",
            "user_claim": .string(userClaim),
            "user_claim_json_pointer": false,
            "groups_claim": "",
            "claim_mappings": claimMappings.isEmpty ? .null : .map(claimMappings),
            "clock_skew_leeway": .number(leewaySeconds),
            "expiration_leeway": 0,
            "not_before_leeway": 0,
        ])
        for (name, value) in TokenGrantFields.show(grant) { data.set(name, value) }
        return data
    }

    private static func bounded(
        _ fields: VaultFields,
        _ name: String
    ) throws(ControlError) -> String {
        let text = try fields.text(name) ?? ""
        guard text.utf8.count <= JWTRole.valueBytesMax else { throw tooLong(name) }
        return text
    }

    private static func list(
        _ fields: VaultFields,
        _ name: String
    ) throws(ControlError) -> [String] {
        try checked(try fields.texts(name) ?? [], name)
    }

    private static func checked(
        _ texts: [String],
        _ name: String
    ) throws(ControlError) -> [String] {
        guard texts.count <= JWTRole.boundsMax else {
            throw VaultFields.wrong(name, "must have at most \(JWTRole.boundsMax) elements")
        }
        guard texts.allSatisfy({ $0.utf8.count <= JWTRole.valueBytesMax }) else {
            throw tooLong(name)
        }
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw VaultFields.wrong(name, "must hold no NUL")
        }
        return texts
    }

    private static func isGlob(_ fields: VaultFields) throws(ControlError) -> Bool {
        switch try fields.text("bound_claims_type") {
        case nil, "", "string": return false
        case "glob": return true
        default: throw VaultFields.wrong("bound_claims_type", "must be string or glob")
        }
    }

    private static func claims(
        _ fields: VaultFields
    ) throws(ControlError) -> [JWTRole.BoundClaim] {
        let name = "bound_claims"
        let entries = try fields.map(name)?.entries ?? []
        guard entries.count <= JWTRole.boundsMax else {
            throw VaultFields.wrong(name, "must have at most \(JWTRole.boundsMax) claims")
        }
        var claims: [JWTRole.BoundClaim] = []
        for entry in entries {
            var values: [String] = []
            for item in entry.value.items ?? [entry.value] {
                guard let text = scalar(item) else {
                    throw VaultFields.wrong(
                        name,
                        "must hold strings, numbers, truth values or lists"
                    )
                }
                values.append(text)
            }
            guard !values.isEmpty, !entry.key.isEmpty else {
                throw VaultFields.wrong(name, "must name a claim and at least one value of it")
            }
            _ = try checked([entry.key], name)
            claims.append(
                JWTRole.BoundClaim(path: entry.key, values: try checked(values, name))
            )
        }
        return claims
    }

    private static func scalar(_ value: Document) -> String? {
        switch value.node {
        case .string(let text), .plain(let text): text
        case .number(let number): number.text
        case .bool(let flag): flag ? "true" : "false"
        case .null, .list, .map: nil
        }
    }

    private static func mappings(
        _ fields: VaultFields
    ) throws(ControlError) -> [String: String] {
        let name = "claim_mappings"
        let entries = try fields.map(name)?.entries ?? []
        guard entries.count <= JWTRole.boundsMax else {
            throw VaultFields.wrong(name, "must have at most \(JWTRole.boundsMax) claims")
        }
        var mappings: [String: String] = [:]
        for entry in entries {
            guard let target = entry.value.text, !target.isEmpty, target != "role",
                !mappings.values.contains(target), Text.isPrintable(target)
            else {
                throw VaultFields.wrong(name, "must give each claim a name of its own, not role")
            }
            _ = try checked([entry.key, target], name)
            mappings[entry.key] = target
        }
        return mappings
    }

    /// Vault says 0 for "as usual" and -1 for none.
    private static func leeway(_ fields: VaultFields) throws(ControlError) -> Int64 {
        let name = "clock_skew_leeway"
        if fields.value(name)?.integer == -1 || fields.value(name)?.text == "-1" { return 0 }
        let most = Duration.seconds(JWTRole.leewaySecondsMax)
        let seconds = try fields.duration(name, in: .zero...most)?.components.seconds ?? 0
        return seconds == 0 ? JWTRole.leewaySecondsDefault : seconds
    }

    /// What would narrow a login, or give more than a token, and is not done here.
    private static func refuseAbsent(_ fields: VaultFields) throws(ControlError) {
        if let claim = try fields.text("groups_claim"), !claim.isEmpty {
            throw VaultFields.wrong("groups_claim", "there are no groups here: use bound_claims")
        }
        if let age = try fields.duration("max_age"), age > .zero {
            throw VaultFields.wrong("max_age", "the age of a login is not looked at here")
        }
        for name in ["expiration_leeway", "not_before_leeway"] {
            guard let value = fields.value(name) else { continue }
            let text = value.text ?? value.integer.map { String($0) }
            guard ["", "0", "-1"].contains(text) else {
                throw VaultFields.wrong(
                    name,
                    "use clock_skew_leeway: a token without exp is refused"
                )
            }
        }
        if try fields.flag("user_claim_json_pointer") == true,
            try fields.text("user_claim")?.utf8.first != UInt8(ascii: "/")
        {
            throw VaultFields.wrong("user_claim", "must begin with a slash as a JSON pointer")
        }
    }

    private static func tooLong(_ name: String) -> ControlError {
        VaultFields.wrong(name, "must have texts of at most \(JWTRole.valueBytesMax) bytes")
    }
}
