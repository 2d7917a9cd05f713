import Store
import Testing
import Wire

@Suite struct RedactionTests {
    @Test(arguments: [
        ("services/default/web", "services/default/web"),
        ("services/web?token=abc", "services/web?[redacted]"),
        ("GET /v1/x?a=b HTTP", "GET /v1/x?[redacted] HTTP"),
        ("Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
        ("basic dXNlcjpwYXNz", "basic [redacted]"),
        ("tp.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "[redacted]"),
        ("a/tpj1.AAAAAAAAAAAAAAAAAAAAAAAA/b", "a/[redacted]/b"),
        ("token=tp.AAAAAAAAAAAAAAAAAAAAAAAA,", "token=[redacted],"),
        ("(\"hvs.AAAAAAAAAAAAAAAAAAAAAAAA\")", "(\"[redacted]\")"),
        ("line\nbreak\u{0}", "line\u{FFFD}break\u{FFFD}"),
        ("s.internal", "s.internal"),
    ])
    func credentialsGo(text: String, expected: String) {
        #expect(Redaction.text(text) == expected)
    }

    @Test func longTextsAreCutBetweenCharacters() {
        let text = Redaction.text(String(repeating: "é", count: 5_000))
        #expect(text.utf8.count == 4_096)
    }

    @Test func fieldsThatHoldSecretsByNameLoseThem() {
        let detail: Document = ["Password": "x", "list": [["secret": 1]], "name": "web"]
        #expect(
            Redaction.detail(detail)
                == #"{"Password":"[redacted]","list":[{"secret":"[redacted]"}],"name":"web"}"#
        )
    }

    @Test func aLargeDetailIsReplacedByItsSize() {
        let detail: Document = .list([String](repeating: "0123456789", count: 10_000))
        #expect(Redaction.detail(detail).hasPrefix(#"{"omitted_bytes":1"#))
    }
}
