import HTTP
import Testing

private let start = ContinuousClock.now
private func after(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

/// A server machine with a short way to talk to it; the time stands still unless told.
private struct Conversation: ~Copyable {
    var machine: ServerConnectionMachine
    var now = start

    init(_ policy: RequestPolicy = .standard) {
        machine = ServerConnectionMachine(policy: policy, now: start)
    }

    mutating func receive(_ text: String) -> [ServerConnectionMachine.Action] {
        receive(Array(text.utf8))
    }

    mutating func receive(_ bytes: [UInt8]) -> [ServerConnectionMachine.Action] {
        machine.received(bytes.span, now: now)
    }

    mutating func answer(
        _ status: Status = .ok,
        _ body: String = ""
    ) throws -> [ServerConnectionMachine.Action] {
        try machine.respond(ResponseHead(status: status), body: Array(body.utf8), now: now)
    }

    mutating func flush() { machine.written(byteCount: machine.unsentByteCount, now: now) }
}

extension [ServerConnectionMachine.Action] {
    /// All that is sent, as text.
    fileprivate var sent: String {
        reduce(into: "") { text, action in
            if case .send(let bytes) = action { text += String(decoding: bytes, as: UTF8.self) }
        }
    }

    fileprivate var requests: [RequestHead] {
        compactMap { action in
            if case .request(let head) = action { return head }
            return nil
        }
    }

    fileprivate var bodyByteCount: Int {
        reduce(0) { count, action in
            if case .body(let bytes) = action { return count + bytes.count }
            return count
        }
    }
}

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
private func post(_ byteCount: Int, _ more: String = "") -> String {
    "POST /a HTTP/1.1\r\nHost: h\r\n\(more)Content-Length: \(byteCount)\r\n\r\n"
}

@Suite struct ServerConnectionMachineTests {
    @Test func servesRequestAfterRequest() throws {
        var talk = Conversation()
        for _ in 0..<3 {
            let arrival = talk.receive(get)
            #expect(arrival.requests.map(\.path) == ["/a"])
            #expect(arrival.last == .requestEnded)
            #expect(talk.machine.isIdle == false)
            let answer = try talk.answer(.ok, "hello")
            #expect(answer.sent == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
            #expect(talk.machine.isIdle == true)
        }
    }

    @Test func pipelinedRequestWaitsForItsTurn() throws {
        var talk = Conversation()
        let arrival = talk.receive(get + get.replacing("/a", with: "/b"))
        #expect(arrival.requests.map(\.path) == ["/a"])
        #expect(arrival.last == .pauseReading)
        let next = try talk.answer()
        #expect(next.requests.map(\.path) == ["/b"])
        #expect(next.last == .resumeReading)
    }

    @Test func heldBytesAreBounded() {
        var talk = Conversation()
        _ = talk.receive(get)
        var actions: [ServerConnectionMachine.Action] = []
        for _ in 0..<5 { actions += talk.receive([UInt8](repeating: 65, count: 64 * 1024)) }
        #expect(actions.contains(.refused(.heldBytesExceeded)))
        #expect(actions.contains(.requestFailed(.heldBytesExceeded)))
    }

    @Test func closesWhenAskedTo() throws {
        var talk = Conversation()
        _ = talk.receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        let answer = try talk.answer()
        #expect(answer.sent.contains("connection: close\r\n"))
        #expect(answer.last == .finish)
        talk.flush()
        #expect(talk.machine.deadline == after(2))
        #expect(talk.machine.peerClosed(now: after(1)) == [.close])
        #expect(talk.machine.isClosed == true)
    }

    @Test func closesAfterHTTP10() throws {
        var talk = Conversation()
        _ = talk.receive("GET / HTTP/1.0\r\n\r\n")
        let head = try talk.machine.respond(
            ResponseHead(status: .ok),
            framing: .chunked,
            now: start
        )
        #expect(!head.sent.contains("transfer-encoding"))
        let rest = try talk.machine.respondBody(Array("abc".utf8), now: start)
        #expect(rest.sent == "abc")
        #expect(try talk.machine.respondEnd(now: start) == [.finish])
    }

    @Test func streamsChunks() throws {
        var talk = Conversation()
        _ = talk.receive(get)
        var text = try talk.machine.respond(
            ResponseHead(status: .ok),
            framing: .chunked,
            now: start
        ).sent
        text += try talk.machine.respondBody(Array("hello".utf8), now: start).sent
        text += try talk.machine.respondBody([], now: start).sent
        text += try talk.machine.respondEnd(now: start).sent
        #expect(
            text == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )
    }

    @Test func answerToHeadHasLengthAndNoBody() throws {
        var talk = Conversation()
        _ = talk.receive("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try talk.answer(.ok, "hello").sent.hasSuffix("content-length: 5\r\n\r\n"))
        #expect(talk.machine.isIdle == true)
    }

    @Test func answerWithoutBodyHasNoLength() throws {
        var talk = Conversation()
        _ = talk.receive(get)
        #expect(throws: ExchangeMisuse.framingNotAllowed) { try talk.answer(.noContent, "x") }
        #expect(try talk.answer(.noContent).sent == "HTTP/1.1 204 No Content\r\n\r\n")
    }

    @Test func misuseIsAnErrorNotABrokenMessage() throws {
        var talk = Conversation()
        #expect(throws: ExchangeMisuse.noExchange) { try talk.answer() }
        _ = talk.receive(get)
        #expect(throws: ExchangeMisuse.headNotSent) { try talk.machine.respondEnd(now: start) }
        _ = try talk.machine.respond(
            ResponseHead(status: .ok),
            framing: .fixed(byteCount: 2),
            now: start
        )
        #expect(throws: ExchangeMisuse.headSentAlready) { try talk.answer() }
        #expect(throws: ExchangeMisuse.bodyTooLong) {
            try talk.machine.respondBody([1, 2, 3], now: start)
        }
        #expect(try talk.machine.respondEnd(now: start) == [.abort])
        for misuse in ExchangeMisuse.allCases { #expect(misuse.sentence.hasSuffix(".")) }
    }

    @Test(arguments: RefusalTable.all) func answersRefusalThenEnds(_ row: Refusal) {
        var talk = Conversation()
        var actions = talk.receive(row.wire)
        actions += talk.machine.consumed(byteCount: actions.bodyByteCount, now: start)
        let isReported = actions.contains(.refused(row.fault))
        #expect(isReported)
        #expect(actions.sent.hasPrefix("HTTP/1.1 \(row.status) "))
        #expect(actions.sent.contains("connection: close\r\n"))
        #expect(actions.sent.contains("\"code\":\"http.\(row.fault)\""))
        let endings = actions.filter { $0 == .finish }.count
        #expect(endings == 1)
        #expect(talk.receive(get) == [])
    }

    @Test func methodRefusalNamesWhatIsAllowed() {
        var talk = Conversation()
        #expect(talk.receive("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n").sent.contains("allow: GET"))
    }

    @Test func continueIsSentWhenTheBodyIsWanted() throws {
        var talk = Conversation()
        let arrival = talk.receive(post(3, "Expect: 100-continue\r\n"))
        #expect(arrival.sent.isEmpty)
        #expect(talk.machine.bodyWanted(now: start).sent == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(talk.machine.bodyWanted(now: start) == [])
        #expect(talk.receive("abc") == [.body(Array("abc".utf8)), .requestEnded])
        #expect(try talk.answer().sent.contains("200 OK"))
        #expect(talk.machine.isIdle == true)
    }

    @Test func refusalInsteadOfContinueCloses() throws {
        var talk = Conversation()
        _ = talk.receive(post(3, "Expect: 100-continue\r\n"))
        let answer = try talk.answer(.unauthorized)
        #expect(answer.sent.contains("connection: close"))
        #expect(answer.last == .finish)
    }

    @Test func shortRestOfBodyIsDrained() throws {
        var talk = Conversation()
        _ = talk.receive(post(1000))
        #expect(!(try talk.answer(.forbidden).sent.contains("connection: close")))
        #expect(talk.receive([UInt8](repeating: 65, count: 999)) == [])
        #expect(talk.machine.isIdle == false)
        let next = talk.receive("A" + get)
        #expect(next.requests.count == 1 && next.bodyByteCount == 0)
    }

    @Test func longRestOfBodyEndsTheConnection() throws {
        var talk = Conversation()
        _ = talk.receive(post(1_000_000))
        let answer = try talk.answer(.forbidden)
        #expect(answer.sent.contains("connection: close"))
        #expect(answer.last == .finish)
        #expect(talk.receive([UInt8](repeating: 65, count: 64 * 1024)) == [])
        #expect(talk.receive("A") == [.close])
    }

    @Test func endlessChunksAreDrainedOnlySoFar() throws {
        var talk = Conversation()
        _ = talk.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        _ = try talk.answer()
        let chunk = ChunkedCoding.chunk([UInt8](repeating: 65, count: 32 * 1024))
        #expect(talk.receive(chunk) == [])
        #expect(talk.receive(chunk) == [])
        #expect(talk.receive(chunk).contains(.close))
    }

    @Test func unconsumedBodyPausesReading() {
        var talk = Conversation()
        _ = talk.receive(post(200_000))
        let piece = [UInt8](repeating: 65, count: 65_536)
        let arrival = talk.receive(piece)
        #expect(arrival == [.body(piece), .pauseReading])
        #expect(talk.receive(piece) == [])
        #expect(talk.machine.deadline == nil)
        let more = talk.machine.consumed(byteCount: 65_536, now: after(60))
        #expect(more == [.body(piece)])
        #expect(
            talk.machine.consumed(byteCount: 65_536, now: after(60)) == [.resumeReading]
        )
        #expect(talk.machine.deadline == after(65))
    }

    @Test func routeMayLowerTheBodyLimit() {
        var talk = Conversation()
        _ = talk.receive(post(5000))
        #expect(talk.machine.limitBody(byteCount: 5000, now: start) == [])
        let actions = talk.machine.limitBody(byteCount: 4999, now: start)
        #expect(actions.sent.hasPrefix("HTTP/1.1 413 "))
        #expect(actions.contains(.requestFailed(.bodyTooLarge)))
    }

    @Test func silentConnectionIsClosedWithoutAnswer() {
        var talk = Conversation()
        #expect(talk.machine.deadline == after(10))
        #expect(talk.machine.timerFired(now: after(9)) == [])
        #expect(talk.machine.timerFired(now: after(10)) == [.close])
    }

    @Test func slowHeadIsRefused() {
        var talk = Conversation()
        talk.now = after(4)
        #expect(talk.receive("GET /") == [])
        talk.now = after(13)
        #expect(talk.receive("a") == [])
        #expect(talk.machine.deadline == after(14))
        let actions = talk.machine.timerFired(now: after(14))
        #expect(actions.sent.hasPrefix("HTTP/1.1 408 "))
        #expect(actions.last == .finish)
    }

    @Test func slowBodyIsRefused() {
        var talk = Conversation()
        _ = talk.receive(post(100_000))
        #expect(talk.machine.deadline == after(5))
        _ = talk.receive([UInt8](repeating: 65, count: 1200))
        #expect(talk.machine.timerFired(now: after(5)) == [])
        _ = talk.receive([UInt8](repeating: 65, count: 1199))
        let actions = talk.machine.timerFired(now: after(10))
        #expect(actions.contains(.requestFailed(.bodyTooSlow)))
        #expect(actions.sent.hasPrefix("HTTP/1.1 408 "))
    }

    @Test func idleConnectionIsClosed() throws {
        var talk = Conversation()
        _ = talk.receive(get)
        #expect(talk.machine.deadline == nil)
        talk.now = after(100)
        _ = try talk.answer()
        talk.flush()
        #expect(talk.machine.deadline == after(160))
        #expect(talk.machine.timerFired(now: after(160)) == [.close])
    }

    @Test func peerThatStopsReadingIsCut() throws {
        var talk = Conversation()
        _ = talk.receive(get)
        _ = try talk.answer(.ok, "hello")
        #expect(talk.machine.deadline == after(30))
        talk.machine.written(byteCount: 1, now: after(20))
        #expect(talk.machine.timerFired(now: after(49)) == [])
        #expect(
            talk.machine.timerFired(now: after(50)) == [.refused(.writeStalled), .abort]
        )
        #expect(talk.machine.isClosed == true)
    }

    @Test func faultInsideStartedResponseCuts() throws {
        var talk = Conversation()
        _ = talk.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        _ = try talk.machine.respond(ResponseHead(status: .ok), framing: .chunked, now: start)
        #expect(
            talk.receive("zz\r\n") == [
                .refused(.chunkSizeInvalid), .requestFailed(.chunkSizeInvalid), .abort,
            ]
        )
        #expect(throws: ExchangeMisuse.noExchange) { try talk.machine.respondEnd(now: start) }
    }

    @Test func halfClosedPeerIsStillAnswered() throws {
        var talk = Conversation()
        _ = talk.receive(get + get)
        #expect(talk.machine.peerClosed(now: start) == [])
        #expect(try talk.answer().requests.count == 1)
        let last = try talk.answer(.ok, "x")
        #expect(last.sent.hasSuffix("x"))
        #expect(last.contains(.close))
    }

    @Test func endInsideBodyFailsTheRequest() {
        var talk = Conversation()
        _ = talk.receive(post(10) + "abc")
        let actions = talk.machine.peerClosed(now: start)
        #expect(actions.contains(.requestFailed(.messageTruncated)))
        #expect(actions.last == .close)
    }

    @Test func endBehindHeldBodyIsNotTruncation() throws {
        var talk = Conversation()
        _ = talk.receive(post(131_072))
        let piece = [UInt8](repeating: 65, count: 65_536)
        _ = talk.receive(piece)
        _ = talk.receive(piece)
        #expect(talk.machine.peerClosed(now: start) == [])
        #expect(talk.machine.consumed(byteCount: 65_536, now: start).bodyByteCount == 65_536)
        let end = talk.machine.consumed(byteCount: 65_536, now: start)
        #expect(end.first == .requestEnded)
        #expect(try talk.answer().contains(.close))
    }

    @Test func lostConnectionFailsTheRequest() {
        var talk = Conversation()
        _ = talk.receive(get)
        #expect(talk.machine.connectionLost() == [.requestFailed(.peerVanished)])
        #expect(talk.machine.connectionLost() == [])
    }

    @Test func shutDownLetsTheResponseFinish() throws {
        var idle = Conversation()
        #expect(idle.machine.shutDown(now: start) == [.close])
        var talk = Conversation()
        _ = talk.receive(get)
        #expect(talk.machine.shutDown(now: start) == [])
        let answer = try talk.answer()
        #expect(answer.sent.contains("connection: close"))
        #expect(answer.last == .finish)
    }

    @Test func sameActionsForSingleBytes() throws {
        let wire = get + post(5) + "hello" + get
        var whole = Conversation()
        var pieces = Conversation()
        var first: [RequestHead] = []
        var second: [RequestHead] = []
        var queue = whole.receive(wire).requests
        while !queue.isEmpty {
            first += queue
            queue = try whole.answer().requests
        }
        for octet in wire.utf8 {
            let actions = pieces.receive([octet])
            second += actions.requests
            if actions.contains(.requestEnded) { _ = try pieces.answer() }
        }
        #expect(first == second)
        #expect(first.count == 3)
    }
}
