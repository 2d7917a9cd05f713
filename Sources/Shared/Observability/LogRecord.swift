/// One event: a constant message and the fields that tell one occurrence from another.
package struct LogRecord: Equatable, Sendable {
    /// The most fields that a record keeps; later ones are dropped and counted.
    package static let fieldsMax = 32
    /// The most bytes of a text value that are written.
    package static let valueBytesMax = 1024

    /// A name with its value.
    package struct Field: Equatable, Sendable {
        package let name: String
        package let value: LogValue
    }

    package let level: LogLevel
    /// The same text for every occurrence, so that it can be searched for.
    package let message: String
    /// In the order in which they were given.
    package let fields: [Field]
    /// How many fields were over the limit.
    package let fieldsDropped: Int

    init(level: LogLevel, message: StaticString, fields: [Field]) {
        self.level = level
        self.message = message.description
        self.fields = Array(fields.prefix(Self.fieldsMax))
        self.fieldsDropped = max(fields.count - Self.fieldsMax, 0)
    }
}
