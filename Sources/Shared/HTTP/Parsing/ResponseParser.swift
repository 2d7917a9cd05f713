/// What the next bytes of a connection mean to a client.
package enum ResponseEvent: Equatable, Sendable {
    /// All bytes were taken and more are needed.
    case incomplete
    /// An interim response; the final one follows.
    case informational(ResponseHead)
    case head(ResponseHead)
    /// Bytes of the body, as a range of the bytes given; never empty.
    case body(Range<Int>)
    /// The response is complete.
    case end
}

/// Reads HTTP/1.1 responses, as strictly as requests are read (RFC 9112).
///
/// Tell it each request's method with `expect(_:)` before its response arrives: the framing
/// depends on it. A response to HEAD, a 204 and a 304 have no body, whatever their fields say.
package struct ResponseParser: ~Copyable {
    private enum Stage {
        case unexpected
        case statusLine
        case fields
        case body
        case failed(MessageFault)
    }

    private let limits: Limits
    private var stage = Stage.unexpected
    private var method = Method.get
    private var informationalCount = 0
    private var lines = LineAssembler()
    private var statusLine: StatusLine?
    private var fields: FieldBlockParser
    private var body: BodyParser

    /// A parser at the start of a connection; it accepts nothing before `expect`.
    package init(limits: Limits = .standard) {
        self.limits = limits
        fields = ResponseParser.fieldBlock(limits)
        body = BodyParser(.none, limits: limits)
    }

    /// A request of that method was sent; its response comes next.
    package mutating func expect(_ method: Method) {
        guard case .unexpected = stage else { return }
        self.method = method
        informationalCount = 0
        stage = .statusLine
    }

    /// The peer closed; true when the response ends there, false when it is cut short.
    package mutating func peerClosed() -> Bool {
        switch stage {
        case .unexpected: true
        case .body: body.peerClosed()
        case .statusLine, .fields, .failed: false
        }
    }

    /// The next event in `bytes` from `offset` on, which moves behind what was taken.
    package mutating func next(
        in bytes: Span<UInt8>,
        from offset: inout Int
    ) throws(MessageFault) -> ResponseEvent {
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
    ) throws(MessageFault) -> ResponseEvent {
        while true {
            switch stage {
            case .failed(let fault): throw fault
            case .unexpected:
                guard offset == bytes.count else { throw .responseUnsolicited }
                return .incomplete
            case .statusLine:
                switch lines.next(
                    in: bytes,
                    from: &offset,
                    limit: limits.fieldLineByteCountMax
                ) {
                case .incomplete: return .incomplete
                case .tooLong: throw .statusLineMalformed
                case .lineEndInvalid: throw .lineEndInvalid
                case .within(let range): statusLine = try StatusLine(bytes.extracting(range))
                case .assembled(let line): statusLine = try StatusLine(line.span)
                }
                stage = .fields
            case .fields:
                guard try fields.next(in: bytes, from: &offset, lines: &lines) == .complete
                else { return .incomplete }
                return try completeHead()
            case .body:
                switch try body.next(in: bytes, from: &offset) {
                case .incomplete: return .incomplete
                case .bytes(let range): return .body(range)
                case .end:
                    stage = .unexpected
                    return .end
                }
            }
        }
    }

    private mutating func completeHead() throws(MessageFault) -> ResponseEvent {
        guard let statusLine else { throw .statusLineMalformed }
        let head = try ResponseHead(statusLine, fields: fields.fields, method: method)
        fields = ResponseParser.fieldBlock(limits)
        guard head.status != .switchingProtocols else { throw .upgradeUnexpected }
        if head.status.isInformational {
            informationalCount += 1
            guard informationalCount <= limits.informationalCountMax else {
                throw .informationalFlood
            }
            stage = .statusLine
            return .informational(head)
        }
        if case .fixed(let byteCount) = head.framing, byteCount > limits.bodyByteCountMax {
            throw .bodyTooLarge
        }
        body = BodyParser(head.framing, limits: limits)
        stage = .body
        return .head(head)
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

/// A status line: version, status and a reason that nobody reads (RFC 9112 section 4).
struct StatusLine {
    let version: Version
    let status: Status

    /// The space behind the code may be missing when no reason follows; many servers omit it.
    init(_ line: Span<UInt8>) throws(MessageFault) {
        guard line.count >= 12, line[8] == .space else { throw .statusLineMalformed }
        do throws(MessageFault) {
            version = try Version(line.extracting(0..<8))
        } catch {
            throw .statusLineMalformed
        }
        var code = 0
        for index in 9..<12 {
            guard line[index].isDigit else { throw .statusLineMalformed }
            code = code * 10 + Int(line[index] &- 0x30)
        }
        guard let status = Status(code), line.count == 12 || line[12] == .space else {
            throw .statusLineMalformed
        }
        for index in 12..<line.count where !line[index].isFieldValueCharacter {
            throw .statusLineMalformed
        }
        self.status = status
    }
}

extension ResponseHead {
    /// Joins a status line and its fields, and decides framing and persistence.
    init(_ line: StatusLine, fields: HeaderFields, method: Method) throws(MessageFault) {
        status = line.status
        version = line.version
        self.fields = fields
        let declared = try BodyFraming(fields, version: line.version)
        let closes = fields.list(.connection).contains {
            Array($0.utf8).span.equalsIgnoringCase("close")
        }
        var mayReuse = line.version == .http11 && !closes
        if line.status.forbidsBody || method == .head {
            framing = .none
            // A body announced where none may be is a sender that may go on and send it.
            let isSuspect =
                declared == .chunked || !(declared?.isEmpty ?? true)
            if line.status == .noContent || line.status.isInformational, isSuspect {
                mayReuse = false
            }
        } else {
            framing = declared ?? .untilClose
            if framing == .untilClose { mayReuse = false }
        }
        allowsReuse = mayReuse
    }
}
