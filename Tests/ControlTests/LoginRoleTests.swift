import Control
import Mesh
import Testing
import Wire

/// Roles and users of logins as they are stored.
struct LoginRoleTests {
    @Test func roleIDsAreNoCredential() {
        var role = AppRole()
        role.identity = "a"
        role.roleID = "b"
        #expect(role.isBound)
        #expect(role.secretLifetime == AppRole.secretLifetimeMax)
        role.secretLifetimeSeconds = 60
        #expect(role.secretLifetime == .seconds(60))
        role.bindsSecretID = false
        #expect(!role.isBound)
        role.grant.boundCIDRs = ["10.0.0.0/8"]
        #expect(role.isBound)
        #expect(AppRole(role.document) == role)
        role.roleID = ""
        #expect(AppRole(role.document) == nil)
        #expect(AppRole(TokenRole().document) == nil)
    }

    @Test func passwordsAreNeverShown() {
        let verifier = PasswordUser.Verifier(
            cost: 2,
            blockSize: 8,
            parallelism: 1,
            salt: [1],
            digest: [2]
        )
        let user = PasswordUser(verifier: verifier)
        #expect(PasswordUser(user.document) == user)
        #expect(user.shown == .fields(["grant": TokenGrant().document]))
        var altered = user.document
        altered.set("digest", "")
        #expect(PasswordUser(altered) == nil)
        #expect(PasswordUser(TokenRole().document) == nil)
    }

    @Test func rolesOfAWSNameTheirAccounts() {
        var role = AWSRole()
        #expect(throws: ControlError.self) { try role.check() }
        role.accounts = ["123456789012"]
        #expect(throws: ControlError.self) { try role.check() }
        let wrong = [
            "*", "arn:aws:iam::*:role/x", "arn:aws:iam::210987654321:role/x",
            "arn:aws:iam::123456789012:role/", "arn:aws:iam::123456789012:group/x",
            "arn:aws:sts::123456789012:assumed-role/x/y", "arn:aws:iam::123456789012:root",
        ]
        for arn in wrong {
            role.principals = [arn]
            #expect(throws: ControlError.self, "\(arn)") { try role.check() }
        }
        role.principals = ["arn:aws:iam::123456789012:role/deploy*"]
        #expect(throws: Never.self) { try role.check() }
        role.needsNonce = false
        #expect(AWSRole(role.document) == role)
        #expect(AWSRole(TokenRole().document) == nil)
        role.accounts = ["12345678901x"]
        #expect(throws: ControlError.self) { try role.check() }
    }
}
