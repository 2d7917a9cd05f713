import HTTP
import Testing

@Suite struct HeaderFieldsTests {
    @Test(
        arguments: [
            "a\r\nb", "a\rb", "a\nb", "a\u{0}b", "a\u{7F}", "\u{1B}[0m",
        ]
    ) func valueCanNotCarryControls(_ value: String) {
        var fields = HeaderFields()
        #expect(throws: FieldFault.valueInvalid) { try fields.append(.location, value) }
        #expect(throws: FieldFault.valueInvalid) { try fields.set(.location, value) }
        #expect(fields.isEmpty)
    }

    @Test(arguments: ["", "a b", "a:", "a\r", "ä", "a/b", "a\u{0}", "\t"])
    func nameIsAToken(_ name: String) {
        #expect(FieldName(name) == nil)
        var fields = HeaderFields()
        #expect(throws: FieldFault.nameInvalid) { try fields.append(name: name, value: "x") }
    }

    @Test func lookupIgnoresCaseAndKeepsOrder() throws {
        var fields = HeaderFields()
        try fields.append(name: "X-One", value: " a ")
        try fields.append(name: "x-two", value: "b")
        try fields.append(name: "X-ONE", value: "c, d,, e ")
        let one = try #require(FieldName("x-One"))
        #expect(fields.values(one) == ["a", "c, d,, e"])
        #expect(fields.list(one) == ["a", "c", "d", "e"])
        #expect(fields.first(one) == "a")
        #expect(fields.count(of: one) == 2)
        #expect(fields.pairs.map(\.name) == ["x-one", "x-two", "x-one"])
        #expect(throws: FieldFault.repeated) { try fields.single(one) }
        try fields.set(one, "z")
        #expect(fields.pairs.map(\.value) == ["b", "z"])
        fields.remove(one)
        #expect(!fields.contains(one) && fields.count == 1)
    }

    @Test func hopByHopFieldsAreRemoved() throws {
        let fields = try HeaderFields([
            (.connection, "close, X-Trace"), (.keepAlive, "timeout=5"), (.te, "trailers"),
            (.upgrade, "h2c"), (.host, "h"), (#require(FieldName("x-trace")), "1"),
        ])
        var forwarded = fields
        forwarded.removeHopByHop()
        #expect(forwarded.pairs.map(\.name) == ["host"])
    }

    @Test func sizesAreBounded() {
        var fields = HeaderFields()
        #expect(throws: FieldFault.valueTooLong) {
            try fields.append(.cookie, String(repeating: "a", count: 16 * 1024 + 1))
        }
        #expect(throws: FieldFault.countExceeded) {
            for _ in 0...HeaderFields.countMax { try fields.append(.cookie, "a") }
        }
        for fault in FieldFault.allCases { #expect(fault.sentence.hasSuffix(".")) }
    }

    @Test func invalidUTF8IsShownReplacedAndKeptExact() throws {
        var fields = HeaderFields()
        try fields.append(.cookie, "ä")
        #expect(fields.firstBytes(.cookie) == [0xC3, 0xA4])
    }
}
