import Testing

@Suite("Lexer")
struct LexerTests {
    private func texts(_ text: String, _ kind: Token.Kind) -> [String] {
        Lexer.tokens(of: text).filter { $0.kind == kind }.map(\.text)
    }

    @Test(arguments: [
        (#""a\"b""#, [#"a\"b"#]), (##"#"a"b"#"##, [#"a"b"#]), (#""a\(b)c""#, [#"a\()c"#]),
        ("\"\"\"\na\"b\n\"\"\"", ["\na\"b\n"]), (#""a\(f("b"))c""#, [#"a\()c"#, "b"]),
        ("\"//\" // \"no\"", ["//"]), ("\"\"", [""]), (##"#"a\(b)\#(c)"#"##, [#"a\(b)\()"#]),
    ])
    func literals(text: String, expected: [String]) {
        #expect(texts(text, .literal) == expected)
    }

    @Test func interpolationIsCode() {
        #expect(texts(#""a\(b + "\(c)")" + d"#, .word) == ["b", "c", "d"])
    }

    @Test func comments() {
        let text = "a /* b /* c */\n d */ e // f\n/// g\n"
        #expect(texts(text, .word) == ["a", "e"])
        #expect(texts(text, .comment) == ["/* b /* c */\n d */", "// f", "/// g"])
    }

    @Test func lines() {
        let tokens = Lexer.tokens(of: "a\n/*\n*/ b \"\"\"\nx\n\"\"\"\nc\n")
        #expect(tokens.map(\.line) == [1, 2, 3, 3, 6])
        #expect(tokens.map(\.lastLine) == [1, 3, 3, 5, 6])
    }

    @Test(arguments: ["\"open", "/* open", "\"\"\"open", "\"\\(open", "#\"", "\\", "\"\\"])
    func endsOnAnything(text: String) {
        #expect(!Lexer.tokens(of: text).isEmpty)
    }
}
