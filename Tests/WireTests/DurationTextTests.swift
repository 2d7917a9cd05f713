import Testing
import Wire

@Suite struct DurationTextTests {
    @Test(
        arguments: [
            ("15m", .seconds(900), "15m"), ("1h30m", .seconds(5400), "1h30m"),
            ("250ms", .milliseconds(250), "250ms"), ("10s", .seconds(10), "10s"),
            ("24h", .seconds(86_400), "1d"), ("7d", .seconds(604_800), "7d"),
            ("90s", .seconds(90), "1m30s"), ("0s", .zero, "0s"), ("1us", .microseconds(1), "1us"),
            ("1d2h3m4s5ms6us7ns", .nanoseconds(93_784_005_006_007), "1d2h3m4s5ms6us7ns"),
        ] as [(String, Duration, String)]
    )
    func readsAndWrites(text: String, duration: Duration, canonical: String) throws {
        #expect(try DurationText.parse(text) == duration)
        #expect(DurationText.format(duration) == canonical)
        #expect(try DurationText.parse(canonical) == duration)
    }

    @Test(arguments: [
        "", "10", "s", "-1s", "+1s", "1.5h", "1 h", "1m1h", "1s1s", "1H", "1w", "10sec",
        "99999999999999999999s", "106752d", "1s ", "１s",
        "000000000000000000000000000000000000000000000000000000000000000001s",
    ])
    func refuses(text: String) {
        #expect(throws: WireError.self) { try DurationText.parse(text) }
    }

    @Test func negativeIsShownButNotRead() {
        #expect(DurationText.format(.seconds(-90)) == "-1m30s")
        #expect(DurationText.format(.nanoseconds(Int64.min)).hasPrefix("-"))
    }
}
