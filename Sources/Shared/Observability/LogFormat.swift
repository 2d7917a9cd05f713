/// How log records become lines.
package enum LogFormat: String, CaseIterable, Sendable {
    /// One JSON map per line: `time`, `level`, `message`, then the fields.
    case json
    /// For people: time, level, message and `name=value`, one line as well.
    case text

    /// The record as one line with its line feed.
    ///
    /// `time` is the RFC 3339 text that the executable made. Text values are cut at
    /// `LogRecord.valueBytesMax`; control, separator and direction characters are escaped, so that a
    /// value can neither forge a second line nor steer a terminal.
    package func line(_ record: LogRecord, time: String) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        switch self {
        case .json: Self.appendJSON(record, time, to: &line)
        case .text: Self.appendText(record, time, to: &line)
        }
        line.append(0x0A)
        return line
    }

    private static func appendJSON(_ record: LogRecord, _ time: String, to line: inout [UInt8]) {
        line.append(contentsOf: "{\"time\":".utf8)
        appendQuoted(time, to: &line)
        line.append(contentsOf: ",\"level\":\"\(record.level.rawValue)\",\"message\":".utf8)
        appendQuoted(record.message, to: &line)
        for field in record.fields {
            line.append(0x2C)
            appendQuoted(field.name, to: &line)
            line.append(0x3A)
            switch field.value {
            case .text(let text): appendQuoted(text, to: &line)
            case .integer(let value): line.append(contentsOf: String(value).utf8)
            case .bool(let value): line.append(contentsOf: (value ? "true" : "false").utf8)
            case .duration(let value): line.append(contentsOf: seconds(value).utf8)
            }
        }
        if record.fieldsDropped > 0 {
            line.append(contentsOf: ",\"fields_dropped\":\(record.fieldsDropped)".utf8)
        }
        line.append(0x7D)
    }

    private static func appendText(_ record: LogRecord, _ time: String, to line: inout [UInt8]) {
        line.append(contentsOf: "\(time) \(record.level.rawValue.uppercased()) ".utf8)
        appendEscaped(record.message, to: &line)
        for field in record.fields {
            line.append(0x20)
            appendEscaped(field.name, to: &line)
            line.append(0x3D)
            switch field.value {
            case .text(let text) where isBare(text): line.append(contentsOf: text.utf8)
            case .text(let text): appendQuoted(text, to: &line)
            case .integer(let value): line.append(contentsOf: String(value).utf8)
            case .bool(let value): line.append(contentsOf: (value ? "true" : "false").utf8)
            case .duration(let value): line.append(contentsOf: (seconds(value) + "s").utf8)
            }
        }
        if record.fieldsDropped > 0 {
            line.append(contentsOf: " fields_dropped=\(record.fieldsDropped)".utf8)
        }
    }

    private static func isBare(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= LogRecord.valueBytesMax
            && text.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C && $0 != 0x3D }
    }

    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(0x22)
        appendEscaped(text, to: &line)
        line.append(0x22)
    }

    /// Appends with JSON escapes, and an ellipsis where the text was cut.
    private static func appendEscaped(_ text: String, to line: inout [UInt8]) {
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= LogRecord.valueBytesMax else {
                line.append(contentsOf: "…".utf8)
                return
            }
            switch scalar {
            case "\"", "\\": line += [0x5C, UInt8(truncatingIfNeeded: scalar.value)]
            case "\n": line += [0x5C, 0x6E]
            case "\r": line += [0x5C, 0x72]
            case "\t": line += [0x5C, 0x74]
            default:
                if needsEscape(scalar) {
                    for unit in String(scalar).utf16 {
                        appendUnicodeEscape(unit, to: &line)
                    }
                } else {
                    line.append(contentsOf: String(scalar).utf8)
                }
            }
        }
    }

    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse,
            .surrogate:
            true
        default: false
        }
    }

    private static func appendUnicodeEscape(_ unit: UInt16, to line: inout [UInt8]) {
        line += [0x5C, 0x75]
        for shift in [12, 8, 4, 0] as [UInt16] {
            let digit = UInt8(truncatingIfNeeded: unit >> shift & 15)
            line.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }

    /// Decimal seconds down to microseconds.
    private static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let isNegative = seconds < 0 || attoseconds < 0
        let microseconds = String(attoseconds.magnitude / 1_000_000_000_000)
        let fraction = String(repeating: "0", count: 6 - microseconds.utf8.count) + microseconds
        return "\(isNegative ? "-" : "")\(seconds.magnitude).\(fraction)"
    }
}
