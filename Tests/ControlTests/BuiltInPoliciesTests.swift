import Control
import Mesh
import Testing

/// What the policies that nobody wrote allow.
@Suite struct BuiltInPoliciesTests {
    @Test func whoOnlyLooksSeesNoSecretAndGetsNoCredential() throws {
        let policy = try #require(BuiltInPolicies.find(BuiltInPolicies.readOnlyName))
        let caller = Caller(principal: "token/x", policies: [policy])
        for path in ["secret/data/app/db", "secret/subkeys/app/db", "database/creds/reader"] {
            #expect(!caller.may(.read, on: path), "\(path)")
        }
        for path in ["services/default/web", "secret/metadata/app/db", "database/config/orders"] {
            #expect(caller.may(.read, on: path), "\(path)")
        }
        #expect(!caller.may(.update, on: "services/default/web"))
    }
}
