/// What the next bytes of a connection mean to a server.
package enum RequestEvent: Equatable, Sendable {
    /// All bytes were taken and more are needed.
    case incomplete
    case head(RequestHead)
    /// Bytes of the body, as a range of the bytes given; never empty.
    case body(Range<Int>)
    /// The request is complete; what follows belongs to the next one.
    case end
}

/// Reads HTTP/1.1 requests, strictly and in pieces of any size (RFC 9112).
///
/// There is no lenient mode. Whatever two implementations are known to read differently is
/// refused: both framings at once, repeated framing or host fields, folded fields, lone CR or LF,
/// NUL, any transfer coding but `chunked`. One empty line before a request line is skipped, as
/// RFC 9112 section 2.2 allows; a second one is refused. After a fault every call repeats it.
///
/// Memory: one unfinished line and the fields so far, both within `Limits`.
package struct RequestParser: ~Copyable {
    private enum Stage {
        case requestLine
        case fields
        case body
        case failed(MessageFault)
    }

    private let policy: RequestPolicy
    private var stage = Stage.requestLine
    private var isEmptyLineSkipped = false
    private var lines = LineAssembler()
    private var requestLine: RequestLine?
    private var fields: FieldBlockParser
    private var body: BodyParser

    /// A parser at the start of a connection.
    package init(policy: RequestPolicy = .standard) {
        self.policy = policy
        fields = RequestParser.fieldBlock(policy.limits)
        body = BodyParser(.none, limits: policy.limits)
    }

    /// Whether no byte of a next request was taken yet.
    package var isBetweenRequests: Bool {
        if case .requestLine = stage { return lines.isEmpty && !isEmptyLineSkipped }
        return false
    }

    /// Body bytes that surely still come, 0 between requests; nil when only the end will tell.
    package var restByteCount: Int? { body.restByteCount }

    /// Lowers the body limit of the current request; false when its body is known to be longer.
    package mutating func limitBody(byteCount: Int) -> Bool {
        body.limit(byteCount: byteCount)
    }

    /// The next event in `bytes` from `offset` on, which moves behind what was taken.
    package mutating func next(
        in bytes: Span<UInt8>,
        from offset: inout Int
    ) throws(MessageFault) -> RequestEvent {
        do throws(MessageFault) {
            return try advance(in: bytes, from: &offset)
        } catch {
            stage = .failed(error)
            throw error
        }
    }

    private mutating func advance(
        in bytes: Span<UInt8>,
        from offset: inout Int
    ) throws(MessageFault) -> RequestEvent {
        while true {
            switch stage {
            case .failed(let fault): throw fault
            case .requestLine:
                guard try readRequestLine(in: bytes, from: &offset) else { return .incomplete }
            case .fields:
                guard try fields.next(in: bytes, from: &offset, lines: &lines) == .complete
                else { return .incomplete }
                return .head(try completeHead())
            case .body:
                switch try body.next(in: bytes, from: &offset) {
                case .incomplete: return .incomplete
                case .bytes(let range): return .body(range)
                case .end:
                    begin()
                    return .end
                }
            }
        }
    }

    private mutating func begin() {
        stage = .requestLine
        isEmptyLineSkipped = false
        requestLine = nil
        fields = RequestParser.fieldBlock(policy.limits)
    }

    private mutating func readRequestLine(
        in bytes: Span<UInt8>,
        from offset: inout Int
    ) throws(MessageFault) -> Bool {
        let limit = RequestLine.overheadByteCountMax + policy.limits.targetByteCountMax
        switch lines.next(in: bytes, from: &offset, limit: limit) {
        case .incomplete: return false
        case .tooLong: throw .targetTooLong
        case .lineEndInvalid: throw .lineEndInvalid
        case .within(let range): try accept(bytes.extracting(range))
        case .assembled(let line): try accept(line.span)
        }
        return true
    }

    private mutating func accept(_ line: Span<UInt8>) throws(MessageFault) {
        if line.isEmpty {
            guard !isEmptyLineSkipped else { throw .requestLineMalformed }
            isEmptyLineSkipped = true
            return
        }
        requestLine = try RequestLine(line, policy: policy)
        stage = .fields
    }

    private mutating func completeHead() throws(MessageFault) -> RequestHead {
        guard let requestLine else { throw .requestLineMalformed }
        let head = try RequestHead(requestLine, fields: fields.fields, policy: policy)
        body = BodyParser(head.framing, limits: policy.limits)
        stage = .body
        return head
    }

    private static func fieldBlock(_ limits: Limits) -> FieldBlockParser {
        FieldBlockParser(
            bounds: .init(
                lineByteCountMax: limits.fieldLineByteCountMax,
                blockByteCountMax: limits.fieldBlockByteCountMax,
                countMax: limits.fieldCountMax,
                blockFault: .fieldBlockTooLarge
            )
        )
    }
}
