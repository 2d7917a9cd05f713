import Mesh
import Wire

/// A command with its arguments, all of them known to the command.
struct Invocation: Equatable, Sendable {
    private(set) var operands: [String: String] = [:]
    private(set) var options: [String: [String]] = [:]

    mutating func setOperand(_ name: String, _ value: String) { operands[name] = value }

    mutating func addOption(_ name: String, _ value: String) {
        options[name, default: []].append(value)
    }

    var isJSON: Bool { has("--json") }

    func has(_ option: String) -> Bool { options[option] != nil }

    func all(_ option: String) -> [String] { options[option] ?? [] }

    func option(_ name: String) -> String? { options[name]?.last }

    /// An operand that the command's table demands.
    func operand(_ name: String) throws(Failure) -> String {
        guard let value = operands[name] else { throw .usage("\(name) is missing") }
        return value
    }

    /// An operand as a value of the vocabulary.
    func operand<Value>(
        _ name: String,
        as make: (String) throws(NameError) -> Value
    ) throws(Failure) -> Value {
        try Self.value(try operand(name), of: name, as: make)
    }

    /// A whole number within `range`; nil when the option is absent.
    func number(_ option: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
        guard let text = self.option(option) else { return nil }
        return try Self.number(text, of: option, in: range)
    }

    func operandNumber(_ name: String, in range: ClosedRange<Int>) throws(Failure) -> Int {
        try Self.number(try operand(name), of: name, in: range)
    }

    /// A duration; nil when the option is absent.
    func duration(_ option: String) throws(Failure) -> Duration? {
        guard let text = self.option(option) else { return nil }
        do {
            return try DurationText.parse(text)
        } catch {
            throw .usage("\(option) is no duration", hint: "write it like 15m, 1h30m or 30d")
        }
    }

    /// A time; nil when the option is absent.
    func timestamp(_ option: String) throws(Failure) -> Timestamp? {
        guard let text = self.option(option) else { return nil }
        do {
            return try Timestamp(rfc3339: text)
        } catch {
            throw .usage("\(option) is no time", hint: "write it like 2026-01-31T12:00:00Z")
        }
    }

    static func value<Value>(
        _ text: String,
        of name: String,
        as make: (String) throws(NameError) -> Value
    ) throws(Failure) -> Value {
        do {
            return try make(text)
        } catch {
            throw .usage("\(name) \(error)")
        }
    }

    private static func number(
        _ text: String,
        of name: String,
        in range: ClosedRange<Int>
    ) throws(Failure) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw .usage(
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}
