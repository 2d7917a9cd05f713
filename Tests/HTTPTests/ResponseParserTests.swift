import HTTP
import Testing

private struct ResponseReading: Equatable {
    var interim: [ResponseHead] = []
    var heads: [ResponseHead] = []
    var body: [UInt8] = []
    var endCount = 0
    var fault: MessageFault?
}

private func readResponse(
    _ pieces: [[UInt8]],
    to method: HTTP.Method,
    closes: Bool = false
) -> ResponseReading {
    var parser = ResponseParser()
    parser.expect(method)
    var reading = ResponseReading()
    do {
        for piece in pieces {
            var offset = 0
            feeding: while true {
                switch try parser.next(in: piece.span, from: &offset) {
                case .incomplete: break feeding
                case .informational(let head): reading.interim.append(head)
                case .head(let head): reading.heads.append(head)
                case .body(let range): reading.body += piece[range]
                case .end: reading.endCount += 1
                }
            }
        }
        if closes, parser.peerClosed() {
            var offset = 0
            let none: [UInt8] = []
            if try parser.next(in: none.span, from: &offset) == .end { reading.endCount += 1 }
        }
    } catch {
        reading.fault = error
    }
    return reading
}

private func readResponse(
    _ wire: String,
    to method: HTTP.Method = .get,
    closes: Bool = false
) -> ResponseReading {
    readResponse([Array(wire.utf8)], to: method, closes: closes)
}

@Suite struct ResponseParserTests {
    @Test func readsResponse() throws {
        let reading = readResponse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"a\"\r\n\r\nhi")
        let head = try #require(reading.heads.first)
        #expect(head.status == .ok && head.allowsReuse)
        #expect(head.fields.first(.etag) == "\"a\"")
        #expect(reading.body == Array("hi".utf8))
        #expect(reading.endCount == 1)
    }

    @Test(
        arguments: [
            ("HTTP/1.1 204 No Content\r\n\r\n", HTTP.Method.get),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", .get),
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", .head),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .head),
        ]
    ) func someResponsesHaveNoBody(_ wire: String, _ method: HTTP.Method) {
        let reading = readResponse(wire, to: method)
        #expect(reading.endCount == 1 && reading.fault == nil)
        #expect(reading.heads.first?.allowsReuse == true)
    }

    @Test func announcedBodyOfNoContentEndsTheConnection() {
        let reading = readResponse("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n")
        #expect(reading.heads.first?.allowsReuse == false)
        let smuggled = readResponse("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc")
        #expect(smuggled.fault == .responseUnsolicited)
    }

    @Test func bodyWithoutLengthEndsWithTheConnection() {
        let wire = "HTTP/1.1 200 OK\r\n\r\nabc"
        #expect(readResponse(wire).endCount == 0)
        let reading = readResponse(wire, closes: true)
        #expect(reading.endCount == 1)
        #expect(reading.heads.first?.framing == .untilClose)
        #expect(reading.heads.first?.allowsReuse == false)
    }

    @Test(
        arguments: [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                MessageFault.lengthAndTransferEncoding
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
                .contentLengthRepeated
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", .contentLengthInvalid),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .transferEncodingUnknown),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInHTTP10),
            ("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n", .lineEndInvalid),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", .fieldFolded),
            ("HTTP/1.1 20 OK\r\n\r\n", .statusLineMalformed),
            ("HTTP/1.1 099 OK\r\n\r\n", .statusLineMalformed),
            ("HTTP/1.1 600 OK\r\n\r\n", .statusLineMalformed),
            ("HTTP/1.1 2000 OK\r\n\r\n", .statusLineMalformed),
            ("HTTP/1.1  200 OK\r\n\r\n", .statusLineMalformed),
            ("HTTP/2.0 200 OK\r\n\r\n", .statusLineMalformed),
            ("HTTP/1.1 200 O\u{0}K\r\n\r\n", .statusLineMalformed),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", .statusLineMalformed),
            ("SSH-2.0-OpenSSH\r\n", .statusLineMalformed),
            ("HTTP/1.1 101 Switching\r\n\r\n", .upgradeUnexpected),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1", .responseUnsolicited),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", .bodyTooLarge),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", .chunkSizeInvalid),
        ]
    ) func refuses(_ wire: String, _ fault: MessageFault) {
        #expect(readResponse(wire).fault == fault)
        #expect(readResponse(wire.utf8.map { [$0] }, to: .get).fault == fault)
    }

    @Test func interimResponsesAreBounded() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n"
        let final = "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"
        let reading = readResponse(String(repeating: interim, count: 8) + final)
        #expect(reading.interim.count == 8 && reading.endCount == 1)
        #expect(readResponse(String(repeating: interim, count: 9)).fault == .informationalFlood)
    }

    @Test func endlessBodyIsBounded() {
        let wire = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        let body = [UInt8](repeating: 65, count: 1024 * 1024)
        #expect(readResponse([wire, body], to: .get).fault == nil)
        #expect(readResponse([wire, body, [65]], to: .get).fault == .bodyTooLarge)
    }

    @Test func sameEventsAtEverySplit() {
        let wire = Array(
            "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: u\r\n\r\n"
                .utf8
        )
        let whole = readResponse([wire], to: .get)
        #expect(whole.endCount == 1)
        for cut in 0...wire.count {
            #expect(readResponse([Array(wire[..<cut]), Array(wire[cut...])], to: .get) == whole)
        }
    }

    @Test func writesWhatItReads() throws {
        var fields = HeaderFields()
        try fields.append(.contentType, "text/plain")
        try fields.append(.contentLength, "999")
        var head = ResponseHead(status: .created, fields: fields)
        head.framing = .fixed(byteCount: 2)
        let text = String(decoding: try head.serialized(), as: UTF8.self)
        #expect(
            text == "HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n"
        )
        head.status = .noContent
        #expect(throws: SerializationFault.framingNotAllowed) { try head.serialized() }
    }
}
