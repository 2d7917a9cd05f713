/// Finds the bytes of a body and its end (RFC 9112 sections 6 and 7).
///
/// Chunk extensions and trailers are checked, bounded and dropped.
struct BodyParser: ~Copyable {
    enum Event: Equatable {
        case incomplete
        /// Bytes of the body, as a range of the bytes given; never empty.
        case bytes(Range<Int>)
        case end
    }

    private enum Stage {
        case fixed(rest: Int)
        case untilClose
        case chunkSize
        case chunkData(rest: Int)
        case chunkEnd(isReturnSeen: Bool)
        case trailers
        case ended
    }

    private var stage: Stage
    private var lines = LineAssembler()
    private var trailers: FieldBlockParser
    private var chunkedByteCount = 0
    private var extensionByteCount = 0
    private var limits: Limits
    private(set) var byteCountMax: Int

    /// Room for 16 digits and CR beside the extensions.
    private var sizeLineByteCountMax: Int { limits.chunkExtensionByteCountMax + 17 }

    init(_ framing: BodyFraming, limits: Limits) {
        self.limits = limits
        byteCountMax = limits.bodyByteCountMax
        trailers = FieldBlockParser(
            bounds: .init(
                lineByteCountMax: limits.trailerBlockByteCountMax,
                blockByteCountMax: limits.trailerBlockByteCountMax,
                countMax: limits.fieldCountMax,
                blockFault: .trailerBlockTooLarge
            )
        )
        switch framing {
        case .none: stage = .ended
        case .fixed(let byteCount):
            stage = byteCount > 0 ? .fixed(rest: byteCount) : .ended
        case .chunked: stage = .chunkSize
        case .untilClose: stage = .untilClose
        }
    }

    /// Bytes that surely still come; nil when only the end will tell.
    var restByteCount: Int? {
        switch stage {
        case .fixed(let rest): rest
        case .ended: 0
        case .untilClose, .chunkSize, .chunkData, .chunkEnd, .trailers: nil
        }
    }

    /// Lowers the limit; false when the body is known to be longer already.
    mutating func limit(byteCount: Int) -> Bool {
        byteCountMax = min(byteCountMax, max(0, byteCount))
        if case .fixed(let rest) = stage { return rest <= byteCountMax }
        return chunkedByteCount <= byteCountMax
    }

    /// The connection ended; true when that is where a body of this framing ends.
    mutating func peerClosed() -> Bool {
        switch stage {
        case .untilClose:
            stage = .ended
            return true
        case .ended: return true
        case .fixed, .chunkSize, .chunkData, .chunkEnd, .trailers: return false
        }
    }

    mutating func next(
        in bytes: Span<UInt8>,
        from offset: inout Int
    ) throws(MessageFault) -> Event {
        while true {
            let available = bytes.count - offset
            switch stage {
            case .ended: return .end
            case .untilClose:
                guard available > 0 else { return .incomplete }
                try count(available)
                defer { offset = bytes.count }
                return .bytes(offset..<bytes.count)
            case .fixed(let rest):
                guard available > 0 else { return .incomplete }
                let range = take(min(rest, available), from: &offset)
                stage = rest == range.count ? .ended : .fixed(rest: rest - range.count)
                return .bytes(range)
            case .chunkData(let rest):
                guard available > 0 else { return .incomplete }
                let range = take(min(rest, available), from: &offset)
                stage =
                    rest == range.count
                    ? .chunkEnd(isReturnSeen: false) : .chunkData(rest: rest - range.count)
                return .bytes(range)
            case .chunkEnd(let isReturnSeen):
                guard available > 0 else { return .incomplete }
                let expected: UInt8 = isReturnSeen ? .lineFeed : .carriageReturn
                guard bytes[offset] == expected else { throw .chunkUnterminated }
                offset += 1
                stage = isReturnSeen ? .chunkSize : .chunkEnd(isReturnSeen: true)
            case .chunkSize:
                guard try readSize(in: bytes, from: &offset) else { return .incomplete }
            case .trailers:
                guard
                    try trailers.next(in: bytes, from: &offset, lines: &lines) == .complete
                else { return .incomplete }
                try checkTrailers()
                stage = .ended
            }
        }
    }

    private func take(_ byteCount: Int, from offset: inout Int) -> Range<Int> {
        defer { offset += byteCount }
        return offset..<(offset + byteCount)
    }

    private mutating func count(_ byteCount: Int) throws(MessageFault) {
        guard byteCount <= byteCountMax - chunkedByteCount else { throw .bodyTooLarge }
        chunkedByteCount += byteCount
    }

    private mutating func readSize(
        in bytes: Span<UInt8>,
        from offset: inout Int
    ) throws(MessageFault) -> Bool {
        switch lines.next(in: bytes, from: &offset, limit: sizeLineByteCountMax) {
        case .incomplete: return false
        case .tooLong: throw .chunkExtensionTooLong
        case .lineEndInvalid: throw .lineEndInvalid
        case .within(let range): try begin(bytes.extracting(range))
        case .assembled(let line): try begin(line.span)
        }
        return true
    }

    /// Begins the chunk that `line` announces: 1 to 16 hex digits, then nothing or `;`.
    private mutating func begin(_ line: Span<UInt8>) throws(MessageFault) {
        var size: UInt64 = 0
        var index = 0
        while index < line.count, let digit = line[index].hexDigitValue {
            guard index < 16 else { throw .chunkSizeInvalid }
            size = size << 4 | UInt64(digit)
            index += 1
        }
        guard index > 0 else { throw .chunkSizeInvalid }
        if index < line.count {
            guard line[index] == UInt8(ascii: ";") else { throw .chunkSizeInvalid }
            let byteCount = line.count - index
            guard byteCount <= limits.chunkExtensionByteCountMax else {
                throw .chunkExtensionTooLong
            }
            while index < line.count {
                guard line[index].isFieldValueCharacter else { throw .chunkExtensionInvalid }
                index += 1
            }
            extensionByteCount += byteCount
            guard extensionByteCount <= limits.chunkExtensionsByteCountMax else {
                throw .chunkExtensionTooLong
            }
        }
        guard let byteCount = Int(exactly: size) else { throw .chunkSizeInvalid }
        try count(byteCount)
        stage = byteCount == 0 ? .trailers : .chunkData(rest: byteCount)
    }

    private func checkTrailers() throws(MessageFault) {
        for (name, _) in trailers.fields.pairs where ConnectionField.isProtected(name) {
            throw .trailerFieldRefused
        }
    }
}
