import Mesh
import Testing
import Wire

@Suite struct IntentionValidationTests {
    private func permission(_ http: HTTPCondition) -> Intention {
        Rules.rule("1", "a/x", "b/y", .permissions([Permission(action: .allow, http: http)]))
    }

    @Test func aPlainRuleIsValidAndEnforceable() throws {
        let rule = Rules.rule("1", "a/x", "b/y", .action(.allow))
        try rule.validate()
        try rule.checkEnforceable()
    }

    @Test func limitsAreInclusive() throws {
        var rule = Rules.rule("1", "a/x", "b/y", .action(.allow))
        rule.description = String(repeating: "d", count: 512)
        rule.meta = Dictionary(uniqueKeysWithValues: (0..<64).map { ("k\($0)", "v") })
        try rule.validate()
        rule.meta["k64"] = "v"
        #expect(throws: InvalidField("meta", .tooMany(limit: 64))) { try rule.validate() }
        rule.meta = [:]
        rule.description += "d"
        #expect(throws: InvalidField("description", .tooLong(limitBytes: 512))) {
            try rule.validate()
        }
    }

    @Test func anEmptyWindowIsRefused() {
        var rule = Rules.rule("1", "a/x", "b/y", .action(.allow))
        rule.notBefore = Rules.now
        rule.notAfter = Rules.now
        #expect(throws: InvalidField.self) { try rule.validate() }
    }

    @Test func permissionsNeedAnExactDestination() {
        let http = HTTPCondition(path: .prefix("/"))
        let rule = Rules.rule(
            "1",
            "a/x",
            "b/*",
            .permissions([Permission(action: .allow, http: http)])
        )
        #expect(throws: InvalidField.self) { try rule.validate() }
    }

    @Test(arguments: [
        (HTTPCondition(), "permissions[0].http"),
        (HTTPCondition(path: .exact("x")), "permissions[0].http.path_exact"),
        (HTTPCondition(path: .prefix("")), "permissions[0].http.path_prefix"),
        (HTTPCondition(path: .regex("(")), "permissions[0].http.path_regex"),
        (HTTPCondition(methods: ["get"]), "permissions[0].http.methods"),
        (HTTPCondition(methods: ["GET", "GET"]), "permissions[0].http.methods"),
        (
            HTTPCondition(headers: [HeaderCondition(name: "", comparison: .present)]),
            "permissions[0].http.header[0].name"
        ),
        (
            HTTPCondition(headers: [HeaderCondition(name: "a:b", comparison: .present)]),
            "permissions[0].http.header[0].name"
        ),
    ])
    func wrongClausesNameTheirField(http: HTTPCondition, field: String) {
        let rule = permission(http)
        do {
            try rule.validate()
            Issue.record("accepted")
        } catch {
            #expect(error.field == field)
        }
    }

    @Test func whatCannotBeEnforcedIsRefusedByName() {
        var rule = Rules.rule("1", "a/x", "b/y", .action(.allow))
        rule.mode = .shadow
        #expect(throws: InvalidField("mode", .notYetEnforceable)) { try rule.checkEnforceable() }
        rule.mode = .enforce
        rule.sourceTrustDomain = Rules.domain
        #expect(throws: InvalidField("source_trust_domain", .notYetEnforceable)) {
            try rule.checkEnforceable()
        }
        #expect(throws: InvalidField("permissions", .notYetEnforceable)) {
            try permission(HTTPCondition(path: .prefix("/"))).checkEnforceable()
        }
    }

    @Test(arguments: ["*/x", "a/b/c", "web-*", "a/web-*", "A/x", "/x", "a/", "**", ""])
    func wildcardsAreWholeParts(text: String) {
        #expect(throws: NameError.self) { try ServicePattern(text) }
    }

    @Test(arguments: ["*", "a/*", "a/x"])
    func patternsRoundTrip(text: String) throws {
        #expect(try ServicePattern(text).description == text)
    }
}
