import Testing
import Wire

@Suite struct HexTests {
    @Test func roundTrip() throws {
        let bytes = (0...255).map { UInt8($0) }
        #expect(try Hex.decode(Hex.encode(bytes), allowingUppercase: false) == bytes)
        #expect(try Hex.decode("DEADbeef") == [0xDE, 0xAD, 0xBE, 0xEF])
        #expect(Hex.encode([0x0A, 0xF0]) == "0af0")
    }

    @Test(arguments: ["a", "abc", "0g", "0x", " 0", "é"])
    func refuses(text: String) {
        #expect(throws: WireError.self) { try Hex.decode(text) }
    }

    @Test func refusesUppercaseWhenTold() {
        #expect(throws: WireError.self) { try Hex.decode("AB", allowingUppercase: false) }
    }
}
