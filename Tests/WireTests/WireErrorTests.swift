import Testing
import Wire

@Suite struct WireErrorTests {
    @Test func sentencesNameTheNumbers() {
        #expect(WireError.truncated(needed: 4, available: 1).description.contains("4 bytes"))
        #expect(WireError.tooLarge(limit: 9).description.contains("9 bytes"))
        #expect(WireError.trailingBytes(count: 2).description.contains("2 bytes"))
        let error = WireError.malformed(format: "hex", offset: 3, problem: "odd")
        #expect(error.description == "malformed hex at byte 3: odd")
    }
}
