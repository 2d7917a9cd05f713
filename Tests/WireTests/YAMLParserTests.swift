import Testing
import Wire

@Suite struct YAMLParserTests {
    /// Turns every scalar into a string, so that literals can stand for plain scalars.
    private func plain(_ document: Document) -> Document {
        switch document.node {
        case .plain(let text): .string(text)
        case .list(let items): .list(items.map(plain))
        case .map(let entries):
            Document(.map(entries.map { Document.Entry(key: $0.key, value: plain($0.value)) }))
        case .null, .bool, .number, .string: document
        }
    }

    @Test(
        arguments: [
            ("a: b", ["a": "b"]),
            ("a: b # c\n#d\n\n  # e\nf: 'g # h' # i", ["a": "b", "f": "g # h"]),
            ("a: b#c", ["a": "b#c"]),
            ("a:\n  b: c\n  d:\n    e: f\ng: h", ["a": ["b": "c", "d": ["e": "f"]], "g": "h"]),
            ("- a\n- b", ["a", "b"]),
            ("a:\n- b\n- c\nd: e", ["a": ["b", "c"], "d": "e"]),
            ("a:\n  - b\n  - c", ["a": ["b", "c"]]),
            ("- name: x\n  port: 1\n- name: y", [["name": "x", "port": "1"], ["name": "y"]]),
            ("- name:\n  - a\n  b: c", [["name": ["a"], "b": "c"]]),
            ("-\n  a: b\n-   c: d\n    e: f", [["a": "b"], ["c": "d", "e": "f"]]),
            ("- - a\n  - b\n- - c", [["a", "b"], ["c"]]),
            ("a:\n  b", ["a": "b"]),
            ("a:\nb:", ["a": nil, "b": nil]),
            ("-\n-", [nil, nil]),
            ("a: \"x\\n\\u00e9\"\nb: 'it''s'", ["a": "x\né", "b": "it's"]),
            ("\"a: b\": c\n'd' : e", ["a: b": "c", "d": "e"]),
            (
                "a: 127.0.0.1:80\nb: http://x/y#z\nc: :8080",
                [
                    "a": "127.0.0.1:80", "b": "http://x/y#z", "c": ":8080",
                ]
            ),
            ("- key:value\n- -5\n- a - b\n- ?x", ["key:value", "-5", "a - b", "?x"]),
            (
                "country: no\nversion: 1.0\nx: null\ny: ~\nz: 0777",
                [
                    "country": "no", "version": "1.0", "x": "null", "y": "~", "z": "0777",
                ]
            ),
            ("a: [1, \"b\", {\"c\": null}] # d\ne: {}", ["a": [1, "b", ["c": nil]], "e": [:]]),
            ("a: [\n1,\n\t2\n]\nb: c", ["a": [1, 2], "b": "c"]),
            ("{\"a\": [1,\r\n 2]}", ["a": [1, 2]]),
            ("# c\n  {\"a\":\ttrue}\n", ["a": true]),
            ("a: b\r\nc:\r\n- d\r\n", ["a": "b", "c": ["d"]]),
            ("---\na: b", ["a": "b"]),
            ("a b: c d  ", ["a b": "c d"]),
            ("\t{\t}\t", [:]), ("scalar", "scalar"), ("\"12\"", "12"), ("---x", "---x"),
            ("a: é😀", ["a": "é😀"]),
        ] as [(String, Document)]
    )
    func accepts(text: String, expected: Document) throws {
        let documents = try YAML.parse(text)
        #expect(documents.count == 1)
        #expect(documents.first.map(plain) == expected)
    }

    @Test func splitsDocumentsAndSkipsEmptyOnes() throws {
        let documents = try YAML.parse("# c\n---\n---\na: b\n--- # c\n[1]\n---\n- c\n---\n# d\n")
        #expect(documents.map(plain) == [["a": "b"], [1], ["c"]])
        #expect(try YAML.parse("").isEmpty)
        #expect(try YAML.parse("\n# only a comment\n---\n").isEmpty)
    }

    @Test(arguments: [
        ("a: &x b", 1, 4, "anchors"), ("a: *x", 1, 4, "aliases"), ("a: !!str b", 1, 4, "tags"),
        ("a: |\n  b", 1, 4, "block scalars"), ("a: >-\n  b", 1, 4, "block scalars"),
        ("a:\n\tb: c", 2, 1, "a tab"), ("a:\tb", 1, 3, "a tab"), ("a: b\tc", 1, 5, "a tab"),
        ("a:\n  b: c\n\t\nd: e", 3, 1, "an empty line holds a tab"),
        ("a: b\na: c", 2, 1, "this key was given before"),
        ("a: b\n\"\\u0061\": c", 2, 1, "this key was given before"),
        ("- a: b\n  'a': c", 2, 3, "this key was given before"),
        ("a: b\nkey:value", 2, 1, "a key should be here"),
        ("a: b\n  c: d", 2, 3, "this line does not belong"),
        ("a: b\n  c", 2, 3, "this line does not belong"),
        ("a:\n    b: c\n  d: e", 3, 3, "this line does not belong"),
        ("  a: b\nc: d", 2, 1, "this line does not belong"),
        ("- a\n  b", 2, 3, "this line does not belong"),
        ("a: b\n- c", 2, 1, "a list item stands"),
        ("- a\nb: c", 2, 1, "this line does not belong"),
        ("a: - b", 1, 4, "a list cannot begin"), ("a: b: c", 1, 4, "a second colon"),
        ("a: \"b\" c", 1, 8, "something follows"), ("a: \"b\"#c", 1, 7, "something follows"),
        ("a: \"b", 1, 4, "the string is not closed"), ("a: \"b\nc\"", 1, 4, "the string does not"),
        ("a: 'b", 1, 4, "the quote is not closed"), ("a: \"\\x41\"", 1, 5, "this escape"),
        ("a: [b]", 1, 5, "this is not a JSON value"), ("a: {b: c}", 1, 5, "a key should be"),
        ("a: [1] b", 1, 8, "something follows the closing"), ("a: [1", 1, 6, "the list is not"),
        ("a: {\"b\":1,\"b\":2}", 1, 11, "this key was given before"),
        ("%YAML 1.2\n---\na: b", 1, 1, "directives"), ("a: b\n...", 2, 1, "'...' is not"),
        ("--- a", 1, 5, "something follows ---"), ("? a\n: b", 1, 1, "keys that are maps"),
        ("<<: a", 1, 1, "merge keys"), (": a", 1, 1, "the key is missing"),
        ("a: @b", 1, 4, "a plain text cannot"), ("a: `b", 1, 4, "a plain text cannot"),
        ("a: ,b", 1, 4, "a plain text cannot"), ("a: ]", 1, 4, "a plain text cannot"),
        ("a: %b", 1, 4, "a plain text cannot"), ("a: \u{1}", 1, 4, "a control character"),
        ("a: b\u{7F}", 1, 5, "a control character"), ("a: 'b\u{1}'", 1, 6, "a control character"),
        ("a: b\rc: d", 1, 5, "a control character"), ("\"a\":b", 1, 4, "a space is missing"),
        ("\u{FEFF}a: b", 1, 1, "the text starts with a byte order mark"),
        ("*: a", 1, 1, "aliases"), ("a\u{0}: b", 1, 2, "a control character"),
    ])
    func refuses(text: String, line: Int, column: Int, problem: String) {
        let error = #expect(throws: DocumentError.self) {
            try YAML.parse(text, source: "file.yaml")
        }
        #expect(error?.position == SourcePosition(line: line, column: column))
        #expect(error?.problem.hasPrefix(problem) == true, "\(error?.description ?? "")")
        #expect(error?.hint.isEmpty == false && error?.source == "file.yaml")
    }

    @Test func limits() throws {
        let limits = DocumentLimits(bytes: ByteCount(bytes: 60), depth: 3, nodes: 6)
        #expect(try YAML.parse("- - - a", limits: limits).count == 1)
        #expect(throws: DocumentError.self) { try YAML.parse("- - - - a", limits: limits) }
        #expect(throws: DocumentError.self) { try YAML.parse("- - - [1]", limits: limits) }
        #expect(throws: DocumentError.self) {
            try YAML.parse("a:\n b:\n  c:\n   d: e", limits: limits)
        }
        #expect(throws: DocumentError.self) { try YAML.parse("[1,1,1,1,1,1]", limits: limits) }
        #expect(throws: DocumentError.self) { try YAML.parse("-\n-\n-\n-\n-\n-", limits: limits) }
        #expect(throws: DocumentError.self) {
            try YAML.parse(String(repeating: "\n", count: 61), limits: limits)
        }
        let bomb = String(repeating: "- ", count: 100_000)
        #expect(throws: DocumentError.self) { try YAML.parse(bomb) }
        #expect(throws: DocumentError.self) { try YAML.parse([0x61, 0x3A, 0x20, 0xC0, 0x80]) }
    }

    @Test func singleDocument() throws {
        #expect(try YAML.parseSingle(Array("a: b".utf8))["a"]?.text == "b")
        #expect(throws: DocumentError.self) { try YAML.parseSingle([]) }
        #expect(throws: DocumentError.self) { try YAML.parseSingle(Array("a: b\n---\nc: d".utf8)) }
    }

    @Test func positions() throws {
        let document = try YAML.parse("a:\n  - b: c\n    d: {\"e\": 1}\n")[0]
        #expect(document["a"]?.position == SourcePosition(line: 2, column: 3))
        #expect(document["a"]?[0]?["b"]?.position == SourcePosition(line: 2, column: 8))
        #expect(document["a"]?[0]?["d"]?["e"]?.position == SourcePosition(line: 3, column: 14))
    }
}
