import Mesh
import Testing
import Wire

struct JWTRoleTests {
    private static let now = Timestamp(secondsSinceEpoch: 2_000_000_000)

    private func claims(_ text: String) throws -> TokenClaims {
        try TokenClaims(payload: Array(text.utf8))
    }

    private func role(_ change: (inout JWTRole) -> Void = { _ in }) -> JWTRole {
        var role = JWTRole()
        role.audiences = ["orders"]
        role.userClaim = "sub"
        change(&role)
        return role
    }

    private func refusal(_ role: JWTRole, _ text: String, issuer: String? = nil) -> ClaimRefusal? {
        do throws(ClaimRefusal) {
            let claims = try TokenClaims(payload: Array(text.utf8))
            _ = try role.identify(claims, issuer: issuer, now: Self.now)
            return nil
        } catch {
            return error
        }
    }

    @Test func aTokenThatMeetsEveryBoundNamesItsUser() throws {
        let role = role {
            $0.subject = "cart"
            $0.claims = [JWTRole.BoundClaim(path: "/realm/roles", values: ["deploy", "read"])]
            $0.claimMappings = ["team": "team", "absent": "absent"]
        }
        let token = try claims(
            """
            {"iss":"https://id.example","sub":"cart","aud":["other","orders"],"exp":2000000100,
             "nbf":2000000000,"iat":1999999990,"team":"shop","realm":{"roles":["read"]}}
            """
        )
        let (user, metadata) = try role.identify(
            token,
            issuer: "https://id.example",
            now: Self.now
        )
        #expect(user == "cart")
        #expect(metadata == ["team": "shop"])
    }

    static let refusals: [(String, ClaimRefusal)] = [
        (#"{"sub":"a","aud":"orders"}"#, .missing(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":1999999940}"#, .expired),
        (#"{"sub":"a","aud":"orders","exp":2000000100,"nbf":2000000061}"#, .notYetValid),
        (#"{"sub":"a","aud":"orders","exp":2000000100,"iat":2000000061}"#, .notYetValid),
        (#"{"sub":"a","aud":"other","exp":2000000100}"#, .notAllowed(claim: "aud")),
        (#"{"sub":"a","aud":[],"exp":2000000100}"#, .notAllowed(claim: "aud")),
        (#"{"sub":"a","aud":[["orders"]],"exp":2000000100}"#, .malformed(claim: "aud")),
        (#"{"sub":"a","aud":{"a":"orders"},"exp":2000000100}"#, .malformed(claim: "aud")),
        (#"{"sub":"a","exp":2000000100}"#, .missing(claim: "aud")),
        (#"{"aud":"orders","exp":2000000100}"#, .missing(claim: "sub")),
        (#"{"sub":7,"aud":"orders","exp":2000000100}"#, .malformed(claim: "sub")),
        (#"{"sub":"","aud":"orders","exp":2000000100}"#, .malformed(claim: "sub")),
        (#"{"sub":"a\u0007","aud":"orders","exp":2000000100}"#, .malformed(claim: "sub")),
        (#"{"sub":"a","aud":"orders","exp":"2000000100"}"#, .malformed(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":2000000100.5}"#, .malformed(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":-1}"#, .malformed(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":9007199254740993}"#, .malformed(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":1e30}"#, .malformed(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":null}"#, .malformed(claim: "exp")),
        (#"{"sub":"a","aud":"orders","exp":2000000100,"exp":1}"#, .malformed(claim: "set")),
        (#"{"sub":"a","aud":"orders","exp":2000000100,"\u0065xp":1}"#, .malformed(claim: "set")),
        ("[]", .malformed(claim: "set")), ("", .malformed(claim: "set")),
    ]

    @Test(arguments: refusals)
    func refuses(text: String, expected: ClaimRefusal) {
        #expect(refusal(role(), text) == expected)
    }

    @Test func leewayIsBoundedAndCountsBothWays() {
        let ended = #"{"sub":"a","aud":"orders","exp":1999999941}"#
        let begins = #"{"sub":"a","aud":"orders","exp":2000000100,"nbf":2000000060}"#
        #expect(refusal(role(), ended) == nil)
        #expect(refusal(role(), begins) == nil)
        #expect(refusal(role { $0.leewaySeconds = 0 }, ended) == .expired)
        #expect(refusal(role { $0.leewaySeconds = 0 }, begins) == .notYetValid)
        let long = #"{"sub":"a","aud":"orders","exp":1999999600}"#
        #expect(refusal(role { $0.leewaySeconds = 100_000 }, long) == .expired)
        #expect(refusal(role { $0.leewaySeconds = -100_000 }, ended) == .expired)
    }

    @Test func theIssuerIsTheConfiguredOneByteForByte() {
        func text(_ issuer: String) -> String {
            #"{"iss":"\#(issuer)","sub":"a","aud":"orders","exp":2000000100}"#
        }
        let issuer = "https://id.example/caf\u{E9}"
        #expect(refusal(role(), text(issuer), issuer: issuer) == nil)
        for other in [
            issuer + "/", "https://ID.example/caf\u{E9}", "https://id.example/cafe\u{301}", "",
        ] {
            #expect(refusal(role(), text(other), issuer: issuer) == .notAllowed(claim: "iss"))
        }
        let without = #"{"sub":"a","aud":"orders","exp":2000000100}"#
        #expect(refusal(role(), without, issuer: issuer) == .missing(claim: "iss"))
        #expect(refusal(role(), without, issuer: nil) == nil)
    }

    @Test func cognitosAccessTokensHaveAClientInPlaceOfAnAudience() {
        let role = role {
            $0.audiences = []
            $0.clientIDs = ["app-1"]
        }
        let access = #"{"sub":"a","client_id":"app-1","token_use":"access","exp":2000000100}"#
        #expect(refusal(role, access) == nil)
        #expect(
            refusal(role, #"{"sub":"a","client_id":"app-2","exp":2000000100}"#)
                == .notAllowed(claim: "client_id")
        )
        #expect(refusal(role, #"{"sub":"a","exp":2000000100}"#) == .missing(claim: "client_id"))
        #expect(
            refusal(role, #"{"sub":"a","client_id":"app-1","token_use":"id","exp":2000000100}"#)
                == .notAllowed(claim: "token_use")
        )
        // An ID token of the same pool has an audience, which this role does not bind.
        #expect(
            refusal(role, #"{"sub":"a","aud":"app-1","client_id":"app-1","exp":2000000100}"#)
                == .unexpectedAudience
        )
    }

    @Test func aRoleThatBindsNothingLetsNobodyIn() {
        let role = role { $0.audiences = [] }
        #expect(!role.isBound)
        #expect(refusal(role, #"{"sub":"a","exp":2000000100}"#) == .missing(claim: "bound"))
    }

    @Test func boundClaimsMatchTextsNumbersAndLists() {
        func check(_ claim: String, _ values: [String], isGlob: Bool = false) -> ClaimRefusal? {
            let role = role {
                $0.claims = [JWTRole.BoundClaim(path: "c", values: values)]
                $0.areClaimsGlobs = isGlob
            }
            return refusal(
                role,
                #"{"sub":"a","aud":"orders","exp":2000000100,"c":\#(claim)}"#
            )
        }
        #expect(check(#""x""#, ["x"]) == nil)
        #expect(check(#""x""#, ["X"]) == .notAllowed(claim: "c"))
        #expect(check(#""abc""#, ["a*"]) == .notAllowed(claim: "c"))
        #expect(check(#""abc""#, ["a*"], isGlob: true) == nil)
        #expect(check(#""abc""#, ["a*d"], isGlob: true) == .notAllowed(claim: "c"))
        #expect(check("7", ["7"]) == nil)
        #expect(check("true", ["true"]) == nil)
        #expect(check(#"["y","x"]"#, ["x"]) == nil)
        #expect(check("[]", ["x"]) == .notAllowed(claim: "c"))
        #expect(check(#"[["x"]]"#, ["x"]) == .malformed(claim: "c"))
        #expect(check(#"{"x":"x"}"#, ["x"]) == .malformed(claim: "c"))
        #expect(check("null", ["x"]) == .malformed(claim: "c"))
        #expect(check(#""x""#, []) == .notAllowed(claim: "c"))
    }

    @Test func pointersReachInside() throws {
        let token = try claims(#"{"exp":1,"a":{"b/c":[{"~":"x"}]},"/a":"plain"}"#)
        #expect(token.value(at: "/a/b~1c/0/~0")?.text == "x")
        #expect(token.value(at: "/a/b~1c/1") == nil)
        #expect(token.value(at: "/a/b~1c/-1") == nil)
        #expect(token.value(at: "/a/b/c") == nil)
        #expect(token.value(at: "exp")?.integer == 1)
    }

    @Test func rolesAreKeptAsTheyAre() throws {
        let role = role {
            $0.claims = [JWTRole.BoundClaim(path: "/a/b", values: ["x", "y"])]
            $0.areClaimsGlobs = true
            $0.clientIDs = ["c"]
            $0.claimMappings = ["a": "b"]
            $0.grant.policies = ["orders"]
            $0.grant.lifetimeSeconds = 60
            $0.grant.boundCIDRs = ["10.0.0.0/8"]
        }
        #expect(JWTRole(role.document) == role)
        var altered = role.document
        altered.set("bound_audiences", "orders")
        #expect(JWTRole(altered) == nil)
        #expect(JWTRole(.null) == nil)
    }

    @Test func grantsAreCutByTheirBounds() {
        var grant = TokenGrant()
        #expect(grant.lifetime == TokenGrant.lifetimeDefault)
        #expect(grant.longest == TokenGrant.longestDefault)
        grant.lifetimeSeconds = 7_200
        grant.maxSeconds = 5_400
        #expect(grant.lifetime == .seconds(5_400) && grant.longest == .seconds(5_400))
        grant.explicitMaxSeconds = 60
        #expect(grant.lifetime == .seconds(60) && grant.longest == .seconds(60))
        grant = TokenGrant()
        grant.lifetimeSeconds = .max
        #expect(grant.lifetime == TokenGrant.lifetimeMax)
    }

    @Test(arguments: [
        ("", "", true), ("", "a", false), ("*", "", true), ("*", "abc", true),
        ("a*c", "abbc", true),
        ("a*c", "ac", true), ("a*c", "a", false), ("*b*", "abc", true), ("ab*ba", "aba", false),
        ("**", "x", true), ("a*b*c", "a-b-b-c", true), ("a*b*c", "acb", false), ("?", "a", false),
        ("\u{E9}*", "e\u{301}x", false),
    ])
    func globs(glob: String, text: String, isMatch: Bool) {
        #expect(TextGlob(glob).matches(text) == isMatch)
    }

    @Test func refusalsHaveDifferentCodes() {
        let all: [ClaimRefusal] = [
            .malformed(claim: "a"), .missing(claim: "a"), .expired, .notYetValid,
            .notAllowed(claim: "a"), .unexpectedAudience,
        ]
        #expect(Set(all.map(\.code)).count == all.count)
        #expect(Set(all.map(\.description)).count == all.count)
    }
}
