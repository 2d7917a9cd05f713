import HTTP
import Testing

/// The small values that a message is made of.
@Suite struct MessageValueTests {
    @Test func methods() {
        #expect(HTTP.Method("GET") == .get)
        #expect(HTTP.Method("M-SEARCH")?.isKnown == false)
        #expect(HTTP.Method("LIST")?.isKnown == true)
        for bad in ["", "get", "G T", "G\r\n", String(repeating: "A", count: 33)] {
            #expect(HTTP.Method(bad) == nil)
        }
        #expect(HTTP.Method.put.isIdempotent && !HTTP.Method.put.isSafe)
        #expect(!HTTP.Method.post.isIdempotent)
    }

    @Test func statuses() {
        #expect(Status(99) == nil && Status(600) == nil)
        #expect(Status(404) == .notFound)
        #expect(Status.notFound.reasonPhrase == "Not Found")
        #expect(Status(599)?.reasonPhrase == "")
        #expect(Status.noContent.forbidsBody && Status.continue.isInformational)
    }

    @Test func authorities() throws {
        let authority = try #require(Authority("Example.ORG:8080"))
        #expect(authority.host == "example.org" && authority.port == 8080)
        #expect(authority.description == "example.org:8080")
        #expect(Authority("[2001:DB8::1]")?.host == "[2001:db8::1]")
        #expect(Authority("[1:2:3:4:5:6:7:8]") != nil)
        #expect(Authority("[1:2:3:4:5:6:7]") == nil)
        #expect(Authority("[::1:2:3:4:5:6:7:8]") == nil)
        #expect(Authority("a_b-c.example.") != nil)
        #expect(Authority("h\r\nx: y") == nil)
    }

    @Test func targets() throws {
        let target = try #require(RequestTarget("/a/%2F?x=y?z"))
        #expect(target.path == "/a/%2F" && target.query == "x=y?z")
        #expect(target.originForm == "/a/%2F?x=y?z")
        #expect(RequestTarget("/?")?.query == "")
        #expect(RequestTarget("/")?.query == nil)
        for bad in ["", "a", "*", "/ ", "/\r\n", "/#", "/%", "/%0", "http://h/"] {
            #expect(RequestTarget(bad) == nil)
        }
    }

    @Test func chunks() {
        #expect(ChunkedCoding.chunk([]) == [])
        #expect(ChunkedCoding.chunk([65]) == Array("1\r\nA\r\n".utf8))
    }

    @Test func requestSerialisation() throws {
        var head = RequestHead(
            method: .post,
            target: try #require(RequestTarget("/a")),
            authority: try #require(Authority("h")),
            fields: try HeaderFields([(.host, "other"), (.transferEncoding, "chunked")])
        )
        head.allowsReuse = false
        #expect(
            String(decoding: try head.serialized(), as: UTF8.self)
                == "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        head.framing = .untilClose
        #expect(throws: SerializationFault.framingNotAllowed) { try head.serialized() }
    }
}
