import HTTP
import Testing

@Suite struct QueryParametersTests {
    @Test func decodes() throws {
        let query = try QueryParameters("a=1&b=x+y%2Bz&a=2&c&d=&%C3%A4=%C3%B6&e=f=g&&")
        #expect(query.values("a") == ["1", "2"])
        #expect(try query.single("b") == "x y+z")
        #expect(try query.single("c") == "")
        #expect(try query.single("ä") == "ö")
        #expect(try query.single("e") == "f=g")
        #expect(try query.single("absent") == nil)
        #expect(query.all.count == 7)
        #expect(throws: TextFault.repeated) { try query.single("a") }
        #expect(query.firstName(notIn: ["a", "b"]) == "c")
        #expect(try QueryParameters(nil).all.isEmpty)
    }

    @Test(
        arguments: [
            ("a=%", TextFault.percentInvalid), ("a=%4", .percentInvalid),
            ("a=%zz", .percentInvalid), ("%=b", .percentInvalid), ("a=%00", .controlCharacter),
            ("a=%0A", .controlCharacter), ("a=%ff", .utf8Invalid), ("a=%ed%a0%80", .utf8Invalid),
            (String(repeating: "a&", count: 65), .tooMany),
            (String(repeating: "a", count: 257), .tooLong),
            ("a=" + String(repeating: "b", count: 4097), .tooLong),
        ]
    ) func refuses(_ query: String, _ fault: TextFault) {
        #expect(throws: fault) { try QueryParameters(query) }
        #expect(fault.sentence.hasSuffix("."))
    }
}
