import Mesh
import Testing
import Wire

/// Roles as they are stored, and what they admit.
struct RoleDocumentTests {
    @Test func certificateRoles() {
        var role = CertificateRole()
        #expect(!role.admits("spiffe://example.org/ns/a/svc/b", root: "r"))
        role.identities = ["spiffe://example.org/ns/a/svc/*"]
        #expect(role.admits("spiffe://example.org/ns/a/svc/b", root: "r"))
        #expect(!role.admits("spiffe://example.org/ns/b/svc/b", root: "r"))
        role.root = "r"
        #expect(role.admits("spiffe://example.org/ns/a/svc/b", root: "r"))
        #expect(!role.admits("spiffe://example.org/ns/a/svc/b", root: "s"))
        role.displayName = "carts"
        role.grant.policies = ["a"]
        #expect(CertificateRole(role.document) == role)
        #expect(CertificateRole(TokenRole().document) == nil)
    }

    @Test func tokenRoles() {
        var role = TokenRole()
        #expect(role.admits("anything") && !role.namesPolicies)
        role.disallowedPolicies = ["admin"]
        role.disallowedGlobs = ["root-*"]
        #expect(!role.admits("admin") && !role.admits("root-a") && role.admits("a"))
        role.allowedPolicies = ["a", "admin"]
        role.allowedGlobs = ["team-*"]
        #expect(role.namesPolicies)
        #expect(role.admits("a") && role.admits("team-x"))
        #expect(!role.admits("b") && !role.admits("admin"))
        role.isOrphan = true
        role.pathSuffix = "jobs"
        #expect(TokenRole(role.document) == role)
        #expect(TokenRole(CertificateRole().document) == nil)
    }

    @Test func grantsAreReadWholeOrNotAtAll() {
        var grant = TokenGrant()
        grant.uses = 3
        #expect(TokenGrant(grant.document) == grant)
        var altered = grant.document
        altered.set("policies", .list([.number(1)]))
        #expect(TokenGrant(altered) == nil)
        #expect(TokenGrant(nil) == nil)
    }
}
