import HTTP
import Testing

@Suite struct NegotiationTests {
    private func fields(_ pairs: [(FieldName, String)]) throws -> HeaderFields {
        try HeaderFields(pairs)
    }

    @Test(
        arguments: [
            ("application/json", true), ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true), ("application/problem+json", true),
            ("application/json; charset=latin1", false), ("text/json", false),
            ("application/jsonp", false), ("application", false),
            ("application/json, text/html", false),
            ("application/json; charset", false),
            ("application/json; charset=utf-8; charset=x", false),
            ("", false), ("application/json;", false), ("application/json\u{E9}", false),
        ]
    ) func contentTypeIsJSON(_ value: String, _ isJSON: Bool) throws {
        #expect(try fields([(.contentType, value)]).isContentJSON == isJSON)
        #expect((MediaType(value)?.isJSON ?? false) == isJSON)
    }

    @Test func contentTypeIsOne() throws {
        let json = MediaType.jsonText
        #expect(try !fields([]).isContentJSON)
        #expect(try !fields([(.contentType, json), (.contentType, json)]).isContentJSON)
    }

    @Test(
        arguments: [
            ("*/*", true), ("application/*", true), ("text/html, application/json;q=0.5", true),
            ("text/html", false), ("application/json;q=0, */*", false),
            ("text/html, */*;q=0.1", true),
            ("*/*; q=0", false), ("", true),
        ]
    ) func acceptAdmitsJSON(_ value: String, _ isAdmitted: Bool) throws {
        #expect(try fields([(.accept, value)]).accepts(.json) == isAdmitted)
    }

    @Test func ifMatch() throws {
        let tag = try #require(EntityTag("v1"))
        #expect(try EntityCondition.ifMatch(fields([])) == nil)
        #expect(try EntityCondition.ifMatch(fields([(.ifMatch, "*")])) == .any)
        #expect(try EntityCondition.ifMatch(fields([(.ifMatch, "\"v1\"")])) == .tags([tag]))
        let list = try EntityCondition.ifMatch(
            fields([(.ifMatch, "\"a,b\" , \"v1\""), (.ifMatch, "\"c\"")])
        )
        let condition = try #require(list)
        #expect(condition.matches(tag, strongly: true))
        #expect(!condition.matches(nil, strongly: true))
        #expect(!condition.matches(EntityTag("v2"), strongly: true))
        #expect(!EntityCondition.any.matches(nil, strongly: true))
        #expect(tag.description == "\"v1\"")
    }

    @Test(arguments: [
        "", "v1", "\"v1", "\"v1\" \"v2\"", "\"v1\",", "*,\"a\"", "\"a\u{E9}\"", "\"a b\"", ",\"a\"",
        "w/\"a\"",
    ])
    func ifMatchRefuses(_ value: String) throws {
        let fields = try fields([(.ifMatch, value)])
        #expect(throws: ConditionFault.malformed) { try EntityCondition.ifMatch(fields) }
    }

    @Test func weakTagIsRefusedForIfMatchOnly() throws {
        let weak = try fields([(.ifMatch, "W/\"v1\""), (.ifNoneMatch, "W/\"v1\"")])
        #expect(throws: ConditionFault.weakTag) { try EntityCondition.ifMatch(weak) }
        let condition = try #require(try EntityCondition.ifNoneMatch(weak))
        #expect(condition.matches(EntityTag("v1"), strongly: false))
        #expect(!condition.matches(EntityTag("v1"), strongly: true))
        let many = try fields([
            (.ifMatch, Array(repeating: "\"a\"", count: 33).joined(separator: ","))
        ])
        #expect(throws: ConditionFault.tooMany) { try EntityCondition.ifMatch(many) }
        for fault in ConditionFault.allCases { #expect(fault.sentence.hasSuffix(".")) }
    }

    @Test func tokenOfAnyField() throws {
        let secret = "s.abc"
        for pair in [
            (FieldName.authorization, "bearer s.abc"), (.xVaultToken, secret),
            (.xConsulToken, secret),
        ] {
            #expect(try fields([pair]).presentedToken()?.secret == secret)
        }
        #expect(try fields([]).presentedToken() == nil)
        #expect(try fields([(.authorization, "AWS4-HMAC-SHA256 x")]).presentedToken() == nil)
        let same = try fields([(.authorization, "Bearer s.abc"), (.xVaultToken, secret)])
        #expect(try same.presentedToken()?.secret == secret)
    }

    @Test func doubtAboutTokenIsAnError() throws {
        let two = try fields([(.authorization, "Bearer a"), (.xVaultToken, "b")])
        #expect(throws: CredentialFault.ambiguous) { try two.presentedToken() }
        let other = try fields([(.xVaultToken, "b"), (.xConsulToken, "c")])
        #expect(throws: CredentialFault.ambiguous) { try other.presentedToken() }
        let repeated = try fields([(.authorization, "Bearer a"), (.authorization, "Bearer a")])
        #expect(throws: CredentialFault.repeated) { try repeated.presentedToken() }
        for value in ["Bearer", "Bearer a b", "Bearer a,b", ", Bearer a", ""] {
            let bad = try fields([(.authorization, value)])
            #expect(throws: CredentialFault.malformed) { try bad.presentedToken() }
        }
        for fault in CredentialFault.allCases { #expect(fault.sentence.hasSuffix(".")) }
    }

    @Test func tokenNeverShowsItself() throws {
        let token = try #require(PresentedToken("s.hidden"))
        #expect(!"\(token) \(String(reflecting: token))".contains("hidden"))
    }

    @Test func idempotencyKeys() {
        #expect(IdempotencyKey("\"8e03\"")?.text == "8e03")
        #expect(IdempotencyKey("8e03-1")?.text == "8e03-1")
        for bad in [
            "", "\"\"", "\"", "a b", "a\"b", "\"a", "a,b", "ä", String(repeating: "a", count: 129),
        ] {
            #expect(IdempotencyKey(bad) == nil)
        }
    }
}
