import Testing
import Wire

@testable import turnpike

@Suite struct TableTests {
    @Test func columnsAlignWithoutTrailingSpace() {
        var table = Table(["NAME", "PORT", "NOTE"])
        table.add(["web", "8080", "-"])
        table.add(["orders-db", "5432", ""])
        #expect(
            table.text() == """
                NAME       PORT  NOTE
                web        8080  -
                orders-db  5432

                """
        )
    }

    @Test(arguments: [("abc", 3), ("äöü", 3), ("日本", 4), ("", 0)])
    func wideCharactersCountTwice(_ text: String, _ width: Int) {
        #expect(Terminal.width(text) == width)
    }

    @Test(arguments: [
        ("plain", "plain"), ("a\u{1B}[2Jb", "a?[2Jb"), ("two\nlines", "two?lines"),
        ("\u{202E}abc", "?abc"),
    ])
    func textOfOthersCannotMoveTheCursor(_ text: String, _ shown: String) {
        #expect(Terminal.line(text) == shown)
    }

    private static let values: [(Document, String)] = [
        (.null, "-"), ("", "-"), ("x", "x"), (true, "yes"), (42, "42"), (["a", "b"], "a, b"),
        ([], "-"), (["k": 1], #"{"k":1}"#),
    ]

    @Test(arguments: values)
    func valuesAreShownOnOneLine(_ value: Document, _ shown: String) {
        #expect(value.shown == shown)
    }

    @Test(arguments: [
        ("2027-01-15T08:00:00Z", "0s ago"), ("2027-01-15T07:59:48Z", "12s ago"),
        ("2027-01-15T07:00:00Z", "1h ago"), ("2027-01-13T07:00:00Z", "2d ago"),
        ("2027-01-15T08:10:30Z", "in 10m"), ("soon", "soon"),
    ])
    func agesAreRounded(_ time: String, _ shown: String) {
        #expect(Age.text(.string(time), now: ScriptedServer.now) == shown)
    }

    @Test func columnsTakeFields() {
        let table = [Document.fields(["name": "web"])].table([
            Column("NAME", "name"), Column("PORT", "port"),
        ])
        #expect(table.rows == [["web", "-"]])
    }
}
