import HTTP

/// Every way to refuse a request, one row each; `spec` rows of HTTP/1.1 smuggling included.
enum RefusalTable {
    static let all = requestLine + fields + host + framing + chunks + sizes

    private static func get(_ line: String, _ fields: String = "Host: h\r\n") -> String {
        "\(line)\r\n\(fields)\r\n"
    }

    private static func post(_ fields: String, _ body: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n\(body)"
    }

    private static func chunked(_ body: String) -> String {
        post("Transfer-Encoding: chunked", body)
    }

    static let requestLine: [Refusal] = [
        .init("HTTP/0.9 shape", "GET /\r\n\r\n", .requestLineMalformed, 400),
        .init("HTTP/0.9 version", get("GET / HTTP/0.9"), .versionRefused, 400),
        .init("HTTP/1.2", get("GET / HTTP/1.2"), .versionRefused, 400),
        .init("HTTP/1.10", get("GET / HTTP/1.10"), .versionRefused, 400),
        .init("HTTP/2.0", get("GET / HTTP/2.0"), .versionUnsupported, 505),
        .init("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionUnsupported, 505),
        .init("lower-case version", get("GET / http/1.1"), .versionRefused, 400),
        .init("other protocol", get("GET / ICAP/1.1"), .versionRefused, 400),
        .init("lower-case method", get("get / HTTP/1.1"), .methodInvalid, 400),
        .init("mixed-case method", get("Get / HTTP/1.1"), .methodInvalid, 400),
        .init("method no token", get("G@T / HTTP/1.1"), .methodInvalid, 400),
        .init("empty method", get(" / HTTP/1.1"), .methodInvalid, 400),
        .init("unknown method", get("PROPFIND / HTTP/1.1"), .methodUnknown, 501),
        .init("TRACE", get("TRACE / HTTP/1.1"), .methodRefused, 405),
        .init("CONNECT", get("CONNECT h:443 HTTP/1.1", "Host: h:443\r\n"), .methodRefused, 405),
        .init("CONNECT with a path", get("CONNECT / HTTP/1.1"), .targetInvalid, 400),
        .init("authority-form with GET", get("GET h:443 HTTP/1.1"), .targetInvalid, 400),
        .init("asterisk with GET", get("GET * HTTP/1.1"), .targetInvalid, 400),
        .init("two spaces", get("GET  / HTTP/1.1"), .requestLineMalformed, 400),
        .init("tab as separator", get("GET\t/ HTTP/1.1"), .requestLineMalformed, 400),
        .init("space in target", get("GET /a b HTTP/1.1"), .requestLineMalformed, 400),
        .init("space at the end", get("GET / HTTP/1.1 "), .requestLineMalformed, 400),
        .init("space at the start", get(" GET / HTTP/1.1"), .requestLineMalformed, 400),
        .init("fragment", get("GET /a#b HTTP/1.1"), .targetInvalid, 400),
        .init("fragment in query", get("GET /a?b#c HTTP/1.1"), .targetInvalid, 400),
        .init("non-ASCII target", get("GET /ä HTTP/1.1"), .targetInvalid, 400),
        .init("control in target", get("GET /\u{7}a HTTP/1.1"), .targetInvalid, 400),
        .init("NUL in target", get("GET /\u{0} HTTP/1.1"), .targetInvalid, 400),
        .init("backslash in path", get("GET /a\\b HTTP/1.1"), .targetInvalid, 400),
        .init("quote in target", get("GET /\"a HTTP/1.1"), .targetInvalid, 400),
        .init("broken percent", get("GET /%4 HTTP/1.1"), .targetInvalid, 400),
        .init("broken percent digits", get("GET /%zz HTTP/1.1"), .targetInvalid, 400),
        .init("path without slash", get("GET a HTTP/1.1"), .targetInvalid, 400),
        .init("foreign scheme", get("GET ftp://h/ HTTP/1.1"), .targetInvalid, 400),
        .init("user information", get("GET http://u@h/ HTTP/1.1"), .targetInvalid, 400),
        .init("absolute without host", get("GET http:/// HTTP/1.1"), .targetInvalid, 400),
        .init("bare LF", "GET / HTTP/1.1\nHost: h\r\n\r\n", .lineEndInvalid, 400),
        .init("bare CR", "GET / HTTP/1.1\rHost: h\r\n\r\n", .lineEndInvalid, 400),
        .init("CR CR LF", "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", .lineEndInvalid, 400),
        .init("two empty lines", "\r\n\r\n" + get("GET / HTTP/1.1"), .requestLineMalformed, 400),
    ]

    static let fields: [Refusal] =
        [
            .init("obs-fold", post("X-A: b\r\n c"), .fieldFolded, 400),
            .init("obs-fold with tab", post("X-A: b\r\n\tc"), .fieldFolded, 400),
            .init(
                "fold of the request line",
                get("GET / HTTP/1.1", " Host: h\r\n"),
                .fieldFolded,
                400
            ),
            .init("bare CR in value", post("X-A: b\rc"), .lineEndInvalid, 400),
            .init("bare LF between fields", post("X-A: b\nX-B: c"), .lineEndInvalid, 400),
            .init("bare LF ends the head", "GET / HTTP/1.1\r\nHost: h\r\n\n", .lineEndInvalid, 400),
            .init("NUL in value", post("X-A: b\u{0}c"), .fieldValueInvalid, 400),
            .init("control in value", post("X-A: b\u{B}c"), .fieldValueInvalid, 400),
            .init("DEL in value", post("X-A: b\u{7F}c"), .fieldValueInvalid, 400),
            .init("NUL in name", post("X\u{0}A: b"), .fieldNameInvalid, 400),
            .init("space before colon", post("X-A : b"), .fieldNameInvalid, 400),
            .init("tab before colon", post("X-A\t: b"), .fieldNameInvalid, 400),
            .init("space in name", post("X A: b"), .fieldNameInvalid, 400),
            .init("empty name", post(": b"), .fieldNameInvalid, 400),
            .init("missing colon", post("X-A"), .fieldColonMissing, 400),
            .init("non-ASCII name", post("Ä: b"), .fieldNameInvalid, 400),
            .init("bracket in name", post("X(A): b"), .fieldNameInvalid, 400),
            .init("Connection no token", post("Connection: a b"), .connectionFieldInvalid, 400),
            .init("unknown expectation", post("Expect: 200-ok"), .expectationUnknown, 417),
            .init(
                "two expectations",
                post("Expect: 100-continue\r\nExpect: 100-continue"),
                .expectationUnknown,
                417
            ),
        ]
        + [
            "Host", "content-length", "Authorization", "Cookie", "transfer-encoding",
            "X-Forwarded-For", "x_forwarded_for", "X-Turnpike-Identity", "X-Vault-Token",
            "X-Consul-Token", "forwarded",
        ].map {
            Refusal(
                "Connection names \($0)",
                post("Connection: close, \($0)"),
                .connectionFieldNominatesProtected,
                400
            )
        }

    static let host: [Refusal] =
        [
            .init("missing", get("GET / HTTP/1.1", ""), .hostMissing, 400),
            .init("twice", get("GET / HTTP/1.1", "Host: h\r\nHost: h\r\n"), .hostRepeated, 400),
            .init(
                "twice in HTTP/1.0",
                get("GET / HTTP/1.0", "Host: h\r\nhost: i\r\n"),
                .hostRepeated,
                400
            ),
            .init("mismatch", get("GET http://a/ HTTP/1.1", "Host: b\r\n"), .hostMismatch, 400),
            .init(
                "port mismatch",
                get("GET http://a:81/ HTTP/1.1", "Host: a\r\n"),
                .hostMismatch,
                400
            ),
        ]
        + [
            "", "a b", "a/b", "a,b", "u@a", "a:b", "a:", "a:0", "a:65536", "a:080808", "a:80:80",
            "[::1", "::1", "[::1]x", "[::g]", "[1:2:3:4:5:6:7:8:9]", "[::1::2]", "[::1.2.3.256]",
            "a..b", ".a", "a%41", "ä", "a\\b", "http://a", "a?b", "a#b", "[]", "a\tb",
        ].map {
            Refusal("Host <\($0)>", get("GET / HTTP/1.1", "Host: \($0)\r\n"), .hostInvalid, 400)
        }

    static let framing: [Refusal] =
        [
            .init(
                "CL and TE",
                post("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
                .lengthAndTransferEncoding,
                400
            ),
            .init(
                "TE and CL",
                post("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"),
                .lengthAndTransferEncoding,
                400
            ),
            .init(
                "CL 0 and TE",
                post("Content-Length: 0\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
                .lengthAndTransferEncoding,
                400
            ),
            .init(
                "CL and unknown TE",
                post("Content-Length: 3\r\nTransfer-Encoding: x"),
                .lengthAndTransferEncoding,
                400
            ),
            .init(
                "equal CL twice",
                post("Content-Length: 5\r\nContent-Length: 5"),
                .contentLengthRepeated,
                400
            ),
            .init(
                "other CL twice",
                post("Content-Length: 5\r\ncontent-length: 6"),
                .contentLengthRepeated,
                400
            ),
            .init(
                "TE twice",
                post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
                .transferEncodingRepeated,
                400
            ),
            .init(
                "TE identity then chunked",
                post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
                .transferEncodingRepeated,
                400
            ),
            .init(
                "TE in HTTP/1.0",
                "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
                .transferEncodingInHTTP10,
                400
            ),
            .init(
                "TE with space before colon",
                post("Transfer-Encoding : chunked"),
                .fieldNameInvalid,
                400
            ),
            .init("TE folded", post("Transfer-Encoding:\r\n chunked"), .fieldFolded, 400),
            .init("TE with VT", post("Transfer-Encoding: \u{B}chunked"), .fieldValueInvalid, 400),
            .init("TE with NUL", post("Transfer-Encoding: chunked\u{0}"), .fieldValueInvalid, 400),
            .init("TE with CR", post("Transfer-Encoding: chunked\r"), .lineEndInvalid, 400),
            .init("body too large", post("Content-Length: 1048577"), .bodyTooLarge, 413),
        ]
        + [
            ",chunked", "chunked,", "chunked, identity", "chunked, chunked", "chunked;q=1",
            "\tchunked", "chunked\t", "", "\"chunked\"", "chunked chunked", "chunked, gzip",
            "x chunked", "[chunked]",
        ].map {
            Refusal("TE <\($0)>", post("Transfer-Encoding: \($0)"), .transferEncodingInvalid, 400)
        }
        + ["xchunked", "identity", "gzip, chunked", "gzip", "chunkedx", "identity, chunked"].map {
            Refusal("TE <\($0)>", post("Transfer-Encoding: \($0)"), .transferEncodingUnknown, 501)
        }
        + [
            "5, 5", "5,6", "+5", "-5", "0x5", "5_0", "", "5 5", "5;", "5.0", "9223372036854775808",
            "18446744073709551621", "99999999999999999999", "00000000000000000005", "５", "five",
            "5,",
        ].map {
            Refusal("CL <\($0)>", post("Content-Length: \($0)"), .contentLengthInvalid, 400)
        }

    static let chunks: [Refusal] =
        [
            "0x5\r\nhello\r\n", "+5\r\nhello\r\n", "-5\r\nhello\r\n", "5_0\r\nhello\r\n",
            " 5\r\nhello\r\n", "5 \r\nhello\r\n", "\t5\r\nhello\r\n", "5\t;a\r\nhello\r\n", "\r\n",
            ";a=b\r\n", "g\r\n", "00000000000000005\r\nhello\r\n", "FFFFFFFFFFFFFFFF\r\n",
            "8000000000000000\r\n", "5,5\r\nhello\r\n", "5\u{0}\r\nhello\r\n",
        ].map { Refusal("size \($0.debugDescription)", chunked($0), .chunkSizeInvalid, 400) } + [
            .init("bare LF after size", chunked("5\nhello\r\n0\r\n\r\n"), .lineEndInvalid, 400),
            .init("bare LF in extension", chunked("5;a\nhello\r\n0\r\n\r\n"), .lineEndInvalid, 400),
            .init("bare CR in extension", chunked("5;a\rb\r\nhello\r\n"), .lineEndInvalid, 400),
            .init(
                "NUL in extension",
                chunked("5;a\u{0}\r\nhello\r\n"),
                .chunkExtensionInvalid,
                400
            ),
            .init(
                "extension too long",
                chunked("5;" + String(repeating: "a", count: 256) + "\r\n"),
                .chunkExtensionTooLong,
                400
            ),
            .init(
                "extension without end",
                chunked("5;" + String(repeating: "a", count: 400)),
                .chunkExtensionTooLong,
                400
            ),
            .init(
                "many extensions",
                chunked(
                    String(
                        repeating: "1;" + String(repeating: "a", count: 200) + "\r\nx\r\n",
                        count: 90
                    )
                ),
                .chunkExtensionTooLong,
                400
            ),
            .init("data too long", chunked("5\r\nhelloX\r\n0\r\n\r\n"), .chunkUnterminated, 400),
            .init("data with bare LF", chunked("5\r\nhello\n0\r\n\r\n"), .chunkUnterminated, 400),
            .init("data with bare CR", chunked("5\r\nhello\r0\r\n\r\n"), .chunkUnterminated, 400),
            .init(
                "bytes after last chunk",
                chunked("0\r\nX" + "\r\n\r\n"),
                .fieldColonMissing,
                400
            ),
            .init("last chunk with bare LF", chunked("0\r\n\n"), .lineEndInvalid, 400),
            .init("trailer folded", chunked("0\r\nA: b\r\n c\r\n\r\n"), .fieldFolded, 400),
            .init("trailer malformed", chunked("0\r\nA : b\r\n\r\n"), .fieldNameInvalid, 400),
            .init(
                "trailer Content-Length",
                chunked("0\r\nContent-Length: 5\r\n\r\n"),
                .trailerFieldRefused,
                400
            ),
            .init(
                "trailer Transfer-Encoding",
                chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
                .trailerFieldRefused,
                400
            ),
            .init("trailer Host", chunked("0\r\nHost: h\r\n\r\n"), .trailerFieldRefused, 400),
            .init(
                "trailer Authorization",
                chunked("0\r\nauthorization: x\r\n\r\n"),
                .trailerFieldRefused,
                400
            ),
            .init(
                "trailers too large",
                chunked("0\r\n" + String(repeating: "a: b\r\n", count: 700) + "\r\n"),
                .fieldCountExceeded,
                431
            ),
            .init(
                "trailer bytes too many",
                chunked(
                    "0\r\n"
                        + String(
                            repeating: "a: " + String(repeating: "b", count: 100) + "\r\n",
                            count: 40
                        ) + "\r\n"
                ),
                .trailerBlockTooLarge,
                431
            ),
            .init(
                "chunks too large together",
                chunked("80000\r\n" + String(repeating: "a", count: 0x80000) + "\r\n80001\r\n"),
                .bodyTooLarge,
                413
            ),
            .init("chunk too large", chunked("100001\r\n"), .bodyTooLarge, 413),
        ]

    static let sizes: [Refusal] = [
        .init(
            "target",
            get("GET /" + String(repeating: "a", count: 8192) + " HTTP/1.1"),
            .targetTooLong,
            414
        ),
        .init(
            "endless target",
            "GET /" + String(repeating: "a", count: 20000),
            .targetTooLong,
            414
        ),
        .init(
            "field line",
            post("A: " + String(repeating: "b", count: 8192)),
            .fieldLineTooLong,
            431
        ),
        .init(
            "endless field",
            "GET / HTTP/1.1\r\nA: " + String(repeating: "b", count: 20000),
            .fieldLineTooLong,
            431
        ),
        .init(
            "block",
            post(
                ["A", "B", "C", "D"].map { "\($0): " + String(repeating: "b", count: 4500) }.joined(
                    separator: "\r\n"
                )
            ),
            .fieldBlockTooLarge,
            431
        ),
        .init(
            "field count",
            post(Array(repeating: "a: b", count: 100).joined(separator: "\r\n")),
            .fieldCountExceeded,
            431
        ),
    ]
}

/// Requests that must be accepted, in every piece size.
enum ValidRequests {
    static let all: [String] = [
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\nGET /a/b%20c?d=e&f=[g]|%7B HTTP/1.1\r\nHOST:example.org:80\r\n\r\n",
        "GET http://Example.org HTTP/1.1\r\nHost: example.ORG\r\n\r\n",
        "GET http://example.org?x=1 HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET https://[::1]:8443/a HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "LIST /v1/secret/metadata HTTP/1.1\r\nHost: h\r\nX-Vault-Token: t\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Empty:\r\nX-Blank:   \t \r\nX-Tab: a\tb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-Bytes: \u{E4}\u{20AC}\r\nX-Comma: a, ,b,\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 010\r\n\r\n0123456789",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\na;n=v;q=\"x\"\r\n0123456789\r\n1\r\n!\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    ]
}
