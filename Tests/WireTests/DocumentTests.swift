import Testing
import Wire

@Suite struct DocumentTests {
    @Test func fieldsLeaveNilOut() {
        let document = Document.fields([
            "name": "a", "ttl": nil, "port": .number(8080), "since": .timestamp(.epoch),
            "every": .duration(.seconds(90)), "size": .byteCount(.kibibytes(64)),
            "tags": .list(["x", "y"]),
        ])
        #expect(
            String(decoding: JSON.compact(document), as: UTF8.self)
                == #"{"name":"a","port":8080,"since":"1970-01-01T00:00:00Z","every":"1m30s","#
                + #""size":"64KiB","tags":["x","y"]}"#
        )
    }

    @Test func lookUp() throws {
        let document: Document = ["a": [1, "x", true, nil]]
        #expect(document["a"]?[0]?.integer == 1)
        #expect(document["a"]?[1]?.text == "x")
        #expect(document["a"]?[2]?.bool == true)
        #expect(document["a"]?[3]?.isNull == true)
        #expect(document["a"]?[4] == nil)
        #expect(document["b"] == nil)
        #expect(document[0] == nil)
        #expect(try YAML.parse("true")[0].bool == true)
        #expect(try YAML.parse("yes")[0].bool == nil)
        #expect(try YAML.parse("12")[0].integer == 12)
    }

    @Test func equalityIgnoresOrderAndPosition() throws {
        #expect(try JSON.parse(#"{"a":1,"b":2}"#) == JSON.parse(" {\"b\":2,\n\"a\":1}"))
        #expect(try JSON.parse(#"{"a":1}"#) != JSON.parse(#"{"a":"1"}"#))
        #expect(try JSON.parse(#"{"a":1}"#) != JSON.parse(#"{"a":1,"b":2}"#))
        #expect(try JSON.parse("[1,2]") != JSON.parse("[2,1]"))
    }

    @Test func setReplacesOrAdds() {
        var document: Document = ["a": 1]
        document.set("a", 2)
        document.set("b", "x")
        #expect(document == ["a": 2, "b": "x"])
        #expect(Document.map(["z": "1", "a": "2"]) == ["a": "2", "z": "1"])
    }
}
