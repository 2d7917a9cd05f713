import Foundation
import HTTP
import Support
import Testing

struct SmuggledRequestsTests {
    /// A message that two readers might cut differently; what follows it must never be read.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let message: String
        let status: String

        init(_ name: String, _ message: String, _ status: String = "400") {
            self.name = name
            self.message = message
            self.status = status
        }

        var testDescription: String { name }
    }

    private static let hidden = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private static func post(_ fields: String, _ body: String = hidden) -> String {
        "POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n\r\n\(body)"
    }

    private static func chunked(_ body: String) -> String {
        post("Transfer-Encoding: chunked", body + hidden)
    }

    private static func get(_ line: String, _ fields: String = "Host: localhost\r\n") -> String {
        "\(line)\r\n\(fields)\r\n\(hidden)"
    }

    static let lengths = [
        Row("CL and TE", post("Content-Length: 4\r\nTransfer-Encoding: chunked")),
        Row("TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4")),
        Row("list of lengths", post("Content-Length: 5, 5")),
        Row("two lengths", post("Content-Length: 5\r\nContent-Length: 5")),
        Row("two other lengths", post("Content-Length: 0\r\nContent-Length: 44")),
        Row("plus", post("Content-Length: +5")), Row("hex", post("Content-Length: 0x5")),
        Row("underscore", post("Content-Length: 5_0")), Row("empty", post("Content-Length: ")),
        Row("beyond 2^63", post("Content-Length: 9223372036854775808")),
        Row("minus", post("Content-Length: -1")),
    ]
    static let codings = [
        Row("comma first", post("Transfer-Encoding: ,chunked")),
        Row("xchunked", post("Transfer-Encoding: xchunked"), "501"),
        Row("chunked, identity", post("Transfer-Encoding: chunked, identity")),
        Row("identity", post("Transfer-Encoding: identity"), "501"),
        Row("VT", post("Transfer-Encoding: \u{B}chunked")),
        Row("two lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
        Row("chunked twice", post("Transfer-Encoding: chunked, chunked")),
        Row(
            "TE on 1.0",
            "POST /v1/tokens HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + hidden
        ),
    ]
    static let lines = [
        Row("obs-fold", post("X: a\r\n b")), Row("bare CR", post("X: a\rb")),
        Row("bare LF", "POST /v1/tokens HTTP/1.1\nHost: localhost\n\n" + hidden),
        Row("NUL", post("X: a\u{0}b")), Row("space before colon", post("Content-Length : 4")),
        Row("empty name", post(": 4")), Row("no colon", post("Content-Length")),
    ]
    static let chunks = [
        Row("0x size", chunked("0x4\r\nabcd\r\n0\r\n\r\n")),
        Row("signed size", chunked("+4\r\nabcd\r\n0\r\n\r\n")),
        Row("underscored size", chunked("0_4\r\nabcd\r\n0\r\n\r\n")),
        Row("space before the size", chunked(" 4\r\nabcd\r\n0\r\n\r\n")),
        Row("17 digits", chunked("00000000000000004\r\nabcd\r\n0\r\n\r\n")),
        Row("LF in an extension", chunked("4;a\n\r\nabcd\r\n0\r\n\r\n")),
        Row("no CRLF after the data", chunked("4\r\nabcdX0\r\n\r\n")),
        Row("bytes after the last chunk", chunked("0\r\nX\r\n\r\n")),
        Row("long extension", chunked("4;\(String(repeating: "a", count: 300))\r\nabcd\r\n")),
    ]
    static let heads = [
        Row("absolute-form and another Host", get("GET http://other/livez HTTP/1.1")),
        Row("authority-form", get("GET localhost:443 HTTP/1.1")),
        Row("space in the target", get("GET /livez HTTP/1.1 HTTP/1.1")),
        Row("fragment", get("GET /livez#x HTTP/1.1")), Row("non-ASCII", get("GET /ä HTTP/1.1")),
        Row("HTTP/0.9", "GET /livez\r\n\r\n" + hidden), Row("1.2", get("GET /livez HTTP/1.2")),
        Row("lower-case method", get("get /livez HTTP/1.1")),
        Row("no Host", get("GET /livez HTTP/1.1", "X: y\r\n")),
        Row("two Hosts", get("GET /livez HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n")),
        Row("invalid Host", get("GET /livez HTTP/1.1", "Host: a@b\r\n")),
        Row("TRACE", get("TRACE /livez HTTP/1.1"), "405"),
        Row("CONNECT", get("CONNECT h:1 HTTP/1.1", "Host: h:1\r\n"), "405"),
        Row("encoded slash", get("GET /v1%2Flivez HTTP/1.1"), "400 200"),
        Row("encoded NUL", get("GET /v1/%00 HTTP/1.1"), "400 200"),
        Row("backslash", get("GET /v1\\livez HTTP/1.1")),
    ]

    @Test(arguments: lengths + codings + lines + chunks + heads)
    func oneAnswerAndTheEnd(_ row: Row) async throws {
        let server = try await SharedServer.get()
        let answer = try await RawConnection.exchange(row.message, with: server)
        // A well-formed message whose target is refused keeps the connection.
        let expected = row.status.components(separatedBy: " ")
        if expected.count == 1 {
            #expect(answer.text.statuses == expected, "\(answer.text)")
            #expect(answer.ended)
            #expect(answer.text.lowercased().contains("connection: close"))
            #expect(!answer.text.contains("\"live\""))
        } else {
            #expect(answer.text.statuses == expected, "\(answer.text)")
        }
    }

    @Test func twoGoodRequestsGetTwoAnswers() async throws {
        let server = try await SharedServer.get()
        let last = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let answer = try await RawConnection.exchange(Self.hidden + last, with: server)
        #expect(answer.text.statuses == ["200", "200"])
        #expect(answer.ended)
    }
}
