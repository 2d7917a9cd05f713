import Mesh
import Testing

struct ResourceAliasesTests {
    @Test func policiesHaveThreePaths() {
        let all: Set = ["policies/x", "sys/policies/acl/x", "sys/policy/x"]
        for path in all {
            for capability in Capability.allCases {
                let others = ResourceAliases.of(path, for: capability)
                #expect(Set(others) == all.subtracting([path]))
            }
        }
        // A name that Vault's clients spell in another case is the same policy's.
        #expect(Set(ResourceAliases.of("sys/policy/X", for: .read)) == all)
        #expect(ResourceAliases.of("policies", for: .list).contains("sys/policies/acl/"))
        #expect(ResourceAliases.of("sys/policies/acl/", for: .list).contains("policies"))
        #expect(ResourceAliases.of("sys/policy", for: .read).contains("policies"))
    }

    @Test func tokensHaveTwo() {
        #expect(ResourceAliases.of("tokens", for: .create).contains("auth/token/create-orphan"))
        #expect(ResourceAliases.of("tokens", for: .list) == ["auth/token/accessors/"])
        #expect(ResourceAliases.of("auth/token/create", for: .update) == ["tokens"])
        #expect(ResourceAliases.of("tokens/x", for: .delete) == ["auth/token/revoke-accessor"])
        #expect(ResourceAliases.of("tokens/x", for: .read) == ["auth/token/lookup-accessor"])
    }

    @Test(arguments: [
        "secret/data/policies/x", "services/x", "policy/x", "auth/jwt/role/x", "tokensx", "",
    ])
    func othersHaveOne(path: String) {
        for capability in Capability.allCases {
            #expect(ResourceAliases.of(path, for: capability).isEmpty)
        }
    }
}
