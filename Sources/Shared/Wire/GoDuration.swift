/// The durations that clients of Vault write: whole seconds, or Go's text with days.
package enum GoDuration {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
    ]
    private static let textBytesMax = 64
    /// More digits of a fraction than nanoseconds have say nothing.
    private static let fractionDigitsMax = 9

    /// Reads `90` (seconds), `1h30m`, `1.5h` or `7d`; units in any order, no sign, at most 292 years.
    package static func parse(_ text: String) throws(WireError) -> Duration {
        let bytes = Array(text.utf8.prefix(textBytesMax + 1))
        guard bytes.count <= textBytesMax else { throw .tooLarge(limit: textBytesMax) }
        guard !bytes.isEmpty else { throw malformed(0) }
        if bytes.allSatisfy(isDigit) {
            guard let seconds = Int64(text) else { throw tooLong(0) }
            return .nanoseconds(try product(seconds, 1_000_000_000, at: 0))
        }
        var total: Int64 = 0
        var index = 0
        while index < bytes.count {
            let start = index
            let whole = try digits(bytes, &index)
            var fraction = Fraction()
            if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
                index += 1
                fraction = try Fraction(bytes, &index)
            }
            let unit = try self.unit(bytes, &index)
            let (sum, overflow) = total.addingReportingOverflow(
                try product(whole, unit, at: start)
            )
            let (more, moreOverflow) = sum.addingReportingOverflow(fraction.of(unit))
            guard !overflow, !moreOverflow else { throw tooLong(start) }
            total = more
        }
        return .nanoseconds(total)
    }

    /// As Go writes a duration of whole seconds: `0s`, `90s` as `1m30s`, an hour as `1h0m0s`.
    package static func format(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        let (hours, rest) = seconds.quotientAndRemainder(dividingBy: 3_600)
        if hours != 0 { return "\(hours)h\(rest / 60)m\(rest % 60)s" }
        return rest >= 60 ? "\(rest / 60)m\(rest % 60)s" : "\(rest)s"
    }

    /// The part of a number behind its point.
    private struct Fraction {
        private var value: Int64 = 0
        private var scale: Int64 = 1

        init() {}

        init(_ bytes: [UInt8], _ index: inout Int) throws(WireError) {
            let start = index
            while index < bytes.count, isDigit(bytes[index]) {
                if index - start < fractionDigitsMax {
                    value = value * 10 + Int64(bytes[index] - 0x30)
                    scale *= 10
                }
                index += 1
            }
            guard index > start else { throw malformed(start) }
        }

        func of(_ unit: Int64) -> Int64 {
            let (high, low) = value.multipliedFullWidth(by: unit)
            return scale.dividingFullWidth((high, low)).quotient
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }

    private static func digits(_ bytes: [UInt8], _ index: inout Int) throws(WireError) -> Int64 {
        let start = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        guard index > start else { throw malformed(start) }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        guard let value = Int64(text) else { throw tooLong(start) }
        return value
    }

    private static func unit(_ bytes: [UInt8], _ index: inout Int) throws(WireError) -> Int64 {
        let start = index
        while index < bytes.count, !isDigit(bytes[index]) { index += 1 }
        let name = String(decoding: bytes[start..<index], as: UTF8.self)
        guard let unit = units.first(where: { $0.name == name }) else { throw malformed(start) }
        return unit.nanoseconds
    }

    private static func product(
        _ count: Int64,
        _ unit: Int64,
        at offset: Int
    ) throws(WireError) -> Int64 {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        guard !overflow else { throw tooLong(offset) }
        return product
    }

    private static func malformed(_ offset: Int) -> WireError {
        .malformed(
            format: "duration",
            offset: offset,
            problem: "write whole seconds such as 90, or numbers with units d, h, m, s, ms, us, ns,"
                + " such as 1h30m"
        )
    }

    private static func tooLong(_ offset: Int) -> WireError {
        .malformed(format: "duration", offset: offset, problem: "at most 292 years are allowed")
    }
}
