import Observability
import Reactor
import Wire

/// The process's standard streams and its log; written at once, never buffered.
enum StandardStreams {
    private static let output = Descriptor(owning: 1)
    private static let error = Descriptor(owning: 2)

    /// Writes a line to standard output.
    static func print(_ line: String) {
        write(Array((line + "\n").utf8), to: output)
    }

    /// Writes a line to standard error.
    static func complain(_ line: String) {
        write(Array(("turnpike-agent: " + line + "\n").utf8), to: error)
    }

    /// A logger that writes to standard error.
    static func logger(format: LogFormat, level: LogLevel) -> Logger {
        Logger(minimumLevel: level) { record in
            write(format.line(record, time: now().rfc3339), to: error)
        }
    }

    /// The wall clock.
    static func now() -> Timestamp {
        Timestamp(nanosecondsSinceEpoch: WallClock.nanoseconds())
    }

    /// What cannot be written is lost: there is nobody left to tell.
    private static func write(_ bytes: [UInt8], to descriptor: borrowing Descriptor) {
        var written = 0
        while written < bytes.count {
            guard case .bytes(let count) = descriptor.write(bytes.span.extracting(written...)),
                count > 0
            else { return }
            written += count
        }
    }
}

extension StandardStreams {
    private static let input = Descriptor(owning: 0)

    /// Everything on standard input, at most so many bytes and one more.
    static func readInput(byteCountMax: Int) -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while content.count <= byteCountMax {
            var bytes = chunk.mutableSpan
            guard case .bytes(let count) = input.read(into: &bytes), count > 0 else { break }
            content += chunk[..<count]
        }
        return content
    }
}
