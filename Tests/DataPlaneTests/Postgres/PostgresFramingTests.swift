import DataPlane
import Testing

/// Messages are found wherever they are cut, and none is longer than its kind may be.
@Suite struct PostgresFramingTests {
    /// What a direction was found to hold: each message's type, length and head, and how much was rest.
    private struct Found: Equatable {
        var messages: [String] = []
        var restByteCount = 0
        var fault: PostgresFault?
    }

    private func read(
        _ bytes: [UInt8],
        _ sender: PostgresFraming.Sender,
        pieceByteCount: Int
    ) -> Found {
        var framing = PostgresFraming(sender)
        var found = Found()
        for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
            let piece = Array(bytes[start..<min(start + pieceByteCount, bytes.count)])
            var offset = 0
            reading: while true {
                do {
                    switch try framing.next(in: piece.span, from: &offset) {
                    case .incomplete: break reading
                    case .message(let message):
                        found.messages.append(
                            "\(message.type) \(message.bodyByteCount) \(message.head)"
                        )
                    case .rest(let range): found.restByteCount += range.count
                    }
                } catch {
                    found.fault = error
                    return found
                }
            }
        }
        return found
    }

    private static let answers =
        PostgresWire.message("T", [1, 2, 3]) + PostgresWire.message("D", [UInt8](0..<200))
        + PostgresWire.message("D") + PostgresWire.complete("SELECT 1")
        + PostgresWire.ready("I")

    @Test(arguments: [1, 2, 3, 5, 6, 7, 64, 10_000])
    func piecesOfAnySizeAreTheSame(count: Int) {
        let found = read(Self.answers, .target, pieceByteCount: count)
        #expect(found == read(Self.answers, .target, pieceByteCount: 1))
        #expect(found.messages.count == 5)
        #expect(found.restByteCount == 203)
        #expect(found.messages.last == "90 1 [73]")
    }

    /// Rows are named where they lie, not copied.
    @Test func bodiesThatNeedNoLookAreRanges() throws {
        var framing = PostgresFraming(.target)
        let bytes = PostgresWire.message("D", [UInt8](repeating: 7, count: 1_000))
        var offset = 0
        let first = try framing.next(in: bytes.span, from: &offset)
        guard case .message(let message) = first else {
            Issue.record("no message: \(first)")
            return
        }
        #expect(message.head.isEmpty)
        #expect(message.place == .here(0..<5))
        #expect(try framing.next(in: bytes.span, from: &offset) == .rest(5..<1_005))
        #expect(framing.isBetweenMessages)
    }

    @Test func onlyWholeMessagesAreBetweenMessages() throws {
        var framing = PostgresFraming(.application)
        #expect(framing.isBetweenMessages)
        let bytes = PostgresWire.query("SELECT 1")
        for byte in bytes.dropLast() {
            var offset = 0
            let one = [byte]
            #expect(try framing.next(in: one.span, from: &offset) == .incomplete)
            #expect(!framing.isBetweenMessages)
        }
    }

    @Test(arguments: [
        // Lengths that are shorter than themselves.
        ([0x51, 0, 0, 0, 3], PostgresFault.malformed(0x51)),
        ([0x51, 0x80, 0, 0, 0], .tooLong(0x51)),
        // One byte more than a statement may have.
        ([0x51] + PostgresWire.number(PostgresLimits.statementByteCountMax + 5), .tooLong(0x51)),
        ([0x53, 0, 0, 0, 5], .tooLong(0x53)), ([0x42, 0x40, 0, 0, 4], .tooLong(0x42)),
        // A password where none is asked for, what only servers send, and no letter at all.
        ([0x70, 0, 0, 0, 4], .unexpectedMessage(0x70)),
        ([0x5A, 0, 0, 0, 5], .unexpectedMessage(0x5A)), ([0, 0, 0, 0, 4], .unexpectedMessage(0)),
    ])
    func programsThatBreakTheProtocolAreFound(bytes: [UInt8], fault: PostgresFault) {
        for count in [1, 5] {
            #expect(read(bytes, .application, pieceByteCount: count).fault == fault)
        }
    }

    @Test(arguments: [
        ([0x5A, 0, 0, 0, 6], PostgresFault.tooLong(0x5A)),
        ([0x51, 0, 0, 0, 4], .unexpectedMessage(0x51)), ([0x44, 0, 0, 0, 0], .malformed(0x44)),
    ])
    func targetsThatBreakTheProtocolAreFound(bytes: [UInt8], fault: PostgresFault) {
        #expect(read(bytes, .target, pieceByteCount: 5).fault == fault)
    }
}
