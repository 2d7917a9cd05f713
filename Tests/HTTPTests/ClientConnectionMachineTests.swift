import HTTP
import Testing

private let start = ContinuousClock.now
private func after(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

private func head(_ method: HTTP.Method = .get, _ framing: BodyFraming = .none) throws
    -> RequestHead
{
    RequestHead(
        method: method,
        target: try #require(RequestTarget("/a?b=c")),
        authority: try #require(Authority("h:1")),
        framing: framing
    )
}

extension ClientConnectionMachine {
    fileprivate mutating func receive(_ text: String, now: Instant = start) -> [Action] {
        received(Array(text.utf8).span, now: now)
    }
}

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

@Suite struct ClientConnectionMachineTests {
    @Test func servesExchangeAfterExchange() throws {
        var machine = ClientConnectionMachine()
        for _ in 0..<2 {
            let actions = try machine.request(head(), body: [], now: start)
            #expect(actions == [.send(Array("GET /a?b=c HTTP/1.1\r\nhost: h:1\r\n\r\n".utf8))])
            let answer = machine.receive(ok)
            #expect(answer.count == 3)
            #expect(
                answer.dropFirst() == [
                    .body(Array("hello".utf8)), .responseEnded(isReusable: true),
                ]
            )
            #expect(machine.isIdle == true)
        }
    }

    @Test func sendsBodiesOfBothFramings() throws {
        var machine = ClientConnectionMachine()
        let whole = try machine.request(head(.post), body: Array("abc".utf8), now: start)
        #expect(
            whole.first
                == .send(
                    Array("POST /a?b=c HTTP/1.1\r\nhost: h:1\r\ncontent-length: 3\r\n\r\n".utf8)
                )
        )
        #expect(whole.last == .send(Array("abc".utf8)))
        _ = machine.receive(ok)
        _ = try machine.request(head(.post, .chunked), now: start)
        let chunk = try machine.requestBody(Array("abc".utf8), now: start)
        #expect(chunk == [.send(Array("3\r\nabc\r\n".utf8))])
        let end = try machine.requestEnd(now: start)
        #expect(end == [.send(ChunkedCoding.end)])
    }

    @Test func misuseIsAnError() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(.post, .fixed(byteCount: 2)), now: start)
        #expect(throws: ExchangeMisuse.noExchange) { try machine.request(head(), now: start) }
        #expect(throws: ExchangeMisuse.bodyTooLong) {
            try machine.requestBody([1, 2, 3], now: start)
        }
        #expect(try machine.requestEnd(now: start) == [.failed(.truncated), .close])
    }

    @Test func closeDelimitedBodyEndsWithTheConnection() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        _ = machine.receive("HTTP/1.1 200 OK\r\n\r\nabc")
        #expect(machine.peerClosed(now: start) == [.responseEnded(isReusable: false), .close])
    }

    @Test func lengthIsNotCutShort() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        _ = machine.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        #expect(machine.peerClosed(now: start) == [.failed(.truncated), .close])
    }

    @Test func retryIsSafeOnlyOnAServedConnectionAndIdempotent() throws {
        var fresh = ClientConnectionMachine()
        _ = try fresh.request(head(), now: start)
        #expect(
            fresh.peerClosed(now: start).first == .failed(.closedBeforeResponse(isRetrySafe: false))
        )
        for (method, isSafe) in [(HTTP.Method.get, true), (.post, false)] {
            var machine = ClientConnectionMachine()
            _ = try machine.request(head(), now: start)
            _ = machine.receive(ok)
            _ = try machine.request(head(method), now: start)
            #expect(
                machine.connectionLost() == [.failed(.closedBeforeResponse(isRetrySafe: isSafe))]
            )
        }
    }

    @Test func unsolicitedBytesEndTheConnection() throws {
        var idle = ClientConnectionMachine()
        #expect(idle.receive("H") == [.close])
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        #expect(machine.receive(ok + "x").suffix(2) == [.responseEnded(isReusable: false), .close])
    }

    @Test func earlyResponseIsNotReused() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(.post, .fixed(byteCount: 9)), now: start)
        #expect(machine.receive(ok).last == .close)
    }

    @Test func interimResponsesAreReported() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        let actions = machine.receive("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok)
        guard case .informational(let hint) = actions.first else {
            Issue.record("no interim response")
            return
        }
        #expect(hint.status.code == 103)
        #expect(actions.last == .responseEnded(isReusable: true))
    }

    @Test func silenceIsATimeout() throws {
        var machine = ClientConnectionMachine()
        #expect(machine.deadline == nil)
        _ = try machine.request(head(), responseTimeout: .seconds(70), now: start)
        machine.written(byteCount: machine.unsentByteCount, now: after(1))
        #expect(machine.deadline == after(71))
        #expect(machine.timerFired(now: after(70)) == [])
        #expect(machine.timerFired(now: after(71)) == [.failed(.responseTimeout), .close])
    }

    @Test func silenceInsideTheBodyIsATimeout() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        machine.written(byteCount: machine.unsentByteCount, now: start)
        _ = machine.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na", now: after(5))
        #expect(machine.timerFired(now: after(35)) == [.failed(.bodyTimeout), .close])
    }

    @Test func unwrittenRequestIsATimeout() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(.post, .chunked), now: start)
        #expect(machine.timerFired(now: after(30)) == [.failed(.writeStalled), .close])
    }

    @Test func unconsumedBodyPausesReading() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        _ = machine.receive("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n")
        let body = String(repeating: "a", count: 65_536)
        #expect(machine.receive(body).last == .pauseReading)
        #expect(machine.receive("a") == [])
        let rest = machine.consumed(byteCount: 65_536, now: start)
        #expect(rest == [.body([97]), .responseEnded(isReusable: true), .resumeReading])
    }

    @Test func endBehindUnconsumedBodyIsNotTruncation() throws {
        var machine = ClientConnectionMachine()
        _ = try machine.request(head(), now: start)
        _ = machine.receive("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n")
        _ = machine.receive(String(repeating: "a", count: 65_536))
        #expect(machine.peerClosed(now: start) == [])
        let end = machine.consumed(byteCount: 65_536, now: start)
        #expect(end == [.responseEnded(isReusable: false), .close])
        #expect(ClientFault.truncated.sentence.hasSuffix("."))
    }
}
