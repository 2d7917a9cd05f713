import Testing
import Wire

@Suite struct JSONParserTests {
    @Test(
        arguments: [
            ("null", nil), (" true ", true), ("false", false), ("\"\"", ""), ("[]", []),
            ("{}", [:]), ("[1,-2,0]", [1, -2, 0]), ("{\"a\":{\"b\":[null]}}", ["a": ["b": [nil]]]),
            ("\r\n[ 1 ,\t2 ]\r\n", [1, 2]), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9\u20AC\uD83D\uDE00""#, "é€😀"), ("\"é€😀\u{7F}\"", "é€😀\u{7F}"),
            (#""\u0000""#, "\u{0}"), (#"{"b":1,"a":2}"#, ["a": 2, "b": 1]),
        ] as [(String, Document)]
    )
    func accepts(text: String, expected: Document) throws {
        #expect(try JSON.parse(text) == expected)
    }

    @Test(arguments: ["0", "-0", "0.5", "1e3", "-1.25E-7", "1E+400", "9007199254740993"])
    func keepsTheTextOfNumbers(text: String) throws {
        #expect(JSON.canonical(try JSON.parse(text)) == Array(text.utf8))
    }

    @Test(arguments: [
        "", " ", "nul", "True", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01", "1.", ".5",
        "1e", "1e+", "0x10", "1_000", "'a'", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{,}",
        "{a:1}", "{\"a\" 1}", "{\"a\":}", "[", "{", "\"", "[1", "{\"a\":1", "1 2", "[] []", "]",
        "// c\n1", "/* c */ 1", "\u{FEFF}1", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
        #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\ud800\ud800""#, #""\u12""#,
        #""\uzzzz""#, #""\x41""#, #""\"#, #""\u"#, "\"a\nb\"", "\"a\tb\"", "\"\u{1}\"", "\u{0}",
        "\u{A0}1", "[1]\u{0}",
    ])
    func refuses(text: String) {
        #expect(throws: DocumentError.self) { try JSON.parse(text) }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xFF], [0xE2, 0x82],
        ] as [[UInt8]]
    )
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(throws: DocumentError.self) { try JSON.parse([0x22] + bytes + [0x22]) }
        #expect(throws: DocumentError.self) { try JSON.parse([0x22, 0x5C, 0x6E] + bytes + [0x22]) }
        #expect(throws: DocumentError.self) { try JSON.parse(bytes) }
    }

    @Test func refusesDuplicatesAmongManyKeys() throws {
        let keys = (0..<100).map { "\"key\($0)\":\($0)" }
        let text = "{" + keys.joined(separator: ",")
        #expect(try JSON.parse(text + "}").entries?.count == 100)
        #expect(throws: DocumentError.self) { try JSON.parse(text + ",\"key7\":0}") }
        #expect(throws: DocumentError.self) { try JSON.parse(text + ",\"key99\":0}") }
    }

    @Test func limitsDepthSizeAndNodes() throws {
        let limits = DocumentLimits(bytes: ByteCount(bytes: 100), depth: 3, nodes: 5)
        #expect(try JSON.parse("[[[1]]]", limits: limits) == [[[1]]])
        #expect(throws: DocumentError.self) { try JSON.parse("[[[[1]]]]", limits: limits) }
        #expect(throws: DocumentError.self) { try JSON.parse("{\"a\":[[[]]]}", limits: limits) }
        #expect(throws: DocumentError.self) { try JSON.parse("[1,1,1,1,1]", limits: limits) }
        let wide = String(repeating: " ", count: 101)
        #expect(throws: DocumentError.self) { try JSON.parse(wide, limits: limits) }
        let bomb = String(repeating: "[", count: 1_000_000)
        #expect(throws: DocumentError.self) { try JSON.parse(bomb) }
        let longNumber = String(repeating: "1", count: 257)
        #expect(throws: DocumentError.self) { try JSON.parse(longNumber) }
    }

    @Test(
        arguments: [
            ("{\"a\":1,\"b\":[2]}", true), ("{\"b\":1,\"a\":2}", false), ("[1, 2]", false),
            ("[1]\n", false), (" 1", false), (#""\n""#, true), (#""\u000a""#, false),
            (#""\u001f""#, true), (#""\u001F""#, false), (#""\/""#, false), ("\"é\"", true),
            (#""\u00e9""#, false), ("{\"a\":1,\"aa\":2,\"é\":3}", true),
        ]
    )
    func oneSpellingIsCanonical(text: String, isCanonical: Bool) throws {
        #expect((try JSON.parse(canonical: Array(text.utf8)) != nil) == isCanonical)
    }

    @Test func errorsNameThePlaceAndTheRemedy() throws {
        let error = #expect(throws: DocumentError.self) {
            try JSON.parse("{\n  \"a\": 1,\n  b: 2\n}", source: "policy.json")
        }
        #expect(error?.position == SourcePosition(line: 3, column: 3))
        #expect(error?.description.hasPrefix("policy.json:3:3: a key should be here; ") == true)
        let document = try JSON.parse("{\n \"a\":  [1]}")
        #expect(document["a"]?.position == SourcePosition(line: 2, column: 8))
        #expect(document.entries?.first?.keyPosition == SourcePosition(line: 2, column: 2))
    }
}
