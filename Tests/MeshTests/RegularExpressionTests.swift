import Mesh
import Testing

@Suite struct RegularExpressionTests {
    @Test(arguments: [
        ("", "", true), ("a", "a", true), ("a", "ab", false), ("a*", "", true),
        ("a+", "", false), ("a+", "aaa", true), ("a|b", "b", true), ("(ab|c)d", "cd", true),
        ("(?:ab)?c", "c", true), ("a{2}", "aa", true), ("a{2}", "aaa", false),
        ("a{2,}", "aaaa", true), ("a{1,3}", "aaaa", false), ("[a-c]", "b", true),
        ("[^a-c]", "b", false), ("[]a]", "]", true), ("[a\\d-]+", "a9-", true),
        ("\\d\\w\\s", "1a ", true), ("\\D", "1", false), ("\\.", ".", true), (".", "\n", false),
        ("^a$", "a", true), ("a^", "a", false), ("/v1/.*", "/v1/x/y", true),
        ("a.*?b", "axxb", true),
        ("(a|)*b", "aab", true), ("(a*)*", "aaa", true), ("()*", "", true), ("(){200}", "", true),
    ])
    func wholeTextMatches(pattern: String, text: String, expected: Bool) throws {
        #expect(try RegularExpression(pattern).matches(text) == expected)
    }

    @Test(arguments: [
        "(", ")", "[", "[a", "*", "a**", "+", "a{", "a{2", "a{3,2}", "(?=a)", "(?i)a", "\\", "\\b",
        "\\1", "\\pL", "[b-a]", "[[:alpha:]]", "a{2}{2}", "{2}",
    ])
    func whatIsOutsideTheSubsetIsRefused(pattern: String) {
        #expect(throws: RegularExpression.PatternError.self) { try RegularExpression(pattern) }
    }

    @Test func sizeDepthAndRepetitionAreBounded() {
        let patterns = [
            String(repeating: "a", count: 513),
            String(repeating: "(", count: 100) + String(repeating: ")", count: 100),
            "((a{255}){255}){255}", "a{256}", "((a?){255}){255}",
        ]
        for pattern in patterns {
            #expect(throws: RegularExpression.PatternError.self) { try RegularExpression(pattern) }
        }
    }

    /// Each of these takes exponential time where matching backtracks.
    @Test(arguments: ["(a*)*b", "(a|a)*b", "(a+)+b", "(.*.*.*)b", "((){255}){255}a"])
    func catastrophicPatternsAreHarmless(pattern: String) throws {
        let text = String(repeating: "a", count: 2000)
        #expect(try !RegularExpression(pattern).matches(text))
    }
}
