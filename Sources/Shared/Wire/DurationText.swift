/// The text of durations in files and answers: `250ms`, `10s`, `1h30m`, `7d`.
package enum DurationText {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
    ]
    private static let textBytesMax = 64

    /// Reads whole numbers with units, from the largest unit to the smallest, each at most once.
    ///
    /// There is no sign, no fraction and no number without a unit; the whole is at most 292 years.
    package static func parse(_ text: String) throws(WireError) -> Duration {
        let bytes = Array(text.utf8.prefix(textBytesMax + 1))
        guard bytes.count <= textBytesMax else { throw .tooLarge(limit: textBytesMax) }
        guard !bytes.isEmpty else { throw malformed(0) }
        var total: Int64 = 0
        var index = 0
        var nextUnit = 0
        while index < bytes.count {
            let start = index
            var number: Int64 = 0
            while index < bytes.count, 0x30...0x39 ~= bytes[index] {
                let (product, overflow) = number.multipliedReportingOverflow(by: 10)
                let (sum, sumOverflow) = product.addingReportingOverflow(Int64(bytes[index] - 0x30))
                guard !overflow, !sumOverflow else { throw tooLong(start) }
                number = sum
                index += 1
            }
            guard index > start else { throw malformed(index) }
            let unitStart = index
            while index < bytes.count, 0x61...0x7A ~= bytes[index] { index += 1 }
            let name = String(decoding: bytes[unitStart..<index], as: UTF8.self)
            guard
                let unit = units.indices.first(where: { units[$0].name == name }),
                unit >= nextUnit
            else { throw malformed(unitStart) }
            nextUnit = unit + 1
            let (product, overflow) =
                number.multipliedReportingOverflow(by: units[unit].nanoseconds)
            let (sum, sumOverflow) = total.addingReportingOverflow(product)
            guard !overflow, !sumOverflow else { throw tooLong(start) }
            total = sum
        }
        return .nanoseconds(total)
    }

    /// The shortest text that `parse` reads as the same duration, down to nanoseconds.
    ///
    /// A negative duration has a leading minus, which `parse` refuses.
    package static func format(_ duration: Duration) -> String {
        let nanoseconds = duration.nanosecondsClamped
        var rest = nanoseconds.magnitude
        guard rest > 0 else { return "0s" }
        var text = nanoseconds < 0 ? "-" : ""
        for unit in units {
            let (count, remainder) = rest.quotientAndRemainder(
                dividingBy: UInt64(unit.nanoseconds)
            )
            if count > 0 { text += "\(count)\(unit.name)" }
            rest = remainder
        }
        return text
    }

    private static func malformed(_ offset: Int) -> WireError {
        .malformed(
            format: "duration",
            offset: offset,
            problem: "write whole numbers with units d, h, m, s, ms, us, ns, such as 1h30m or 250ms"
        )
    }

    private static func tooLong(_ offset: Int) -> WireError {
        .malformed(format: "duration", offset: offset, problem: "at most 292 years are allowed")
    }
}
