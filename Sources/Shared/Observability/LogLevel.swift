/// How urgent a log record is.
package enum LogLevel: String, CaseIterable, Comparable, Sendable {
    /// For finding faults; off by default.
    case debug
    /// What happens in normal work.
    case info
    /// Something that a person should look at when there is time.
    case warning
    /// Something that did not work and is not retried.
    case error

    private var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }

    /// Orders by urgency.
    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rank < right.rank }
}
