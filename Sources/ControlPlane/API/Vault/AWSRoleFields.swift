import Control
import Mesh
import Wire

/// A role of the login `aws` as clients of Vault write and read it.
extension AWSRole: VaultLoginRole {
    private static let absent = [
        "bound_ami_id", "bound_region", "bound_vpc_id", "bound_subnet_id", "bound_iam_role_arn",
        "bound_iam_instance_profile_arn", "bound_ec2_instance_id", "inferred_entity_type",
    ]

    static func read(_ fields: VaultFields, _ old: AWSRole?) throws(ControlError) -> AWSRole {
        if let type = try fields.text("auth_type"), !["", "iam"].contains(type) {
            throw VaultFields.wrong("auth_type", "must be iam: others do not exist here")
        }
        for name in absent {
            guard try fields.texts(name)?.allSatisfy(\.isEmpty) ?? true else {
                throw VaultFields.wrong(name, "is of the type ec2, which does not exist here")
            }
        }
        guard try fields.flag("resolve_aws_unique_ids") != true else {
            throw VaultFields.wrong(
                "resolve_aws_unique_ids",
                "the server has no rights at AWS: name bound_iam_principal_id instead"
            )
        }
        var role = AWSRole()
        role.accounts = try list(fields, "bound_account_id")
        role.principals = try list(fields, "bound_iam_principal_arn")
        role.uniqueIDs = try list(fields, "bound_iam_principal_id")
        role.needsNonce = try fields.flag("require_nonce") ?? true
        role.grant = try TokenGrantFields.read(fields)
        return role
    }

    private static func list(
        _ fields: VaultFields,
        _ name: String
    ) throws(ControlError) -> [String] {
        let texts = try fields.texts(name) ?? []
        guard texts.count <= AWSRole.boundsMax,
            texts.allSatisfy({ (1...AWSRole.boundBytesMax).contains($0.utf8.count) })
        else {
            throw VaultFields.wrong(
                name,
                "must have at most \(AWSRole.boundsMax) texts of 1 to \(AWSRole.boundBytesMax) bytes"
            )
        }
        return texts
    }

    var fields: Document {
        var data = Document.fields([
            "auth_type": "iam",
            "bound_account_id": .list(accounts),
            "bound_iam_principal_arn": .list(principals),
            "bound_iam_principal_id": .list(uniqueIDs),
            "require_nonce": .bool(needsNonce),
            "resolve_aws_unique_ids": false,
        ])
        for (name, value) in TokenGrantFields.show(grant) { data.set(name, value) }
        return data
    }
}
