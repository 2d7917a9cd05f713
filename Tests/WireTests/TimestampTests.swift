import Testing
import Wire

@Suite struct TimestampTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2026-02-28T23:59:59.5Z", 1_772_323_199_500_000_000, "2026-02-28T23:59:59.5Z"),
            ("2000-02-29T12:00:00+02:00", 951_818_400_000_000_000, "2000-02-29T10:00:00Z"),
            ("1969-12-31T23:59:59.999999999-00:00", -1, "1969-12-31T23:59:59.999999999Z"),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000_000_000, "1996-12-20T00:39:57Z"),
            ("2262-04-11T23:47:16.854775807Z", Int64.max, "2262-04-11T23:47:16.854775807Z"),
            ("1677-09-21T00:12:43.145224192Z", Int64.min, "1677-09-21T00:12:43.145224192Z"),
        ] as [(String, Int64, String)]
    )
    func readsAndWritesRFC3339(text: String, nanoseconds: Int64, canonical: String) throws {
        let time = try Timestamp(rfc3339: text)
        #expect(time.nanosecondsSinceEpoch == nanoseconds)
        #expect(time.description == canonical)
    }

    @Test(arguments: [
        "", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Z ", "2026-01-01 00:00:00Z",
        "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224191Z",
        "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "٢٠٢٦-01-01T00:00:00Z",
    ])
    func refusesOtherText(text: String) {
        #expect(throws: WireError.self) { try Timestamp(rfc3339: text) }
    }

    @Test func arithmeticStopsAtTheEnds() {
        let long = Duration.seconds(Int64.max)
        #expect(Timestamp.distantFuture + .seconds(1) == .distantFuture)
        #expect(Timestamp.epoch + long == .distantFuture)
        #expect(Timestamp.epoch - long == .distantPast)
        #expect(Timestamp.distantPast - .nanoseconds(1) == .distantPast)
        #expect(Timestamp.distantFuture - .nanoseconds(-1) == .distantFuture)
        #expect(Timestamp(secondsSinceEpoch: .max) == .distantFuture)
        #expect(Timestamp(secondsSinceEpoch: .min) == .distantPast)
        #expect(Timestamp(millisecondsSinceEpoch: .min) == .distantPast)
        #expect(Timestamp.epoch + .milliseconds(1500) - Timestamp.epoch == .milliseconds(1500))
        #expect(Timestamp.distantFuture - Timestamp.distantPast > .seconds(18_000_000_000))
    }

    @Test func secondsRoundDown() {
        #expect(Timestamp(nanosecondsSinceEpoch: -1).secondsSinceEpoch == -1)
        #expect(Timestamp(nanosecondsSinceEpoch: 1_999_999_999).secondsSinceEpoch == 1)
        #expect(Timestamp(nanosecondsSinceEpoch: 1_999_999).millisecondsSinceEpoch == 1)
        #expect(Timestamp(nanosecondsSinceEpoch: -1).microsecondsSinceEpoch == -1)
        #expect(Timestamp.distantPast.secondsSinceEpoch == -9_223_372_037)
    }

    @Test func everyDayOfFourCenturiesSurvives() throws {
        for day in stride(from: Int64(-100_000), through: 100_000, by: 7) {
            let time = Timestamp(secondsSinceEpoch: day * 86_400 + 3661)
            #expect(try Timestamp(rfc3339: time.description) == time)
        }
    }
}
