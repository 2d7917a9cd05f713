import DataPlane
import Testing

/// Words end where PostgreSQL's scanner ends them, for a statement must not hide in a string that is
/// none.
@Suite struct SQLLexerTests {
    private func words(
        _ text: String,
        standardStrings: Bool = true
    ) throws(SQLFault) -> [String] {
        let bytes = Array(text.utf8)
        var lexer = SQLLexer(bytes, standardStrings: standardStrings)
        var words: [String] = []
        while let token = try lexer.next() {
            words.append(String(decoding: bytes[token.range], as: UTF8.self))
        }
        return words
    }

    @Test(arguments: [
        ("SELECT 'a''b', \"c\"\"d\"", ["SELECT", "'a''b'", ",", "\"c\"\"d\""]),
        // A backslash escapes in E'' alone.
        ("'a\\' b", ["'a\\'", "b"]), ("E'a\\'' b", ["E'a\\''", "b"]),
        ("e'\\\\' b", ["e'\\\\'", "b"]), ("N'a\\' b", ["N'a\\'", "b"]),
        ("U&'a\\' b", ["U&'a\\'", "b"]), ("B'01' X'1F'", ["B'01'", "X'1F'"]),
        ("fe'a\\' b", ["fe", "'a\\'", "b"]), ("u & 'a'", ["u", "&", "'a'"]),
        ("U&\"d\\0061\" x", ["U&\"d\\0061\"", "x"]),
        // Strings go on behind a line break, and escape further if they began so.
        ("E'a'\n'b\\'' c", ["E'a'\n'b\\''", "c"]), ("'a'\n'b\\' c", ["'a'\n'b\\'", "c"]),
        ("E'a' -- x\n'b\\'' c", ["E'a' -- x\n'b\\''", "c"]),
        ("E'a' -- x'\n -- y'\r 'b\\'' c", ["E'a' -- x'\n -- y'\r 'b\\''", "c"]),
        ("E'a' 'b\\' c", ["E'a'", "'b\\'", "c"]),
        ("E'a' /* x */\n'b\\' c", ["E'a'", "'b\\'", "c"]),
        // Dollar quotes end at their own mark only.
        ("$$a'b$$ c", ["$$a'b$$", "c"]), ("$x$ $y$ $$ $x$ c", ["$x$ $y$ $$ $x$", "c"]),
        ("$$ $a$$ c", ["$$ $a$$", "c"]), ("$a$ $b$a$ c", ["$a$ $b$a$", "c"]),
        ("a$$b$$ c", ["a$$b$$", "c"]), ("$1$$a$$", ["$1", "$$a$$"]), ("$1a", ["$1", "a"]),
        ("$ä$ ' $ä$ b", ["$ä$ ' $ä$", "b"]), ("$1x$ b", ["$1", "x$", "b"]),
        ("$x y", ["$", "x", "y"]),
        // Comments nest and begin within operators.
        ("a/* 1 /* 2 */ 3 */b", ["a", "b"]), ("a -- b\nc", ["a", "c"]),
        ("a -- b\rc", ["a", "c"]), ("1 +-- x\n2", ["1", "+", "2"]),
        ("1 */* x */ 2", ["1", "*", "2"]), ("/**/a/***/b", ["a", "b"]),
        ("/*/**/*/a", ["a"]), ("a\u{0B}b\u{0C}c", ["a", "b", "c"]),
        // Numbers, with what older servers read as a word behind them.
        (
            "1.5e-3 .5 1. 1e 0x1F 1_000 1..2",
            [
                "1.5e-3", ".5", "1.", "1", "e", "0x1F", "1_000",
                "1", ".", ".2",
            ]
        ),
        ("1union", ["1", "union"]), ("0xg", ["0", "xg"]),
        ("é_1$ x", ["é_1$", "x"]), ("a::int>=-1", ["a", ":", ":", "int", ">", "=", "-", "1"]),
        ("", []), (" \t\r\n", []), ("-- only", []), ("/* only */", []),
    ])
    func wordsEndWhereTheServerEndsThem(text: String, expected: [String]) throws {
        #expect(try words(text) == expected)
    }

    @Test(arguments: [
        "'a", "E'a\\'", "\"a", "/* a", "/* /* */", "$$a", "$x$a$$", "$x$a$x", "E'a'\n'b", "U&\"a",
        "E'\\",
    ])
    func whatHasNoEndIsRefused(text: String) {
        #expect(throws: SQLFault.unterminated) { try words(text) }
    }

    @Test func withoutStandardStringsBackslashesEscapeEverywhere() throws {
        #expect(try words("'a\\'' b", standardStrings: false) == ["'a\\''", "b"])
        #expect(try words("N'a\\'' b", standardStrings: false) == ["N'a\\''", "b"])
        #expect(try words("X'a\\' b", standardStrings: false) == ["X'a\\'", "b"])
        #expect(try words("$$a\\$$ b", standardStrings: false) == ["$$a\\$$", "b"])
    }

    @Test func depthAndControlBytesAreBounded() throws {
        let depth = SQLLexer.commentDepthMax
        func nested(_ count: Int) -> String {
            String(repeating: "/*", count: count) + String(repeating: "*/", count: count)
        }
        #expect(try words(nested(depth)) == [])
        #expect(throws: SQLFault.nestingTooDeep) { try words(nested(depth + 1)) }
        for text in ["\0", "'\0'", "\"\0\"", "$$\0$$", "/*\0*/"] {
            #expect(throws: SQLFault.controlByte) { try words(text) }
        }
    }

    /// Only what can be read off is plain.
    @Test(arguments: [
        ("'abc'", true), ("'a''b'", false), ("E'abc'", false), ("'a\\b'", false),
        ("'a'\n'b'", false), ("$$abc$$", false), ("\"abc\"", true), ("U&\"abc\"", false),
        ("U&'abc'", false),
    ])
    func plainValuesAreTold(text: String, isPlain: Bool) throws {
        var lexer = SQLLexer(Array(text.utf8), standardStrings: true)
        let first = try lexer.next()
        let second = try lexer.next()
        #expect(first?.isPlain == isPlain)
        #expect(second == nil)
    }
}
