import Control
import Mesh
import Wire

/// A role of the login `approle` as clients of Vault write and read it.
extension AppRole: VaultLoginRole {
    static func read(_ fields: VaultFields, _ old: AppRole?) throws(ControlError) -> AppRole {
        // What says which role it is stays.
        var role = AppRole()
        role.identity = old?.identity ?? ""
        role.roleID = old?.roleID ?? ""
        role.bindsSecretID = try fields.flag("bind_secret_id") ?? true
        role.secretRanges = try TokenGrantFields.ranges(fields, "secret_id_bound_cidrs") ?? []
        role.secretUses =
            try fields.integer("secret_id_num_uses", in: 0...AppRole.secretUsesMax) ?? 0
        role.secretLifetimeSeconds =
            try fields.duration("secret_id_ttl", in: .zero...AppRole.secretLifetimeMax)?
            .components.seconds ?? 0
        for name in ["local_secret_ids", "enable_local_secret_ids"] {
            guard try fields.flag(name) != true else {
                throw VaultFields.wrong(name, "there is one cluster: nothing is local to it")
            }
        }
        role.grant = try TokenGrantFields.read(fields)
        return role
    }

    var fields: Document {
        var data = Document.fields([
            "bind_secret_id": .bool(bindsSecretID),
            "local_secret_ids": false,
            "secret_id_bound_cidrs": secretRanges.isEmpty ? .null : .list(secretRanges),
            "secret_id_num_uses": .number(secretUses),
            "secret_id_ttl": .number(secretLifetimeSeconds),
        ])
        for (name, value) in TokenGrantFields.show(grant) { data.set(name, value) }
        return data
    }
}
