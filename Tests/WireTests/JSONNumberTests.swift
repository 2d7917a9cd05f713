import Testing
import Wire

@Suite struct JSONNumberTests {
    @Test(
        arguments: [
            ("0", 0), ("-1", -1), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("9223372036854775808", nil), ("1.0", nil), ("1e3", nil), ("-0", nil),
        ] as [(String, Int64?)]
    )
    func integers(text: String, expected: Int64?) {
        #expect(JSONNumber(text: text)?.integer == expected)
    }

    @Test(arguments: ["", "-", "01", "1.", "+1", "1e", "NaN", "inf", "1 ", "0x1", "١"])
    func refuses(text: String) {
        #expect(JSONNumber(text: text) == nil)
    }

    @Test func fractionsAreNeverInvalid() {
        #expect(Document.number(Double.nan).isNull)
        #expect(Document.number(-Double.infinity).isNull)
        for value in [0.1, -0.0, 1e300, Double.leastNonzeroMagnitude, 1e16] {
            let number = JSONNumber(text: "\(value)")
            #expect(number?.double == value)
        }
    }
}
