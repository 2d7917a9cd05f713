import Mesh
import Testing
import Wire

@Suite struct PolicyTextTests {
    private func rules(_ text: String) throws -> [String: Set<Capability>] {
        let policy = try PolicyText.parse(text, name: "p")
        return Dictionary(
            uniqueKeysWithValues: policy.rules.map { ($0.path.text, $0.capabilities) }
        )
    }

    @Test func hclAndJSONSayTheSame() throws {
        let expected: [String: Set<Capability>] = [
            "secret/data/*": [.read, .list], "secret/+/own": [.deny],
        ]
        let hcl = """
            # what the team may read
            path "secret/data/*" {
                capabilities = ["read", "list"] // and no more
            }
            /* nothing
               here */ path "/secret/+/own" { capabilities = ["deny",] }
            """
        #expect(try rules(hcl) == expected)
        let json = """
             {"path": {"secret/data/*": {"capabilities": ["read", "list"]},
                       "secret/+/own": [{"capabilities": "deny"}]}}
            """
        #expect(try rules(json) == expected)
        let list = """
            {"path": [{"secret/data/*": {"capabilities": ["read", "list"]}},
                      {"secret/+/own": {"capabilities": ["deny"]}}]}
            """
        #expect(try rules(list) == expected)
        #expect(try rules("").isEmpty)
        #expect(try rules("{}").isEmpty)
        #expect(try rules("path \"a\" { capabilities = [] }") == ["a": []])
    }

    @Test func whatIsWrittenReadsAsTheSamePolicy() throws {
        let policy = try PolicyText.parse(
            "path \"a \\\"b\\\" \\\\ é/*\" { capabilities = [\"read\"] } path \"c\" { \"capabilities\" = [] }",
            name: "p"
        )
        #expect(try PolicyText.parse(PolicyText.format(policy), name: "p") == policy)
    }

    /// What narrows a right elsewhere must not be passed over: that would grant more than was meant.
    @Test(arguments: [
        #"path "a" { capabilities = ["read"] allowed_parameters = { "x" = [] } }"#,
        #"path "a" { capabilities = ["read"] denied_parameters { "x" = [] } }"#,
        #"path "a" { capabilities = ["read"] min_wrapping_ttl = "1s" }"#,
        #"path "a" { policy = "write" }"#,
        #"{"path": {"a": {"capabilities": ["read"], "required_parameters": ["x"]}}}"#,
    ])
    func whatIsNotEnforcedIsRefused(text: String) {
        #expect {
            try PolicyText.parse(text, name: "p")
        } throws: { error in
            (error as? PolicyTextError)?.problem.contains("not enforced here") == true
        }
    }

    @Test(arguments: [
        "path", "path \"a\"", "path \"a\" {", "path \"a\" {}", "path a { capabilities = [] }",
        "path \"a\" { capabilities = [\"root\"] }", "path \"a\" { capabilities = \"read\" }",
        "path \"a\" { capabilities = [\"read\" \"list\"] }",
        "path \"a\" { capabilities = [] capabilities = [] }", "name = \"x\"",
        "path \"a\" { capabilities = [] } path \"a\" { capabilities = [] }",
        "path \"a*b\" { capabilities = [] }", "path \"\" { capabilities = [] }",
        "path \"a\\u0041\" { capabilities = [] }", "path \"a\u{7}\" { capabilities = [] }",
        "/* no end", "\"path", "path \"a\" { capabilities = [\"read\"] } trailing",
        "{\"path\": [1]}", "{\"path\": {\"a\": 1}}", "{\"other\": {}}", "{\"path\": {\"a\": {}}}",
        "{\"path\": {\"a\": {\"capabilities\": [1]}}}", "{", "[]",
        String(repeating: "#", count: PolicyText.textBytesMax + 1),
    ])
    func whatIsNoPolicyIsRefused(text: String) {
        #expect(throws: PolicyTextError.self) { try PolicyText.parse(text, name: "p") }
    }

    @Test func anErrorSaysWhere() {
        #expect {
            try PolicyText.parse("path \"a\" {\n  capabilities = [\"reed\"]\n}", name: "p")
        } throws: { error in
            "\(error)".hasPrefix("line 2, column 3: the capabilities are ")
        }
    }
}
