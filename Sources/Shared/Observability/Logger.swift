/// Makes log records and hands them to the sink that the executable gave.
///
/// Messages and field names are constants of the program (`StaticString`), so nothing from outside
/// can be woven into them. The sink may be called on any thread and must not block.
package struct Logger: Sendable {
    /// Stamps the record with the time, formats and writes it.
    package typealias Sink = @Sendable (LogRecord) -> Void
    /// Fields in the order in which they are written.
    package typealias Fields = KeyValuePairs<StaticString, LogValue>

    /// Drops everything; for tests and for values that need some logger.
    package static let silent = Logger(minimumLevel: .error) { _ in }

    /// Records below this level are not made.
    package let minimumLevel: LogLevel
    private let context: [LogRecord.Field]
    private let sink: Sink

    /// A logger without fields of its own.
    package init(minimumLevel: LogLevel = .info, sink: @escaping Sink) {
        self.init(minimumLevel: minimumLevel, context: [], sink: sink)
    }

    private init(minimumLevel: LogLevel, context: [LogRecord.Field], sink: @escaping Sink) {
        self.minimumLevel = minimumLevel
        self.context = context
        self.sink = sink
    }

    /// A logger that puts `fields` first on each of its records.
    package func with(_ fields: Fields) -> Logger {
        Logger(minimumLevel: minimumLevel, context: context + Self.list(fields), sink: sink)
    }

    /// Makes a record of any level; the fields are computed only when the level is wanted.
    package func log(
        _ level: LogLevel,
        _ message: StaticString,
        _ fields: @autoclosure () -> Fields = [:]
    ) {
        guard level >= minimumLevel else { return }
        sink(LogRecord(level: level, message: message, fields: context + Self.list(fields())))
    }

    /// Makes a `debug` record.
    package func debug(_ message: StaticString, _ fields: @autoclosure () -> Fields = [:]) {
        log(.debug, message, fields())
    }

    /// Makes an `info` record.
    package func info(_ message: StaticString, _ fields: @autoclosure () -> Fields = [:]) {
        log(.info, message, fields())
    }

    /// Makes a `warning` record.
    package func warning(_ message: StaticString, _ fields: @autoclosure () -> Fields = [:]) {
        log(.warning, message, fields())
    }

    /// Makes an `error` record.
    package func error(_ message: StaticString, _ fields: @autoclosure () -> Fields = [:]) {
        log(.error, message, fields())
    }

    private static func list(_ fields: Fields) -> [LogRecord.Field] {
        fields.map { LogRecord.Field(name: $0.key.description, value: $0.value) }
    }
}
