import Testing
import Wire

@Suite struct FieldReaderTests {
    private enum Side: String, CaseIterable {
        case source
        case destination
    }

    private struct Limit: Equatable {
        var name: String
        var rate: Int
        var every: Duration
        var size: ByteCount
        var since: Timestamp?
        var side: Side
        var isOn: Bool
        var labels: [String: String]
        var ports: [Int]
    }

    private func read(_ document: Document) throws(FieldError) -> Limit {
        try FieldReader.read(document) { fields throws(FieldError) in
            try Limit(
                name: fields.string("name"),
                rate: fields.int("rate", in: 1...1000),
                every: fields.duration("every", in: .seconds(1) ... .seconds(3600)),
                size: fields.optionalByteCount("size", in: ByteCount(bytes: 1) ... .mebibytes(1))
                    ?? .kibibytes(64),
                since: fields.optionalTimestamp("since"),
                side: fields.choice("side", as: Side.self),
                isOn: fields.optionalBool("on") ?? false,
                labels: fields.stringMap("labels"),
                ports: fields.list("ports") { element throws(FieldError) in
                    try element.int(in: 1...65_535)
                }
            )
        }
    }

    private static let yaml = """
        name: 1.0
        rate: 10
        every: 1m
        size: 1KiB
        since: 2026-01-01T00:00:00Z
        side: source
        on: true
        labels:
          country: no
          "a.b": null
        ports: [1, 2]
        """

    private static let json = """
        {"name":"1.0","rate":10,"every":"1m","size":"1KiB","since":"2026-01-01T00:00:00Z",
        "side":"source","on":true,"labels":{"country":"no","a.b":"null"},"ports":[1,2]}
        """

    @Test func theFieldDecidesTheType() throws {
        let fromYAML = try read(YAML.parse(Self.yaml)[0])
        #expect(fromYAML == (try read(JSON.parse(Self.json))))
        #expect(fromYAML.name == "1.0")
        #expect(fromYAML.labels == ["country": "no", "a.b": "null"])
        #expect(fromYAML.every == .seconds(60))
    }

    @Test(arguments: [
        (#"{"name":1}"#, "name", "a string is expected, this is a number"),
        (#"{"name":true}"#, "name", "a string is expected, this is a truth value"),
        (#"{"name":""}"#, "name", "the text is empty"),
        (#"{"name":"\u0000"}"#, "name", "the text holds a NUL character"),
        (#"{}"#, "name", "the field is missing"),
        (#"{"name":null}"#, "name", "the field has no value"),
        (#"{"name":"a","rate":"10"}"#, "rate", "a whole number is expected, this is a string"),
        (#"{"name":"a","rate":1.0}"#, "rate", "this is not a whole number"),
        (#"{"name":"a","rate":1e2}"#, "rate", "this is not a whole number"),
        (#"{"name":"a","rate":99999999999999999999}"#, "rate", "this is not a whole number"),
        (#"{"name":"a","rate":0}"#, "rate", "the number is out of range"),
        (#"{"name":"a","rate":1,"every":60}"#, "every", "a string is expected, this is a number"),
        (#"{"name":"a","rate":1,"every":"2h"}"#, "every", "the duration is out of range"),
        (#"{"name":"a","rate":1,"every":"1s","size":"2MiB"}"#, "size", "the size is out of range"),
        (
            #"{"name":"a","rate":1,"every":"1s","side":"both"}"#, "side",
            "this value is not one of the allowed"
        ),
        (
            #"{"name":"a","rate":1,"every":"1s","side":"source","on":"true"}"#, "on",
            "a truth value is expected, this is a string"
        ),
        (
            #"{"name":"a","rate":1,"every":"1s","side":"source","labels":{"a.b":1}}"#,
            #"labels["a.b"]"#, "a string is expected, this is a number"
        ),
        (
            #"{"name":"a","rate":1,"every":"1s","side":"source","ports":[1,0]}"#, "ports[1]",
            "the number is out of range"
        ),
        (
            #"{"name":"a","rate":1,"every":"1s","side":"source","port":[]}"#, "port",
            "this field does not exist here"
        ),
        ("[]", "", "a map is expected, this is a list"),
    ])
    func refuses(text: String, path: String, problem: String) throws {
        let document = try JSON.parse(text)
        let error = #expect(throws: FieldError.self) { try read(document) }
        #expect(error?.path == path)
        #expect(error?.problem == problem)
    }

    @Test(arguments: ["yes", "on", "True", "1", "\"true\"", "~"])
    func truthIsWrittenOneWay(text: String) throws {
        let document = try YAML.parse("on: \(text)")[0]
        #expect(throws: FieldError.self) {
            try FieldReader.read(document) { fields throws(FieldError) in try fields.bool("on") }
        }
    }

    @Test(arguments: ["010", "0x1", "1_0", "1.0", "+1", "\"1\"", "1e1", "٣"])
    func wholeNumbersAreWrittenOneWay(text: String) throws {
        let document = try YAML.parse("n: \(text)")[0]
        #expect(throws: FieldError.self) {
            try FieldReader.read(document) { fields throws(FieldError) in
                try fields.int("n", in: 0...100)
            }
        }
    }

    @Test func hintsNameTheNearestField() throws {
        let document = try YAML.parse("naem: x")[0]
        let unknown = #expect(throws: FieldError.self) {
            try FieldReader.read(document) { fields throws(FieldError) in
                try fields.optionalString("name")
            }
        }
        #expect(unknown?.hint == "did you mean name?")
        #expect(unknown?.description.hasPrefix("naem (line 1, column 1): ") == true)
        let missing = #expect(throws: FieldError.self) {
            try FieldReader.read(document) { fields throws(FieldError) in
                try fields.string("name")
            }
        }
        #expect(missing?.hint == "did you write \"naem\" instead?")
    }

    @Test func nestedPathsAndPositions() throws {
        let document = try YAML.parse("sources:\n- name: a\n- name: b\n  nmae: c\n")[0]
        let error = #expect(throws: FieldError.self) {
            try FieldReader.read(document) { fields throws(FieldError) in
                try fields.maps("sources") { source throws(FieldError) in
                    try source.string("name")
                }
            }
        }
        #expect(error?.path == "sources[1].nmae")
        #expect(error?.position == SourcePosition(line: 4, column: 3))
    }

    @Test func unknownFieldsMayBeToleratedEverywhereBelow() throws {
        let document = try JSON.parse(#"{"a":{"b":"x","c":1},"d":[]}"#)
        let text = try FieldReader.read(document, unknownFields: .tolerated) {
            fields throws(FieldError) in
            try fields.map("a") { inner throws(FieldError) in try inner.string("b") }
        }
        #expect(text == "x")
    }

    @Test func errorsNeverShowValuesOrControlCharacters() throws {
        let document = try JSON.parse(#"{"pass\u001b[31m":"secret","side":"secret"}"#)
        let unknown = #expect(throws: FieldError.self) {
            try FieldReader.read(document) { fields throws(FieldError) in
                try fields.optionalString("side")
            }
        }
        #expect(unknown?.path == "[\"pass?[31m\"]")
        let choice = #expect(throws: FieldError.self) {
            try FieldReader.read(document, unknownFields: .tolerated) { fields throws(FieldError) in
                try fields.choice("side", as: Side.self)
            }
        }
        #expect(choice?.description.contains("secret") == false)
        #expect(choice?.hint == "one of source, destination is allowed")
    }
}
