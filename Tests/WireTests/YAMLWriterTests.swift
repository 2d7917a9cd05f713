import Testing
import Wire

@Suite struct YAMLWriterTests {
    @Test func writesForPeople() throws {
        let document: Document = [
            "kind": "intention", "sources": [["name": "web", "ns": "*"], ["name": "no"]],
            "port": 8080, "on": true, "empty": [], "none": [:], "absent": nil,
            "nested": [[1, 2], [[:]], nil], "text": "a: b # c\n", "number": "8080", "yes": "",
        ]
        let text = String(decoding: YAML.write(document), as: UTF8.self)
        #expect(
            text == """
                kind: intention
                sources:
                  - name: web
                    ns: "*"
                  - name: "no"
                port: 8080
                "on": true
                empty: []
                none: {}
                absent:
                nested:
                  - - 1
                    - 2
                  - - {}
                  -
                text: "a: b # c\\n"
                number: "8080"
                "yes": ""

                """
        )
        let back = try YAML.parseSingle(Array(text.utf8))
        #expect(YAML.write(back) == Array(text.utf8))
    }

    @Test func plainScalarsKeepWhatTheyCanBe() throws {
        let document = try YAML.parse("a: true\nb: 12\nc: 1h\nd: x y\ne: no")[0]
        #expect(
            String(decoding: YAML.write(document), as: UTF8.self)
                == "a: true\nb: 12\nc: \"1h\"\nd: \"x y\"\ne: \"no\"\n"
        )
    }

    @Test func severalDocuments() throws {
        let documents: [Document] = [["a": "b"], ["c", "d"], "e", [:]]
        let text = YAML.write(documents)
        #expect(String(decoding: text, as: UTF8.self) == "a: b\n---\n- c\n- d\n---\ne\n---\n{}\n")
        #expect(try YAML.parse(text).count == 4)
    }
}
