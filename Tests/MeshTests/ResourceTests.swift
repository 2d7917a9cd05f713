import Mesh
import Testing
import Wire

@Suite struct ResourceTests {
    private func read(_ text: String) throws -> [Resource] {
        try YAML.parse(text, source: "test.yaml").map { document in
            try Resource(reading: FieldValue(document))
        }
    }

    private static let shop = """
        kind: service
        namespace: shop
        name: web
        placements: ["host-1"]
        instances:
          - {"agent": "host-1", "port": 8080}
        upstreams:
          - agent: host-1
            destination: shop/db
            port: 5433
            uids: [1000]
        intentions:
          - source: edge/gateway
            action: allow
        """

    @Test func aServiceWithAllThatItNeedsFitsFifteenLines() throws {
        #expect(Self.shop.split(separator: "\n").count <= 15)
        let resource = try #require(try read(Self.shop).first)
        let paths = resource.parts.map(\.path)
        #expect(
            paths == [
                "services/shop/web", "placements/shop/web/host-1",
                "instances/shop/web/host-1/port-8080", "upstreams/host-1/5433",
                "intentions/shop/web/edge/gateway",
            ]
        )
    }

    @Test(arguments: [
        ResourceTests.shop,
        "kind: namespace\nname: shop\ndescription: what is sold",
        "kind: service\nname: a\nprotocol: http\nleaf_ttl: 30m\nmeta: {\"team\": \"x\"}",
        "kind: placement\nservice: shop/web\nagent: host-1",
        "kind: instance\nservice: shop/web\nagent: h\nname: one\naddress: \"::1\"\nport: 1\nweight: 0",
        "kind: upstream\nagent: h\nsource: a/b\ndestination: c/d\nport: 1\nuids: any",
        "kind: intention\nsource: \"*\"\ndestination: shop/*\naction: deny\nreason: closed",
        "kind: intention\nsource: a/b\ndestination: c/d\nnot_before: 2031-01-01T00:00:00Z\n"
            + "not_after: 2031-01-02T00:00:00Z\npermissions:\n  - action: allow\n    http:\n"
            + "      path_prefix: /v1\n      methods:\n        - get\n      header:\n"
            + "        - name: x-a\n          contains: b\n          invert: true\n"
            + "          ignore_case: true",
        "kind: policy\nname: dev\npaths:\n  \"secret/*\": [\"read\", \"list\"]\n  sys/+/x: [\"deny\"]",
    ])
    func whatIsWrittenIsReadAgain(text: String) throws {
        let resource = try #require(try read(text).first)
        let written = YAML.write(resource.fileDocument)
        let again = try read(String(decoding: written, as: UTF8.self))
        #expect(again == [resource])
        let bare = try Resource(resource.kind, reading: FieldValue(resource.document))
        #expect(bare == resource)
    }

    @Test(arguments: [
        ("kind: services\nname: a", "kind"),
        ("kind: service\nname: A", "name"),
        ("kind: service\nname: a\nleaf_ttl: 1m", "leaf_ttl"),
        ("kind: service\nname: a\nport: 1", "port"),
        ("kind: service\nname: a\nplacements: [\"h\", \"B\"]", "placements[1]"),
        (
            "kind: service\nname: a\ninstances: [{\"agent\": \"h\", \"port\": 0}]",
            "instances[0].port"
        ),
        (
            "kind: service\nname: a\nintentions:\n  - source: b\n    destination: c\n    action: deny",
            "intentions[0].destination"
        ),
        (
            "kind: service\nname: a\nupstreams: [{\"agent\": \"h\", \"port\": 1}]",
            "upstreams[0].destination"
        ),
        ("kind: upstream\nagent: h\nsource: a\ndestination: b\nport: 1\nuids: all", "uids"),
        ("kind: upstream\nagent: h\nsource: a\ndestination: b\nport: 1\nuids: [65534]", "uids"),
        ("kind: upstream\nagent: h\nsource: a\ndestination: b\nport: 1\nuids: [-1]", "uids[0]"),
        ("kind: instance\nservice: a\nagent: h\nport: 1\naddress: localhost", "address"),
        ("kind: intention\nsource: \"*/x\"\ndestination: b\naction: deny", "source"),
        ("kind: intention\nsource: a\ndestination: b\naction: permit", "action"),
        ("kind: policy\nname: p\npaths: {\"a\": [\"write\"]}", "paths.a[0]"),
        ("kind: policy\nname: P\npaths: {}", ""),
    ])
    func refusalsNameTheField(text: String, path: String) {
        do {
            _ = try read(text)
            Issue.record("accepted")
        } catch let error as FieldError {
            #expect(error.path == path)
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test(arguments: [
        #"{}"#, #"{"name": "d"}"#, #"{"name": "d", "sources": []}"#,
        #"{"name": "web-*", "sources": [{"name": "a", "action": "deny"}]}"#,
        #"{"sources": [{"name": "a", "action": "deny"}]}"#,
        #"{"name": "d", "sources": [{"name": "a"}]}"#,
        #"{"name": "d", "sources": [{"action": "deny"}]}"#,
        #"{"name": "d", "sources": [{"name": "a", "action": "deny"},"#
            + #" {"name": "a", "action": "allow"}]}"#,
    ])
    func wrongEntriesAreRefused(text: String) throws {
        let document = try JSON.parse(text)
        #expect(throws: FieldError.self) { try IntentionEntry(reading: FieldValue(document)) }
    }

    @Test(arguments: [
        (#"{"action": "allow", "http": {"methods": ["get"]}}"#, true),
        (#"{"http": {"methods": ["GET"]}}"#, false),
        (#"{"action": "allow"}"#, false),
        (#"{"action": "allow", "http": {}}"#, false),
        (#"{"action": "allow", "http": {"path_exact": "/a", "path_prefix": "/b"}}"#, false),
        (#"{"action": "allow", "http": {"path_prefix": "b"}}"#, false),
        (#"{"action": "allow", "http": {"path_regex": "/a(?=b)"}}"#, false),
        (#"{"action": "allow", "http": {"path_regex": "/a/[^/]+"}}"#, true),
        (#"{"action": "allow", "http": {"methods": ["GET", "get"]}}"#, false),
        (#"{"action": "allow", "http": {"methods": ["GRAB"]}}"#, false),
        (#"{"action": "allow", "http": {"header": [{"name": "x"}]}}"#, false),
        (#"{"action": "allow", "http": {"header": [{"name": "x", "present": false}]}}"#, false),
        (#"{"action": "allow", "http": {"header": [{"name": "x", "present": true}]}}"#, true),
        (#"{"action": "allow", "http": {"header": [{"present": true}]}}"#, false),
        (
            #"{"action": "allow", "http": {"header": [{"name": "x", "exact": "a", "prefix": "a"}]}}"#,
            false
        ),
    ])
    func clausesAreCheckedBeforeTheyAreStored(permission: String, isValid: Bool) throws {
        let source = #"{"name": "a", "permissions": [\#(permission)]}"#
        let exact = try JSON.parse(#"{"name": "d", "sources": [\#(source)]}"#)
        #expect(((try? IntentionEntry(reading: FieldValue(exact))) != nil) == isValid)
        let wildcard = try JSON.parse(#"{"name": "*", "sources": [\#(source)]}"#)
        #expect(throws: FieldError.self) { try IntentionEntry(reading: FieldValue(wildcard)) }
        let both = #"{"name": "a", "action": "deny", "permissions": [\#(permission)]}"#
        let withAction = try JSON.parse(#"{"name": "d", "sources": [\#(both)]}"#)
        #expect(throws: FieldError.self) { try IntentionEntry(reading: FieldValue(withAction)) }
    }

    @Test func anEntryIsOneRuleForEachSource() throws {
        let text = """
            name: shop/db
            meta:
              owner: finance
            sources:
              - {"name": "shop/web", "action": "allow", "description": "reads"}
              - {"name": "*", "action": "deny"}
            """
        let document = try YAML.parseSingle(Array(text.utf8))
        let entry = try IntentionEntry(reading: FieldValue(document))
        #expect(entry.intentions.map(\.precedence) == [9, 7])
        #expect(entry.intentions.allSatisfy { $0.meta == ["owner": "finance"] })
    }
}
