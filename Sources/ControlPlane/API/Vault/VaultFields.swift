package import Control
package import Wire

/// The fields of a body as clients of Vault write them: null is absent, numbers and truth values may
/// stand in quotes, lists may be one text with commas.
///
/// Fields that nobody asks for are passed over.
package struct VaultFields: Sendable {
    /// The most elements of a list.
    package static let elementsMax = 1_024
    /// The longest text.
    package static let textBytesMax = 64 * 1_024

    private let body: Document

    package init(_ body: Document) { self.body = body }

    /// The value of a field as it stands; nil when it is absent or null.
    package func value(_ name: String) -> Document? {
        guard let value = body[name], !value.isNull else { return nil }
        return value
    }

    /// A text; nil when it is absent.
    package func text(_ name: String) throws(ControlError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.text ?? value.integer.map({ String($0) }) else {
            throw Self.wrong(name, "must be a string")
        }
        guard text.utf8.count <= Self.textBytesMax, !text.utf8.contains(0) else {
            throw Self.wrong(name, "must be at most \(Self.textBytesMax) bytes without NUL")
        }
        return text
    }

    /// A text that must be there and not empty.
    package func requiredText(_ name: String) throws(ControlError) -> String {
        guard let text = try text(name), !text.isEmpty else {
            throw Self.wrong(name, "is required")
        }
        return text
    }

    /// The public name of a token; what cannot be one is refused like one that nobody has.
    package func accessor() throws(ControlError) -> UUIDv7 {
        let text = try requiredText("accessor")
        do {
            return try UUIDv7(parsing: text)
        } catch {
            throw .forbidden(Complaint("token.unknown", "invalid accessor"))
        }
    }

    /// A whole number within `range`; nil when it is absent.
    package func integer(
        _ name: String,
        in range: ClosedRange<Int64>
    ) throws(ControlError) -> Int64? {
        guard let value = value(name) else { return nil }
        return try Self.integer(value, name, range)
    }

    /// A truth value; nil when it is absent.
    package func flag(_ name: String) throws(ControlError) -> Bool? {
        guard let value = value(name) else { return nil }
        if let flag = value.bool { return flag }
        switch value.text ?? value.integer.map({ String($0) }) {
        case "true", "1", "True", "TRUE", "t", "T": return true
        case "false", "0", "False", "FALSE", "f", "F", "": return false
        default: throw Self.wrong(name, "must be true or false")
        }
    }

    /// A duration in whole seconds or as Go writes it; nil when it is absent or an empty text.
    package func duration(
        _ name: String,
        in range: ClosedRange<Duration> = .zero ... .seconds(10 * 365 * 86_400)
    ) throws(ControlError) -> Duration? {
        guard let value = value(name) else { return nil }
        guard let text = value.text ?? value.integer.map({ String($0) }) else {
            throw Self.wrong(name, "must be seconds or a duration such as 1h30m")
        }
        if text.isEmpty { return nil }
        let duration: Duration
        do {
            duration = try GoDuration.parse(text)
        } catch {
            throw Self.wrong(name, "\(error)")
        }
        guard range.contains(duration) else {
            let low = DurationText.format(range.lowerBound)
            let high = DurationText.format(range.upperBound)
            throw Self.wrong(name, "must lie between \(low) and \(high)")
        }
        return duration
    }

    /// A list of texts, or one text with commas; nil when it is absent.
    package func texts(_ name: String) throws(ControlError) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let items = value.items else {
            guard let text = value.text else { throw Self.wrong(name, "must be a list of strings") }
            let parts = text.split(separator: ",")
            guard parts.count <= Self.elementsMax else { throw Self.tooLong(name) }
            return parts.map { String($0.drop { $0 == " " }) }
        }
        guard items.count <= Self.elementsMax else { throw Self.tooLong(name) }
        var texts: [String] = []
        for item in items {
            guard let text = item.text, !text.utf8.contains(0) else {
                throw Self.wrong(name, "must be a list of strings")
            }
            texts.append(text)
        }
        return texts
    }

    /// A list of whole numbers, which may be texts; nil when it is absent.
    package func integers(
        _ name: String,
        in range: ClosedRange<Int64>
    ) throws(ControlError) -> [Int64]? {
        guard let value = value(name) else { return nil }
        var items = value.items ?? [value]
        if value.items == nil, let text = value.text {
            items = text.split(separator: ",").map { .string($0) }
        }
        guard items.count <= Self.elementsMax else { throw Self.tooLong(name) }
        var numbers: [Int64] = []
        for item in items { numbers.append(try Self.integer(item, name, range)) }
        return numbers
    }

    /// A map; nil when it is absent.
    package func map(_ name: String) throws(ControlError) -> Document? {
        guard let value = value(name) else { return nil }
        guard value.entries != nil else { throw Self.wrong(name, "must be an object") }
        return value
    }

    /// A refusal of one field.
    package static func wrong(_ name: String, _ problem: String) -> ControlError {
        .invalid("request.field", field: name, problem)
    }

    private static func tooLong(_ name: String) -> ControlError {
        wrong(name, "must have at most \(elementsMax) elements")
    }

    private static func integer(
        _ value: Document,
        _ name: String,
        _ range: ClosedRange<Int64>
    ) throws(ControlError) -> Int64 {
        guard let number = value.integer ?? value.text.flatMap({ Int64($0) }),
            range.contains(number)
        else {
            throw wrong(
                name,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}
