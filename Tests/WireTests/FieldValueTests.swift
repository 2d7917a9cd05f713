import Testing
import Wire

@Suite struct FieldValueTests {
    @Test func limitsOfListsAndMaps() throws {
        let list = FieldValue([1, 2, 3], path: "ports")
        #expect(try list.list(limit: 3).map(\.path) == ["ports[0]", "ports[1]", "ports[2]"])
        #expect(throws: FieldError.self) { try list.list(limit: 2) }
        let map = FieldValue(["a": "1", "b": "2"])
        #expect(try map.stringMap(limit: 2) == ["a": "1", "b": "2"])
        #expect(throws: FieldError.self) { try map.entries(limit: 1) }
        #expect(try map.entries().map(\.key) == ["a", "b"])
    }

    @Test func parsersErrorsBecomeProblems() throws {
        let value = FieldValue("zz", path: "digest")
        let error = #expect(throws: FieldError.self) {
            try value.parsed(as: "hex digits") { text throws(WireError) in try Hex.decode(text) }
        }
        #expect(error?.path == "digest")
        #expect(error?.hint == "write hex digits")
        #expect(error?.problem.hasPrefix("malformed hex") == true)
    }

    @Test func choicesGoOnWithTheBytesThatWereAllowed() throws {
        let kelvinSign = FieldValue("\u{212A}")
        #expect(Array(try kelvinSign.choice(of: ["K"]).utf8) == [0x4B])
    }

    @Test func textLengthIsInBytes() throws {
        #expect(try FieldValue("é").string(bytes: 2...2) == "é")
        #expect(throws: FieldError.self) { try FieldValue("é").string(bytes: 0...1) }
        #expect(try FieldValue(["a", "b"]).strings() == ["a", "b"])
        #expect(throws: FieldError.self) { try FieldValue(["a", 1]).strings() }
    }
}
