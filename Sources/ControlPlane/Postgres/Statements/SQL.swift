/// A statement: text that stood in the source as a literal, and bind parameters.
///
/// Every interpolation becomes a parameter (`$1`, `$2` …) and the literal parts are
/// `StaticString`, so that no run-time text can ever become SQL. Statements compose with
/// `\(fragment: other)`. There is no way to interpolate an identifier.
package struct SQL: ExpressibleByStringInterpolation, Equatable, Sendable {
    /// The literal parts; there is always one more of them than there are parameters.
    private var parts: [String]
    package private(set) var parameters: [PostgresValue]

    package init(stringLiteral literal: StaticString) {
        parts = [literal.description]
        parameters = []
    }

    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.statement
    }

    /// An empty fragment.
    package init() {
        parts = [""]
        parameters = []
    }

    /// A command of the fence itself, made of words that it checked.
    init(command: String) {
        parts = [command]
        parameters = []
    }

    /// The text with numbered placeholders, as the server receives it.
    package var text: String {
        var text = parts.first ?? ""
        for (index, part) in parts.dropFirst().enumerated() {
            text += "$\(index + 1)"
            text += part
        }
        return text
    }

    /// Fragments one after the other with a literal between each two.
    package static func joined(_ fragments: [SQL], separator: StaticString) -> SQL {
        var joined = SQL()
        for (index, fragment) in fragments.enumerated() {
            if index > 0 { joined.append(separator) }
            joined.append(fragment)
        }
        return joined
    }

    private mutating func append(_ literal: StaticString) {
        append(text: literal.description)
    }

    private mutating func append(text: String) {
        let last = parts.popLast() ?? ""
        parts.append(last + text)
    }

    private mutating func append(_ value: PostgresValue) {
        parameters.append(value)
        parts.append("")
    }

    private mutating func append(_ fragment: SQL) {
        append(text: fragment.parts.first ?? "")
        for (part, value) in zip(fragment.parts.dropFirst(), fragment.parameters) {
            append(value)
            append(text: part)
        }
    }
}

extension SQL {
    /// Collects the parts of an interpolated statement.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var statement = SQL()

        package init(literalCapacity: Int, interpolationCount: Int) {
            statement.parameters.reserveCapacity(interpolationCount)
            statement.parts.reserveCapacity(interpolationCount + 1)
        }

        package mutating func appendLiteral(_ literal: StaticString) {
            statement.append(literal)
        }

        /// Binds a value.
        package mutating func appendInterpolation<Value: PostgresCodable>(_ value: Value) {
            statement.append(value.postgresValue)
        }

        /// Binds a value or NULL of its type.
        package mutating func appendInterpolation<Value: PostgresCodable>(_ value: Value?) {
            statement.append(
                value?.postgresValue ?? PostgresValue(type: Value.postgresType, bytes: nil)
            )
        }

        /// Inserts another statement with its own parameters.
        package mutating func appendInterpolation(fragment: SQL) {
            statement.append(fragment)
        }
    }
}

extension SQL: CustomStringConvertible {
    /// The text alone; never a parameter's value.
    package var description: String { text }
}
