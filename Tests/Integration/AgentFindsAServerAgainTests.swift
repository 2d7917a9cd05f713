import Foundation
import HTTP
import Observability
import Support
import Testing
import Wire

/// An agent walks its list of servers until one answers, and takes up where it was.
@Suite(.timeLimit(.minutes(10))) struct AgentFindsAServerAgainTests {
    @Test func aDeadAddressIsPassedOverAndOnlyNewsIsSentAfterAnOutage() async throws {
        let site = try ServerSite()
        var server = try await site.start()
        // One large section that nobody wants to see twice.
        let rules = (1...150).map { number in
            """
            ---
            kind: service
            name: source-\(number)
            ---
            kind: intention
            source: source-\(number)
            destination: db
            action: allow
            """
        }
        let applied = try await server.turnpike(
            ["apply", "-f", "-"],
            input: "kind: service\nname: db\n" + rules.joined(separator: "\n")
        )
        try #require(applied.code == 0, "\(applied.errors)")
        let home = try await server.enrol("host-1", placing: ["db"])
        let dead = LoopbackSocket.freePort()
        let address = try #require(server.agentAddress)
        let agent = try await RunningAgent(
            home.start(["--servers", "127.0.0.1:\(dead),\(address)"])
        )
        let status = try await agent.wait(for: "a server") {
            $0["connected_server"] != nil && $0["revision"] != nil
        }
        #expect(status["connected_server"]?.text == "\(address)")
        let revision = try #require(status["revision"]?.integer)
        let whole = try await sentByteCount(server)

        await server.kill()
        try await agent.wait(for: "the loss") { $0["connected_server"] == nil }
        #expect(try await agent.revision() == revision)
        // The dead one has its turn again, then the other, with growing pauses.
        let fails = try await eventually {
            try await agent.metric(MetricNames.agentConnectFailures) >= 3
        }
        #expect(fails)
        server = try await site.start()
        let made = try await server.send(.put, "/v1/services/default/cache", body: "{}")
        #expect(made.status == 201)
        let placed = try await server.send(
            .put,
            "/v1/placements/default/cache/host-1",
            body: "{}"
        )
        #expect(placed.status == 201, "\(placed.text)")
        let latest = try #require(placed.body["revision"]?.integer)
        try await agent.wait(for: "the news", within: .seconds(60)) {
            ($0["revision"]?.integer ?? 0) >= latest && $0["connected_server"] != nil
        }
        let resumed = try await sentByteCount(server)
        #expect(whole > 20_000, "the section is too small to tell")
        #expect(resumed < whole / 2, "\(resumed) of \(whole) bytes were sent again")
        #expect(await agent.end() == 0)
        await server.stop()
    }

    private func sentByteCount(_ server: ServerChild) async throws -> Int {
        let answer = try await server.send(.get, "/metrics")
        let line = answer.text.split(separator: "\n").first {
            $0.hasPrefix(MetricNames.agentStreamBytes.name + " ")
        }
        return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
    }
}
