import Reactor

/// One message of protocol 3, as far as it has to be looked at.
package struct PostgresMessage: Equatable, Sendable {
    /// Where the bytes are that were read of it.
    package enum Place: Equatable, Sendable {
        /// In the bytes given.
        case here(Range<Int>)
        /// They began in bytes given before.
        case held([UInt8])
    }

    /// Its type: an ASCII letter or digit.
    package let type: UInt8
    /// How long its body is.
    package let bodyByteCount: Int
    /// The first bytes of the body, all of it for what has to be judged whole.
    package let head: [UInt8]
    /// Type, length and head.
    package let place: Place

    /// Bytes of the body behind the head, which follow as `rest`.
    package var restByteCount: Int { bodyByteCount - head.count }
}

/// Cuts one direction of a session into its messages.
///
/// Holds at most one head; bodies that need no look are named as ranges of the bytes given and never
/// copied. After a fault nothing can be read any more.
package struct PostgresFraming: Sendable {
    /// Who speaks: it decides which messages there are.
    package enum Sender: Sendable {
        /// The program that uses the session.
        case application
        /// The server.
        case target
    }

    /// What the next bytes are.
    package enum Piece: Equatable, Sendable {
        /// All bytes were taken and more are needed.
        case incomplete
        /// A message began whose head is there.
        case message(PostgresMessage)
        /// Bytes of the latest message's body behind its head; never empty.
        case rest(Range<Int>)
    }

    private static let headerByteCount = 5

    private let sender: Sender
    private var held: [UInt8] = []
    private var restByteCount = 0

    /// The start of a direction, behind the start-up.
    package init(_ sender: Sender) {
        self.sender = sender
    }

    /// Whether all that was taken were whole messages.
    package var isBetweenMessages: Bool { held.isEmpty && restByteCount == 0 }

    /// The next piece of `input` from `offset` on, which moves behind what was taken.
    package mutating func next(
        in input: Span<UInt8>,
        from offset: inout Int
    ) throws(PostgresFault) -> Piece {
        guard offset < input.count else { return .incomplete }
        if restByteCount > 0 {
            let count = min(restByteCount, input.count - offset)
            restByteCount -= count
            defer { offset += count }
            return .rest(offset..<(offset + count))
        }
        if held.isEmpty, input.count - offset >= Self.headerByteCount {
            let header = try header(of: input.extracting(offset..<(offset + Self.headerByteCount)))
            let count = Self.headerByteCount + header.headByteCount
            if input.count - offset >= count {
                let start = offset
                offset += count
                restByteCount = header.bodyByteCount - header.headByteCount
                return .message(
                    PostgresMessage(
                        type: header.type,
                        bodyByteCount: header.bodyByteCount,
                        head: input.bytes((start + Self.headerByteCount)..<offset),
                        place: .here(start..<offset)
                    )
                )
            }
        }
        return try assemble(input, from: &offset)
    }

    private mutating func assemble(
        _ input: Span<UInt8>,
        from offset: inout Int
    ) throws(PostgresFault) -> Piece {
        take(Self.headerByteCount, from: input, &offset)
        guard held.count >= Self.headerByteCount else { return .incomplete }
        let header = try header(of: held.span.extracting(first: Self.headerByteCount))
        let count = Self.headerByteCount + header.headByteCount
        take(count, from: input, &offset)
        guard held.count == count else { return .incomplete }
        restByteCount = header.bodyByteCount - header.headByteCount
        let bytes = held
        held = []
        return .message(
            PostgresMessage(
                type: header.type,
                bodyByteCount: header.bodyByteCount,
                head: Array(bytes.dropFirst(Self.headerByteCount)),
                place: .held(bytes)
            )
        )
    }

    /// Holds more of the input until so many bytes are held.
    private mutating func take(_ count: Int, from input: Span<UInt8>, _ offset: inout Int) {
        let taken = min(max(0, count - held.count), input.count - offset)
        held += input.bytes(offset..<(offset + taken))
        offset += taken
    }

    private struct Header {
        let type: UInt8
        let bodyByteCount: Int
        let headByteCount: Int
    }

    /// The header's five bytes, judged before anything of the body is taken.
    private func header(of bytes: Span<UInt8>) throws(PostgresFault) -> Header {
        let type = bytes[0]
        var length = 0
        for index in 1..<Self.headerByteCount { length = length << 8 | Int(bytes[index]) }
        guard length >= 4 else { throw .malformed(type) }
        guard let rule = rule(for: type) else { throw .unexpectedMessage(type) }
        let body = length - 4
        guard body <= rule.bodyByteCountMax else { throw .tooLong(type) }
        return Header(
            type: type,
            bodyByteCount: body,
            headByteCount: min(body, rule.headByteCountMax)
        )
    }

    private struct Rule {
        var headByteCountMax = 0
        var bodyByteCountMax = PostgresLimits.messageByteCountMax

        static func head(_ count: Int) -> Rule { Rule(headByteCountMax: count) }

        static func whole(_ count: Int) -> Rule {
            Rule(headByteCountMax: count, bodyByteCountMax: count)
        }
    }

    private func rule(for type: UInt8) -> Rule? {
        let name = PostgresLimits.nameByteCountMax + 1
        switch sender {
        case .application:
            switch type {
            case UInt8(ascii: "Q"), UInt8(ascii: "P"):
                return .whole(PostgresLimits.statementByteCountMax)
            case UInt8(ascii: "B"): return .head(2 * name)
            case UInt8(ascii: "E"): return .whole(name + 4)
            case UInt8(ascii: "D"), UInt8(ascii: "C"): return .whole(name + 1)
            case UInt8(ascii: "S"), UInt8(ascii: "H"), UInt8(ascii: "X"), UInt8(ascii: "c"):
                return .whole(0)
            case UInt8(ascii: "d"), UInt8(ascii: "f"), UInt8(ascii: "F"): return .head(0)
            default: return nil
            }
        case .target:
            switch type {
            case UInt8(ascii: "D"), UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: "1"),
                UInt8(ascii: "2"), UInt8(ascii: "3"), UInt8(ascii: "n"), UInt8(ascii: "s"),
                UInt8(ascii: "I"), UInt8(ascii: "A"), UInt8(ascii: "N"), UInt8(ascii: "G"),
                UInt8(ascii: "H"), UInt8(ascii: "W"), UInt8(ascii: "d"), UInt8(ascii: "c"):
                return .head(0)
            case UInt8(ascii: "Z"): return .whole(1)
            case UInt8(ascii: "C"): return .head(PostgresLimits.tagHeadByteCount)
            case UInt8(ascii: "E"): return .head(PostgresLimits.errorHeadByteCount)
            case UInt8(ascii: "S"): return .whole(PostgresLimits.parameterByteCountMax)
            case UInt8(ascii: "R"): return .whole(PostgresLimits.authenticationByteCountMax)
            case UInt8(ascii: "K"): return .whole(4 + PostgresLimits.cancelKeyByteCountMax)
            default: return nil
            }
        }
    }
}

/// What ends a session because nothing behind it could be understood.
package enum PostgresFault: Error, Equatable, Sendable {
    /// A type that this side does not send now.
    case unexpectedMessage(UInt8)
    /// A message that is longer than its kind may be.
    case tooLong(UInt8)
    /// A message whose parts do not fill it exactly.
    case malformed(UInt8)
}

extension Span<UInt8> {
    /// A copy of the bytes in the range.
    func bytes(_ range: Range<Int>) -> [UInt8] {
        guard !range.isEmpty else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        bytes.append(copying: extracting(range))
        return bytes
    }
}
