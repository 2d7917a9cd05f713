/// Cuts a stream into lines; what goes on past the limit is dropped up to the line's end.
struct LineCutter {
    /// One MiB for the case, and one byte that shows that a line was longer.
    private static let lineMaxBytes = 1 << 20

    private var line: [UInt8] = []

    /// The lines that are complete now; the last one may lack its line feed at the end.
    mutating func cut(_ chunk: [UInt8], atEnd: Bool) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = chunk[...]
        while let end = rest.firstIndex(of: 0x0A) {
            append(rest[..<end])
            lines.append(line)
            line = []
            rest = rest[(end + 1)...]
        }
        append(rest)
        if atEnd, !line.isEmpty {
            lines.append(line)
            line = []
        }
        return lines
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        line += bytes.prefix(max(0, Self.lineMaxBytes + 1 - line.count))
    }
}
