import Testing
import Wire

@Suite struct UUIDv7Tests {
    // The example of RFC 9562 appendix A.6.
    @Test func appendixExample() throws {
        let time = Timestamp(millisecondsSinceEpoch: 0x017F_22E2_79B0)
        let id = UUIDv7(
            timestamp: time,
            random: [0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F]
        )
        #expect(id.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
        #expect(try UUIDv7(parsing: id.description) == id)
        #expect(try UUIDv7(bytes: id.bytes) == id)
        #expect(id.timestamp == time)
    }

    @Test func ordersByTime() {
        var generator = SystemRandomNumberGenerator()
        let early = UUIDv7(timestamp: Timestamp(secondsSinceEpoch: 1), using: &generator)
        let late = UUIDv7(timestamp: Timestamp(secondsSinceEpoch: 2), using: &generator)
        #expect(early < late)
        let before = UUIDv7(timestamp: .distantPast, using: &generator)
        #expect(before.timestamp == .epoch)
    }

    @Test(arguments: [
        "", "017f22e2-79b0-4cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-58c4-dc0c0c07398f",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", "017f22e2+79b0-7cc3-98c4-dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ])
    func refuses(text: String) {
        #expect(throws: WireError.self) { try UUIDv7(parsing: text) }
    }
}
