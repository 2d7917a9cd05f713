import Foundation
import Observability
import Reactor
import Wire

/// Why a command ends without having done its work.
enum StartFailure: Error, CustomStringConvertible {
    /// The command line or the configuration is wrong.
    case usage(String)
    /// The work failed.
    case work(String)

    var description: String {
        switch self {
        case .usage(let text), .work(let text): text
        }
    }

    var exitCode: Int32 {
        switch self {
        case .usage: 2
        case .work: 1
        }
    }
}

/// The two standard streams: answers on one, progress and complaints on the other.
enum Console {
    static func say(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    static var now: Timestamp { Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds()) }

    /// A logger on standard error.
    static func logger(_ format: LogFormat, _ level: LogLevel) -> Logger {
        Logger(minimumLevel: level) { record in
            FileHandle.standardError.write(Data(format.line(record, time: now.rfc3339)))
        }
    }
}
