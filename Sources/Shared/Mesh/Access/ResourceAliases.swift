/// Other paths by which the same object is reached: natively and as clients of Vault write it.
///
/// A right must be granted on the path that is asked for, and none of the others may be denied: whoever
/// denies one of them means the object.
package enum ResourceAliases {
    /// What stands before a policy's name; only native paths have to spell the name in lower case.
    package static let policies = ["policies/", "sys/policies/acl/", "sys/policy/"]

    /// Native globs of tokens with the paths of Vault's that do the same.
    package static let tokens: [(native: String, paths: [String])] = [
        (
            "tokens",
            [
                "auth/token/create", "auth/token/create/*", "auth/token/create-orphan",
                "auth/token/accessors/", "auth/token/accessors",
            ]
        ),
        ("tokens/*", ["auth/token/lookup-accessor", "auth/token/revoke-accessor"]),
    ]

    /// Paths of the list of all policies.
    package static let policyLists = [
        "policies", "sys/policies/acl/", "sys/policies/acl", "sys/policy", "sys/policy/",
    ]

    /// The other paths of what a capability is wanted on.
    package static func of(_ path: String, for capability: Capability) -> [String] {
        switch path.utf8.first {
        case UInt8(ascii: "p"), UInt8(ascii: "s"): policies(path, capability)
        case UInt8(ascii: "t"), UInt8(ascii: "a"): tokens(path, capability)
        default: []
        }
    }

    private static func policies(_ path: String, _ capability: Capability) -> [String] {
        if capability == .list || capability == .read, policyLists.contains(path) {
            return policyLists.filter { $0 != path }
        }
        guard let prefix = policies.first(where: { path.utf8.starts(with: $0.utf8) }) else {
            return []
        }
        // Vault's names have no case: the policy is found whichever way it is spelled.
        let name = path.dropFirst(prefix.count).lowercased()
        return policies.map { $0 + name }.filter { $0 != path }
    }

    private static func tokens(_ path: String, _ capability: Capability) -> [String] {
        switch (path, capability) {
        case ("tokens", .create): return ["auth/token/create", "auth/token/create-orphan"]
        case ("tokens", .list): return ["auth/token/accessors/"]
        case ("auth/token/accessors/", _), ("auth/token/create", _),
            ("auth/token/create-orphan", _):
            return ["tokens"]
        default: break
        }
        if path.utf8.starts(with: "auth/token/create/".utf8) { return ["tokens"] }
        guard path.utf8.starts(with: "tokens/".utf8) else { return [] }
        switch capability {
        case .read: return ["auth/token/lookup-accessor"]
        case .delete: return ["auth/token/revoke-accessor"]
        case .create, .update, .patch, .list, .sudo, .deny: return []
        }
    }
}
