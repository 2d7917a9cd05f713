import HTTP
import Testing

/// One request that must be refused, and with which fault and status.
struct Refusal: CustomTestStringConvertible, Sendable {
    let name: String
    let wire: String
    let fault: MessageFault
    let status: Int

    init(_ name: String, _ wire: String, _ fault: MessageFault, _ status: Int) {
        self.name = name
        self.wire = wire
        self.fault = fault
        self.status = status
    }

    var testDescription: String { name }
}

/// What a parser made of some bytes: the parsed requests, and the fault that ended it.
struct Reading: Equatable {
    var heads: [RequestHead] = []
    var bodies: [[UInt8]] = []
    var endCount = 0
    var fault: MessageFault?
}

/// Feeds `wire` in the given pieces to a new parser.
func read(_ pieces: [[UInt8]], policy: RequestPolicy = .standard) -> Reading {
    var parser = RequestParser(policy: policy)
    var reading = Reading()
    for piece in pieces {
        var offset = 0
        feeding: while true {
            do {
                switch try parser.next(in: piece.span, from: &offset) {
                case .incomplete: break feeding
                case .head(let head):
                    reading.heads.append(head)
                    reading.bodies.append([])
                case .body(let range): reading.bodies[reading.bodies.count - 1] += piece[range]
                case .end: reading.endCount += 1
                }
            } catch {
                reading.fault = error
                return reading
            }
        }
    }
    return reading
}

func read(_ wire: String, policy: RequestPolicy = .standard) -> Reading {
    read([Array(wire.utf8)], policy: policy)
}

@Suite struct RequestParserTests {
    @Test func readsRequestWithoutBody() throws {
        let reading = read(
            "GET /v1/services?limit=2 HTTP/1.1\r\nHost: Api.Example:8443\r\nX-A:  b c \r\n\r\n"
        )
        let head = try #require(reading.heads.first)
        #expect(reading.fault == nil && reading.endCount == 1)
        #expect(head.method == .get)
        #expect(head.path == "/v1/services")
        #expect(head.query == "limit=2")
        #expect(head.authority?.host == "api.example")
        #expect(head.authority?.port == 8443)
        #expect(head.fields.first(try #require(FieldName("x-a"))) == "b c")
        #expect(head.framing == .none)
        #expect(head.allowsReuse)
    }

    @Test func readsBodiesOfBothFramingsInPipeline() {
        let reading = read(
            "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                + "PUT /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n000\r\nx-sum: 1\r\n\r\n"
                + "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        #expect(reading.fault == nil)
        #expect(reading.heads.map(\.path) == ["/a", "/b", "/c"])
        #expect(reading.bodies == [Array("hello".utf8), Array("abc0123456789".utf8), []])
        #expect(reading.endCount == 3)
    }

    @Test(arguments: RefusalTable.all) func refuses(_ row: Refusal) {
        let reading = read(row.wire)
        #expect(reading.fault == row.fault)
        #expect(reading.fault?.status.code == row.status)
    }

    @Test(arguments: RefusalTable.all) func refusesAlikeInSingleBytes(_ row: Refusal) {
        let whole = read(row.wire)
        let bytes = read(row.wire.utf8.map { [$0] })
        #expect(whole == bytes)
    }

    @Test func repeatsItsFault() {
        var parser = RequestParser()
        let bad = Array("GET / HTTP/1.1\n".utf8)
        let good = Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        for bytes in [bad, good] {
            #expect(throws: MessageFault.lineEndInvalid) {
                var offset = 0
                _ = try parser.next(in: bytes.span, from: &offset)
            }
        }
    }

    @Test(arguments: ValidRequests.all) func sameEventsAtEverySplit(_ wire: String) {
        let bytes = Array(wire.utf8)
        let whole = read([bytes])
        #expect(whole.fault == nil)
        #expect(whole.endCount > 0)
        for cut in 0...bytes.count {
            #expect(read([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole)
        }
        #expect(read(bytes.map { [$0] }) == whole)
    }

    @Test(arguments: ValidRequests.all) func survivesSerialisation(_ wire: String) throws {
        let reading = read(wire)
        for (head, body) in zip(reading.heads, reading.bodies) where head.version == .http11 {
            var again = try head.serialized()
            switch head.framing {
            case .chunked: again += ChunkedCoding.chunk(body) + ChunkedCoding.end
            case .none, .fixed, .untilClose: again += body
            }
            let second = read([again])
            #expect(second.fault == nil)
            #expect(second.bodies == [body])
            let copy = try #require(second.heads.first)
            #expect(copy.method == head.method)
            #expect(copy.target.originForm == head.target.originForm)
            #expect(copy.authority == head.authority)
            #expect(copy.allowsReuse == head.allowsReuse)
        }
    }

    @Test func skipsOneEmptyLineBeforeRequest() {
        let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(read("\r\n" + request + "\r\n" + request).endCount == 2)
        #expect(read("\r\n\r\n" + request).fault == .requestLineMalformed)
        #expect(read("\n" + request).fault == .lineEndInvalid)
    }

    @Test func removesUpgradeUnlessWebSocketIsKept() throws {
        let h2c =
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"
        let webSocket =
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
        let open = RequestPolicy(keepsWebSocketUpgrade: true)
        let plain = try #require(read(h2c).heads.first)
        #expect(!plain.fields.contains(.upgrade) && !plain.fields.contains(.http2Settings))
        #expect(read(h2c, policy: open).heads.first?.fields.contains(.upgrade) == false)
        #expect(read(webSocket).heads.first?.fields.contains(.upgrade) == false)
        #expect(read(webSocket, policy: open).heads.first?.fields.contains(.upgrade) == true)
    }

    @Test func policyOpensMethods() {
        let wire = "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(read(wire, policy: RequestPolicy(acceptsUnknownMethods: true)).endCount == 1)
        let connect = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"
        #expect(read(connect, policy: RequestPolicy(acceptsConnect: true)).endCount == 1)
    }

    @Test func limitIsExact() {
        func get(_ targetByteCount: Int) -> String {
            "GET /" + String(repeating: "a", count: targetByteCount - 1)
                + " HTTP/1.1\r\nHost: h\r\n\r\n"
        }
        #expect(read(get(8192)).endCount == 1)
        #expect(read(get(8193)).fault == .targetTooLong)
        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: h\r\n"
                + String(repeating: "a: b\r\n", count: count - 1) + "\r\n"
        }
        #expect(read(fields(100)).endCount == 1)
        #expect(read(fields(101)).fault == .fieldCountExceeded)
        func body(_ byteCount: Int) -> String {
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(byteCount)\r\n\r\n"
        }
        #expect(read(body(1_048_576)).heads.count == 1)
        #expect(read(body(1_048_577)).fault?.status == .contentTooLarge)
    }

    @Test func expectationIsReported() {
        let wire = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n"
        #expect(read(wire).heads.first?.expectsContinue == true)
        let old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        #expect(read(old).heads.first?.expectsContinue == false)
    }

    @Test func everyFaultHasSentenceAndStatus() {
        for fault in MessageFault.allCases {
            #expect(fault.sentence.hasSuffix("."))
            #expect((400...505).contains(fault.status.code))
            #expect(fault.code == "http.\(fault)")
        }
    }
}
