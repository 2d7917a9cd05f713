import Mesh
import Testing
import Wire

@Suite struct TrafficDocumentTests {
    private func resource(_ kind: Resource.Kind, _ text: String) throws -> Resource {
        let document = try #require(try YAML.parse(Array(text.utf8), source: "test").first)
        return try Resource(kind, reading: FieldValue(document))
    }

    @Test func whatIsUsualIsNotWritten() throws {
        let service = try resource(.service, "name: db\nhealth_check: {}")
        guard case .service(let read) = service else { throw WrongKind() }
        #expect(read.service.healthCheck == .standard)
        #expect(read.service.healthCheck.successes == 2)
        #expect(read.service.healthCheck.failures == 3)
        #expect(service.document["health_check"] == nil)
        let upstream = try resource(
            .upstream,
            "agent: a\nsource: web\ndestination: db\nport: 1\nbalance: least_request"
        )
        let keys = (upstream.document.entries ?? []).map(\.key)
        #expect(keys == ["agent", "source", "destination", "port", "uids"])
    }

    @Test func whatIsSaidIsKept() throws {
        let text = """
            name: db
            health_check:
              type: tcp
              interval: 1s
              timeout: 250ms
              successes: 1
              failures: 5
            """
        let service = try resource(.service, text)
        #expect(try Resource(.service, reading: FieldValue(service.document)) == service)
        guard case .service(let read) = service else { throw WrongKind() }
        #expect(read.service.healthCheck.timeout == .milliseconds(250))
        let upstream = try resource(
            .upstream,
            """
            agent: a
            source: web
            destination: db
            port: 1
            balance: round_robin
            connections_max: 7
            pending_max: 3
            """
        )
        #expect(try Resource(.upstream, reading: FieldValue(upstream.document)) == upstream)
        guard case .upstream(let port) = upstream else { throw WrongKind() }
        #expect(
            port.traffic
                == UpstreamTraffic(balance: .roundRobin, connectionsMax: 7, pendingMax: 3)
        )
    }

    @Test(arguments: [
        ("health_check:\n  interval: 100ms", "health_check.interval"),
        ("health_check:\n  timeout: 6s", "health_check.timeout"),
        ("health_check:\n  failures: 0", "health_check.failures"),
        ("health_check:\n  successes: 101", "health_check.successes"),
        ("health_check:\n  type: http", "health_check.type"),
        ("health_check:\n  path: /", "health_check.path"),
    ])
    func badChecksNameTheField(line: String, field: String) throws {
        let error = #expect(throws: FieldError.self) {
            try resource(.service, "name: db\n\(line)")
        }
        #expect(error?.path == field)
    }

    @Test(arguments: [
        ("balance: random", "balance"), ("connections_max: 0", "connections_max"),
        ("pending_max: -1", "pending_max"), ("pending_max: 10000001", "pending_max"),
    ])
    func badLimitsNameTheField(line: String, field: String) throws {
        let error = #expect(throws: FieldError.self) {
            try resource(.upstream, "agent: a\nsource: w\ndestination: d\nport: 1\n\(line)")
        }
        #expect(error?.path == field)
    }

    private struct WrongKind: Error {}
}
