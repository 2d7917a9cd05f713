import Mesh
import Testing

@Suite struct PermissionTests {
    private func matches(
        _ http: HTTPCondition,
        _ path: String = "/",
        method: String = "GET",
        headers: [(String, String)] = [],
        action: Verdict = .allow
    ) -> Bool {
        Permission(action: action, http: http).matches(
            RequestFacts(
                method: method,
                path: path,
                headers: headers.map { RequestFacts.Header(name: $0.0, value: $0.1) }
            )
        )
    }

    @Test(arguments: [
        ("/v1", "/v1", true), ("/v1", "/v1/", true), ("/v1", "/v1/x", true),
        ("/v1", "/v10", false), ("/v1/", "/v1", false), ("/v1/", "/v1/x", true),
        ("/", "/x", true), ("/v1", "/V1", false), ("/v1", "/", false),
    ])
    func prefixesAreWholeSegments(prefix: String, path: String, expected: Bool) {
        #expect(matches(HTTPCondition(path: .prefix(prefix)), path) == expected)
    }

    @Test func rawPrefixesAreBytes() {
        #expect(matches(HTTPCondition(path: .rawPrefix("/admin")), "/administrator"))
        #expect(!matches(HTTPCondition(path: .rawPrefix("/admin")), "/adm"))
    }

    @Test func exactIsExact() {
        #expect(matches(HTTPCondition(path: .exact("/a")), "/a"))
        #expect(!matches(HTTPCondition(path: .exact("/a")), "/a/"))
    }

    @Test func methodsAreCaseSensitive() {
        #expect(matches(HTTPCondition(methods: ["GET", "PUT"]), method: "PUT"))
        #expect(!matches(HTTPCondition(methods: ["GET"]), method: "get"))
    }

    @Test func regexCoversTheWholePath() {
        #expect(matches(HTTPCondition(path: .regex("/v[0-9]+/.*")), "/v12/x"))
        #expect(!matches(HTTPCondition(path: .regex("/v[0-9]+")), "/v12/x"))
    }

    @Test func anUnreadableExpressionDeniesEitherWay() {
        let http = HTTPCondition(path: .regex("(?=x)"))
        #expect(!matches(http, action: .allow))
        #expect(matches(http, action: .deny))
    }

    private func header(
        _ comparison: HeaderCondition.Comparison,
        inverted: Bool = false,
        ignoresCase: Bool = false
    ) -> HTTPCondition {
        HTTPCondition(headers: [
            HeaderCondition(
                name: "X-Tenant",
                comparison: comparison,
                isInverted: inverted,
                ignoresCase: ignoresCase
            )
        ])
    }

    @Test func headersAreMatchedByAnyOfTheComparators() {
        let given = [("x-tenant", "eu-West")]
        #expect(matches(header(.present), headers: given))
        #expect(!matches(header(.present, inverted: true), headers: given))
        #expect(matches(header(.present, inverted: true)))
        #expect(matches(header(.exact("eu-West")), headers: given))
        #expect(!matches(header(.exact("eu-west")), headers: given))
        #expect(matches(header(.exact("EU-west"), ignoresCase: true), headers: given))
        #expect(matches(header(.prefix("eu-")), headers: given))
        #expect(matches(header(.suffix("West")), headers: given))
        #expect(matches(header(.contains("u-W")), headers: given))
        #expect(matches(header(.regex("eu-.*")), headers: given))
        #expect(!matches(header(.contains("us")), headers: given))
        #expect(matches(header(.contains("us"), inverted: true), headers: given))
        #expect(!matches(header(.exact("x"))))
        #expect(matches(header(.exact("x"), inverted: true)))
    }

    @Test func repeatedHeadersTalkNobodyIn() {
        let mixed = [("x-tenant", "eu-1"), ("X-Tenant", "us-1")]
        #expect(!matches(header(.prefix("eu-")), headers: mixed, action: .allow))
        #expect(matches(header(.prefix("us-")), headers: mixed, action: .deny))
        #expect(matches(header(.prefix("eu-"), inverted: true), headers: mixed, action: .deny))
        #expect(!matches(header(.prefix("eu-"), inverted: true), headers: mixed, action: .allow))
    }
}
