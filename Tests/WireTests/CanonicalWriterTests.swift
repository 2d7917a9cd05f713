import Testing
import Wire

@Suite struct CanonicalWriterTests {
    private static let texts = [
        "", "plain", "\"quoted\" and \\", "line\nfeed\ttab\u{01}", "ü€😀", "\u{7F}/",
    ]

    @Test(arguments: texts)
    func stringsAreSpeltAsDocumentsSpellThem(text: String) {
        var writer = CanonicalWriter()
        writer.string(text)
        #expect(writer.bytes == JSON.canonical(.string(text)))
    }

    @Test(arguments: [Int64.min, -1, 0, 7, Int64.max])
    func numbersAreSpeltAsDocumentsSpellThem(number: Int64) {
        var writer = CanonicalWriter()
        writer.number(number)
        #expect(writer.bytes == JSON.canonical(.number(number)))
    }

    @Test(arguments: [[UInt8]](arrayLiteral: [], [0], [0, 255], [1, 2, 3], [251, 255, 254, 0]))
    func bytesAreSpeltAsBase64(bytes: [UInt8]) {
        var writer = CanonicalWriter()
        writer.list([bytes, bytes]) { $0.base64($1) }
        let text = Document.string(Base64.encode(bytes))
        #expect(writer.bytes == JSON.canonical(.list([text, text])))
    }

    @Test func mapsAndListsAreSpeltAsDocumentsSpellThem() {
        var writer = CanonicalWriter(reservingCapacity: 64)
        writer.map { map in
            map.field("a", 1)
            map.key("b")
            map.list([String]()) { $0.string($1) }
            map.key("c")
            map.list(["x", "y"]) { list, text in
                list.map { $0.field("text", text) }
            }
            map.key("d")
            map.map { _ in }
            map.field("e", "end")
        }
        let empty: [Document] = []
        let list: [Document] = ["x", "y"].map { .fields(["text": .string($0)]) }
        let document = Document.fields([
            "a": 1, "b": .list(empty), "c": .list(list), "d": .fields([:]), "e": "end",
        ])
        #expect(writer.bytes == JSON.canonical(document))
    }
}
