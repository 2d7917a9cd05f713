import Testing
import Wire

@Suite struct GoDurationTests {
    @Test(arguments: [
        ("90", Duration.seconds(90)), ("0", .zero), ("0s", .zero), ("1h30m", .seconds(5_400)),
        ("30m1h", .seconds(5_400)), ("1.5h", .seconds(5_400)), ("7d", .seconds(604_800)),
        ("250ms", .milliseconds(250)), ("1.25s", .milliseconds(1_250)), ("2us", .microseconds(2)),
        ("2µs", .microseconds(2)), ("3ns", .nanoseconds(3)), ("1.0000000001s", .seconds(1)),
    ])
    func whatGoWrites(text: String, expected: Duration) throws {
        #expect(try GoDuration.parse(text) == expected)
    }

    @Test(arguments: [
        "", "-1s", "h", "1x", "1h30", "1..5h", "1.h", ".5h", " 1h", "1h ", "999999999999h",
        "99999999999999999999", "9223372036854775807s", "1e3s",
        String(repeating: "1", count: 65),
    ])
    func whatIsNone(text: String) {
        #expect(throws: WireError.self) { try GoDuration.parse(text) }
    }
}

extension GoDurationTests {
    @Test(arguments: [
        (0, "0s"), (59, "59s"), (60, "1m0s"), (3_600, "1h0m0s"), (90_061, "25h1m1s"),
    ])
    func asGoWrites(seconds: Int64, expected: String) throws {
        #expect(GoDuration.format(.seconds(seconds)) == expected)
        #expect(try GoDuration.parse(expected) == .seconds(seconds))
    }
}
