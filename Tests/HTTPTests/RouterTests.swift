import HTTP
import Testing

private func router(_ routes: [(HTTP.Method, String)]) throws -> Router<String> {
    var router = Router<String>()
    for (method, template) in routes { try router.add(method, template, "\(method) \(template)") }
    return router
}

extension RouteMatch {
    fileprivate var captured: [String]? {
        if case .found(_, _, let captures) = self { return captures.all.map(\.value) }
        return nil
    }

    fileprivate var payload: Payload? {
        if case .found(let payload, _, _) = self { return payload }
        return nil
    }
}

@Suite struct RouterTests {
    private static let table: [(HTTP.Method, String)] = [
        (.get, "/"),
        (.get, "/v1/services"),
        (.post, "/v1/services"),
        (.get, "/v1/services/{ns}/{service}"),
        (.get, "/v1/services/{ns}/health"),
        (.get, "/v1/services/default/{service}"),
        (.put, "/v1/intentions/{dst_ns}/{dst}/{src_ns}/{src}"),
        (.get, "/v1/{mount}/{path...}"),
    ]

    @Test(
        arguments: [
            ("/", "GET /"),
            ("/v1/services", "GET /v1/services"),
            ("/v1/services/a/b", "GET /v1/services/{ns}/{service}"),
            ("/v1/services/a/health", "GET /v1/services/{ns}/health"),
            ("/v1/services/default/health", "GET /v1/services/default/{service}"),
            ("/v1/services/default/b", "GET /v1/services/default/{service}"),
            ("/v1/services/a", "GET /v1/{mount}/{path...}"),
            ("/v1/services/a/b/c", "GET /v1/{mount}/{path...}"),
            ("/v1/secret/a/b", "GET /v1/{mount}/{path...}"),
            ("/v1/%73ervices", "GET /v1/services"),
        ]
    ) func literalWinsOverCaptureOverRest(_ path: String, _ payload: String) throws {
        #expect(try router(RouterTests.table).match(.get, path: path).payload == payload)
    }

    @Test func capturesAreDecoded() throws {
        let router = try router(RouterTests.table)
        let match = router.match(.put, path: "/v1/intentions/a%20b/%2A/*/d+e")
        guard case .found(_, _, let captures) = match else {
            Issue.record("no route")
            return
        }
        #expect(captures["dst_ns"] == "a b")
        #expect(captures["dst"] == "*")
        #expect(captures["src_ns"] == "*")
        #expect(captures["src"] == "d+e")
        #expect(captures["other"] == nil)
        #expect(router.match(.get, path: "/v1/kv/a/b%25c/").captured == ["kv", "a/b%c/"])
        #expect(router.match(.get, path: "/v1/kv/%252F").captured == ["kv", "%2F"])
    }

    @Test(
        arguments: [
            ("/v1/services/a%2Fb/c", TextFault.slashInSegment),
            ("/v1/services/a%5cb/c", .slashInSegment),
            ("/v1/services/a%00/c", .controlCharacter),
            ("/v1/services/a%0d%0a/c", .controlCharacter),
            ("/v1/services/%C2%85/c", .controlCharacter),
            ("/v1/services/%7f/c", .controlCharacter),
            ("/v1/services/%ff/c", .utf8Invalid),
            ("/v1/services/%c0%af/c", .utf8Invalid),
            ("/v1/services/../c", .segmentInvalid),
            ("/v1/services/%2e%2e/c", .segmentInvalid),
            ("/v1/./services", .segmentInvalid),
            ("//v1/services", .segmentInvalid),
            ("/v1//services", .segmentInvalid),
            ("/v1/services/%4/c", .percentInvalid),
            ("/v1/services/%+1/c", .percentInvalid),
            ("/nowhere/%00", .controlCharacter),
        ]
    ) func refusesPath(_ path: String, _ fault: TextFault) throws {
        #expect(try router(RouterTests.table).match(.get, path: path) == .refused(fault))
    }

    @Test func manySegmentsAreRefused() throws {
        let router = try router([(.get, "/{all...}")])
        #expect(router.match(.get, path: String(repeating: "/a", count: 64)).payload != nil)
        #expect(
            router.match(.get, path: String(repeating: "/a", count: 65)) == .refused(.tooMany)
        )
    }

    @Test func pathDecidesBeforeMethod() throws {
        let router = try router(RouterTests.table)
        #expect(
            router.match(.delete, path: "/v1/services")
                == .methodNotAllowed(allow: [.get, .head, .post])
        )
        #expect(router.match(.put, path: "/v1/services/a/health").payload == nil)
        #expect(router.match(.head, path: "/v1/services").payload == "GET /v1/services")
        #expect(router.match(.get, path: "/v2") == .notFound)
        #expect(router.match(.get, path: "/v1") == .notFound)
        #expect(router.match(.get, path: "/V1/services") == .notFound)
        #expect(router.match(.options, path: "*") == .notFound)
        #expect(router.match(.options, path: "") == .notFound)
    }

    @Test func slashAtTheEndIsSignificant() throws {
        let router = try router([(.get, "/a/{b}"), (.get, "/c/{d...}")])
        #expect(router.match(.get, path: "/a/b/") == .notFound)
        #expect(router.match(.get, path: "/a/") == .notFound)
        #expect(router.match(.get, path: "/c/") == .notFound)
        #expect(router.match(.get, path: "/c/d/").captured == ["d/"])
    }

    @Test func conflictsAreFoundWhenBuilding() throws {
        #expect(throws: RouteConflict.routeRepeated(method: "GET", template: "/a/{b}")) {
            try router([(.get, "/a/{b}"), (.get, "/a/{b}")])
        }
        #expect(throws: RouteConflict.capturesDiffer(template: "/a/{c}", other: "/a/{b}")) {
            try router([(.get, "/a/{b}"), (.put, "/a/{c}")])
        }
        for bad in [
            "", "a", "/a/", "//", "/{}", "/{a}/{a}", "/{a...}/b", "/{a", "/a b", "/..", "/{a-b}",
        ] {
            #expect(throws: RouteConflict.templateMalformed(bad)) { try RouteTemplate(bad) }
        }
        #expect(RouteConflict.templateMalformed("x").sentence.contains("x"))
    }

    @Test func templateNamesItsCaptures() throws {
        let template = try RouteTemplate("/v1/{a}/b/{c...}")
        #expect(template.captureNames == ["a", "c"])
        #expect(template.description == "/v1/{a}/b/{c...}")
    }
}
