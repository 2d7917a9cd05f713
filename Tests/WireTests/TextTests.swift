import Testing
import Wire

@Suite struct TextTests {
    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xE2, 0x82],
            [0xFF],
        ] as [[UInt8]]
    )
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(Text.decode(bytes) == nil)
        #expect(Text.decode(bytes[...]) == nil)
    }

    @Test func decodesWithinTheLimit() {
        #expect(Text.decode(Array("é€😀".utf8)) == "é€😀")
        #expect(Text.decode(Array("abc".utf8), limit: 2) == nil)
    }

    @Test(arguments: [
        ("plain text é 😀", true), ("", true), ("a\nb", false), ("\u{7F}", false),
        ("\u{202E}", false), ("\u{200B}", false), ("\u{FEFF}", false), ("\u{1FFFE}", false),
        ("\u{85}", false), ("\u{2066}", false), ("\u{E0001}", false),
    ])
    func printable(text: String, expected: Bool) {
        #expect(Text.isPrintable(text) == expected)
    }

    @Test func printableASCII() {
        #expect(Text.isPrintableASCII("az ~"))
        #expect(!Text.isPrintableASCII("é"))
        #expect(!Text.isPrintableASCII("\t"))
    }

    @Test(arguments: [
        ("", [""]), ("::", ["", ""]), ("a::b", ["a", "b"]),
        (":::", ["", ":"]), ("::::", ["", "", ""]), ("é::", ["é", ""]),
        ("a:b:", ["a:b:"]), (":", [":"]),
    ])
    func partsBetweenSeparators(text: String, parts: [String]) {
        #expect(text[...].parts(separatedBy: "::").map(String.init) == parts)
    }
}
