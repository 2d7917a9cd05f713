/// Cuts lines out of bytes that arrive in any pieces; holds at most one unfinished line.
///
/// Every byte is looked at once, however small the pieces are, so a peer can not make the parser
/// read a long head again and again.
struct LineAssembler: ~Copyable {
    enum Outcome {
        /// All bytes were taken, the line is not finished.
        case incomplete
        /// The line, without CR LF, lies in that range of the bytes given.
        case within(Range<Int>)
        /// The line, without CR LF, began in earlier bytes.
        case assembled([UInt8])
        /// The line is longer than the limit; nothing more can be read.
        case tooLong
        /// LF without CR, or CR without LF.
        case lineEndInvalid
    }

    private var pending: [UInt8] = []

    init() {}

    var isEmpty: Bool { pending.isEmpty }

    /// The next line of at most `limit` bytes (CR included), from `offset` on, which moves behind it.
    mutating func next(
        in bytes: Span<UInt8>,
        from offset: inout Int,
        limit: Int
    ) -> Outcome {
        let start = offset
        guard let end = bytes.firstIndex(of: .lineFeed, from: start) else {
            guard pending.count + (bytes.count - start) <= limit else { return .tooLong }
            for index in start..<bytes.count { pending.append(bytes[index]) }
            offset = bytes.count
            return .incomplete
        }
        guard pending.count + (end - start) <= limit else { return .tooLong }
        offset = end + 1
        if pending.isEmpty {
            guard end > start, LineAssembler.endsWell(bytes.extracting(start..<end)) else {
                return .lineEndInvalid
            }
            return .within(start..<(end - 1))
        }
        for index in start..<end { pending.append(bytes[index]) }
        guard LineAssembler.endsWell(pending.span) else { return .lineEndInvalid }
        var line: [UInt8] = []
        swap(&line, &pending)
        line.removeLast()
        return .assembled(line)
    }

    /// Whether the last byte is the only CR.
    private static func endsWell(_ line: Span<UInt8>) -> Bool {
        line.firstIndex(of: .carriageReturn) == line.count - 1
    }
}
