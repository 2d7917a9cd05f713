import Wire

/// The two time types of X.509 (RFC 5280 §4.1.2.5): whole seconds in UTC.
enum CertificateTime {
    /// Reads the next element; years before 1950 and from 2050 on are GeneralizedTime, others UTCTime.
    static func read(_ reader: inout DERReader) throws(DERError) -> Timestamp {
        let element = try reader.next()
        let wrong = DERError(element.offset, "a time is not in the form that RFC 5280 asks for")
        var digits: [UInt8]
        switch (element.tag, element.contentRange.count) {
        case (DERTag.utcTime, 13):
            let isThisCentury = element.source[element.offset] < 0x35
            digits = Array((isThisCentury ? "20" : "19").utf8) + element.content
        case (DERTag.generalizedTime, 15):
            digits = Array(element.content)
            guard
                digits.prefix(4).lexicographicallyPrecedes("1950".utf8)
                    || !digits.prefix(4).lexicographicallyPrecedes("2050".utf8)
            else { throw wrong }
        default:
            throw wrong
        }
        guard digits.removeLast() == 0x5A, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else {
            throw wrong
        }
        func number(_ start: Int, _ count: Int) -> Int {
            digits[start..<start + count].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        guard 1...12 ~= number(4, 2),
            1...dayCount(year: number(0, 4), month: number(4, 2)) ~= number(6, 2),
            number(8, 2) < 24, number(10, 2) < 60, number(12, 2) < 60
        else { throw wrong }
        // A Timestamp ends in the year 2262; "no end" is usually written as the year 9999.
        if !digits.prefix(4).lexicographicallyPrecedes("2262".utf8) { return .distantFuture }
        if digits.prefix(4).lexicographicallyPrecedes("1678".utf8) { return .distantPast }
        var text: [UInt8] = []
        for (index, digit) in digits.enumerated() {
            switch index {
            case 4, 6: text.append(0x2D)
            case 8: text.append(0x54)
            case 10, 12: text.append(0x3A)
            default: break
            }
            text.append(digit)
        }
        text.append(0x5A)
        guard let time = try? Timestamp(rfc3339: String(decoding: text, as: UTF8.self)) else {
            throw wrong
        }
        return time
    }

    private static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Writes a time, whose fraction of a second is dropped.
    static func write(_ time: Timestamp, to writer: inout DERWriter) {
        let seconds = Timestamp(secondsSinceEpoch: time.secondsSinceEpoch)
        var digits = Array(seconds.rfc3339.utf8.prefix(19)).filter { 0x30...0x39 ~= $0 }
        digits.append(0x5A)
        let isShort =
            digits.prefix(4).lexicographicallyPrecedes("2050".utf8)
            && !digits.prefix(4).lexicographicallyPrecedes("1950".utf8)
        if isShort {
            writer.element(DERTag.utcTime, digits.dropFirst(2))
        } else {
            writer.element(DERTag.generalizedTime, digits)
        }
    }
}
