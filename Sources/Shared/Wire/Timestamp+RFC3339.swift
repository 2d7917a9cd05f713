extension Timestamp {
    /// The RFC 3339 text in UTC, with no more fraction digits than needed.
    package var description: String { rfc3339 }

    /// The RFC 3339 text in UTC, with no more fraction digits than needed.
    package var rfc3339: String {
        let (seconds, fraction) =
            Self.floorDivide(nanosecondsSinceEpoch, Self.nanosecondsPerSecond)
        let (days, secondOfDay) = Self.floorDivide(seconds, 86_400)
        let date = CivilDate(daysSinceEpoch: days)
        var text: [UInt8] = []
        text.reserveCapacity(30)
        Self.append(date.year, digits: 4, to: &text)
        text.append(0x2D)
        Self.append(date.month, digits: 2, to: &text)
        text.append(0x2D)
        Self.append(date.day, digits: 2, to: &text)
        text.append(0x54)
        Self.append(secondOfDay / 3600, digits: 2, to: &text)
        text.append(0x3A)
        Self.append(secondOfDay / 60 % 60, digits: 2, to: &text)
        text.append(0x3A)
        Self.append(secondOfDay % 60, digits: 2, to: &text)
        if fraction != 0 {
            text.append(0x2E)
            Self.append(fraction, digits: 9, to: &text)
            while text.last == 0x30 { text.removeLast() }
        }
        text.append(0x5A)
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads RFC 3339 with `Z` or a numeric offset and at most nine fraction digits.
    ///
    /// Refuses lower-case letters, leap seconds and what lies outside the years 1677 to 2262.
    package init(rfc3339 text: String) throws(WireError) {
        var cursor = RFC3339Cursor(text: Array(text.utf8.prefix(41)))
        let date = CivilDate(
            year: try cursor.number(digits: 4, in: 0...9999, then: 0x2D),
            month: try cursor.number(digits: 2, in: 1...12, then: 0x2D),
            day: try cursor.number(digits: 2, in: 1...31, then: 0x54)
        )
        guard date.day <= date.daysInMonth else {
            throw cursor.malformed("the month does not have this day")
        }
        let hour = try cursor.number(digits: 2, in: 0...23, then: 0x3A)
        let minute = try cursor.number(digits: 2, in: 0...59, then: 0x3A)
        let second = try cursor.number(digits: 2, in: 0...59, then: nil)
        let fraction = try cursor.fraction()
        let offset = try cursor.offsetSeconds()
        guard cursor.isAtEnd else { throw cursor.malformed("nothing may follow the offset") }
        let secondOfDay = hour * 3600 + minute * 60 + second
        let seconds = date.daysSinceEpoch * 86_400 + secondOfDay - offset
        // Before the epoch one second is moved into the fraction, so that the first second fits.
        let early: Int64 = seconds < 0 ? 1 : 0
        let (product, overflow) =
            (seconds + early).multipliedReportingOverflow(by: Self.nanosecondsPerSecond)
        let (sum, sumOverflow) =
            product.addingReportingOverflow(fraction - early * Self.nanosecondsPerSecond)
        guard !overflow, !sumOverflow else {
            throw cursor.malformed("the year must lie within 1677 to 2262")
        }
        self.init(nanosecondsSinceEpoch: sum)
    }

    private static func append(_ value: Int64, digits: Int, to text: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            text.append(0x30 + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}

/// A day of the proleptic Gregorian calendar.
private struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    // Years are counted from March, so that the leap day ends them; 400 years are one era.
    init(daysSinceEpoch days: Int64) {
        let (era, dayOfEra) = Timestamp.floorDivide(days + 719_468, 146_097)
        let leapDays = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
        let yearOfEra = (dayOfEra - leapDays) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = Timestamp.floorDivide(shiftedYear, 400)
        let shifted = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * shifted + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    var daysInMonth: Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Reads the parts of an RFC 3339 text in order.
private struct RFC3339Cursor {
    let text: [UInt8]
    private var offset = 0

    init(text: [UInt8]) {
        self.text = text
    }

    var isAtEnd: Bool { offset == text.count }

    mutating func number(
        digits: Int,
        in range: ClosedRange<Int64>,
        then separator: UInt8?
    ) throws(WireError) -> Int64 {
        var value: Int64 = 0
        for _ in 0..<digits {
            guard let digit = nextDigit() else {
                throw malformed("the form is 2006-01-02T15:04:05Z")
            }
            value = value * 10 + digit
        }
        guard range.contains(value) else {
            throw malformed("the number must lie within \(range.lowerBound) to \(range.upperBound)")
        }
        if let separator { try expect(separator) }
        return value
    }

    mutating func fraction() throws(WireError) -> Int64 {
        guard peek == 0x2E else { return 0 }
        offset += 1
        var value: Int64 = 0
        var digits = 0
        while let digit = nextDigit() {
            guard digits < 9 else { throw malformed("at most nine fraction digits are allowed") }
            value = value * 10 + digit
            digits += 1
        }
        guard digits > 0 else { throw malformed("a digit must follow the point") }
        for _ in digits..<9 { value *= 10 }
        return value
    }

    mutating func offsetSeconds() throws(WireError) -> Int64 {
        let sign: Int64
        switch peek {
        case 0x5A:
            offset += 1
            return 0
        case 0x2B: sign = 1
        case 0x2D: sign = -1
        default: throw malformed("the time must end in Z or an offset such as +02:00")
        }
        offset += 1
        let hours = try number(digits: 2, in: 0...23, then: 0x3A)
        let minutes = try number(digits: 2, in: 0...59, then: nil)
        return sign * (hours * 3600 + minutes * 60)
    }

    func malformed(_ problem: String) -> WireError {
        .malformed(format: "time", offset: offset, problem: problem)
    }

    private var peek: UInt8? { offset < text.count ? text[offset] : nil }

    private mutating func nextDigit() -> Int64? {
        guard let character = peek, 0x30...0x39 ~= character else { return nil }
        offset += 1
        return Int64(character - 0x30)
    }

    private mutating func expect(_ character: UInt8) throws(WireError) {
        guard peek == character else { throw malformed("the form is 2006-01-02T15:04:05Z") }
        offset += 1
    }
}
