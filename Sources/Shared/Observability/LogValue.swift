/// The value of a log field.
package enum LogValue: Equatable, Sendable {
    /// Text of any origin; it is cut and escaped when it is written. Never a secret.
    case text(String)
    case integer(Int64)
    case bool(Bool)
    /// Written as decimal seconds.
    case duration(Duration)

    /// An integer of any width; what does not fit becomes the nearest that does.
    package static func integer(_ value: some BinaryInteger) -> LogValue {
        .integer(Int64(clamping: value))
    }

    /// The text that a value describes itself with, such as an error or an identifier.
    package static func describing(_ value: some CustomStringConvertible) -> LogValue {
        .text(value.description)
    }
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    /// A text.
    package init(stringLiteral value: String) { self = .text(value) }

    /// An integer.
    package init(integerLiteral value: Int64) { self = .integer(value) }

    /// A truth value.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}
