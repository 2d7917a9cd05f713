import Testing
import Wire

@Suite struct JSONWriterTests {
    private static let document: Document = [
        "b": [1, "x", true, nil, [], [:]], "a": ["é": "\u{1}\n\"\\/\u{7F}", "z": -1], "B": "",
    ]

    @Test func canonicalSortsByBytesAndEscapesOnlyWhatMustBe() {
        let text = String(decoding: JSON.canonical(Self.document), as: UTF8.self)
        #expect(
            text == "{\"B\":\"\",\"a\":{\"z\":-1,\"é\":\"\\u0001\\n\\\"\\\\/\u{7F}\"},"
                + "\"b\":[1,\"x\",true,null,[],{}]}"
        )
    }

    @Test func compactKeepsTheOrder() {
        let text = String(decoding: JSON.compact(Self.document), as: UTF8.self)
        #expect(text.hasPrefix("{\"b\":[1,\"x\",true,null,[],{}],\"a\":{\"é\":"))
    }

    @Test func prettyIndents() {
        let document: Document = ["a": [1, 2], "b": [:], "c": []]
        #expect(
            String(decoding: JSON.pretty(document), as: UTF8.self)
                == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}\n"
        )
    }

    @Test func everyLayoutReadsBack() throws {
        for bytes in [
            JSON.canonical(Self.document), JSON.compact(Self.document), JSON.pretty(Self.document),
        ] {
            #expect(try JSON.parse(bytes) == Self.document)
        }
    }

    @Test func canonicalOrderIsOfBytesNotOfCharacters() {
        // U+FF5E sorts before U+1F600 by UTF-8 bytes and after it by UTF-16 units.
        let document: Document = ["\u{1F600}": 1, "\u{FF5E}": 2, "e\u{301}": 3, "f": 4]
        #expect(
            String(decoding: JSON.canonical(document), as: UTF8.self)
                == "{\"e\u{301}\":3,\"f\":4,\"\u{FF5E}\":2,\"\u{1F600}\":1}"
        )
    }
}
