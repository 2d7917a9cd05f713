import Control
import HTTP
import Mesh
import Wire

/// A role of the login `kubernetes` as clients of Vault write and read it.
extension KubernetesRole: VaultLoginRole {
    static func read(
        _ fields: VaultFields,
        _ old: KubernetesRole?
    ) throws(ControlError) -> KubernetesRole {
        if let source = try fields.text("alias_name_source"),
            !["", "serviceaccount_uid", "serviceaccount_name"].contains(source)
        {
            throw VaultFields.wrong("alias_name_source", "there are no aliases here")
        }
        guard try fields.text("bound_service_account_namespace_selector")?.isEmpty ?? true else {
            throw VaultFields.wrong(
                "bound_service_account_namespace_selector",
                "name the namespaces instead"
            )
        }
        var role = KubernetesRole()
        role.accounts = try fields.texts("bound_service_account_names") ?? []
        role.namespaces = try fields.texts("bound_service_account_namespaces") ?? []
        role.audience = try fields.text("audience") ?? ""
        role.grant = try TokenGrantFields.read(fields)
        return role
    }

    var fields: Document {
        var data = Document.fields([
            "bound_service_account_names": .list(accounts),
            "bound_service_account_namespaces": .list(namespaces),
            "audience": .string(audience),
            "alias_name_source": "serviceaccount_uid",
        ])
        for (name, value) in TokenGrantFields.show(grant) { data.set(name, value) }
        return data
    }
}

/// How a mount of the login `kubernetes` knows tokens, as clients of Vault write and read it.
enum KubernetesSettings {
    static func read(_ fields: VaultFields) throws(ControlError) -> KubernetesConfiguration {
        guard try fields.text("token_reviewer_jwt")?.isEmpty ?? true else {
            throw VaultFields.wrong(
                "token_reviewer_jwt",
                "no long-lived token is kept here: each caller's own asks, and its account needs"
                    + " the cluster role system:auth-delegator"
            )
        }
        var wanted = KubernetesConfiguration()
        wanted.publicKeys = try fields.texts("pem_keys") ?? []
        wanted.issuer = try fields.text("issuer") ?? ""
        wanted.host = try fields.text("kubernetes_host") ?? ""
        wanted.hostCAPEM = try fields.text("kubernetes_ca_cert") ?? ""
        wanted.allowsPrivateAddresses = try fields.flag("kubernetes_private_addresses") ?? false
        return wanted
    }

    static func show(_ found: KubernetesConfiguration) -> Document {
        .fields([
            "kubernetes_host": .string(found.host),
            "kubernetes_ca_cert": .string(found.hostCAPEM),
            "kubernetes_private_addresses": .bool(found.allowsPrivateAddresses),
            "pem_keys": .list(found.publicKeys),
            "issuer": .string(found.issuer),
            "disable_local_ca_jwt": true,
            "disable_iss_validation": .bool(found.issuer.isEmpty),
            "token_reviewer_jwt_set": false,
        ])
    }
}
