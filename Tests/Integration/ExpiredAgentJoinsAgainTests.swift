import Foundation
import HTTP
import Observability
import Support
import Testing
import Wire

extension OneAtATime {
    /// An agent whose own certificate has ended enforces on, says exactly what to do, and is connected
    /// again when that was done.
    @Suite(
        .timeLimit(.minutes(10)),
        .enabled(if: ShiftedClock.library != nil, "needs the package libfaketime")
    )
    struct ExpiredAgentJoinsAgainTests {
        @Test func itSaysWhatToDoAndAFreshTokenBringsItBack() async throws {
            let site = try ServerSite()
            let server = try await site.start()
            let made = try await server.send(.put, "/v1/services/default/db", body: "{}")
            try #require(made.status == 201, "\(made.text)")
            let home = try await server.enrol("host-1", placing: ["db"])
            let clock = try ShiftedClock()
            let first = try await RunningAgent(home.start())
            try await first.wait(for: "a snapshot and a server") { status in
                status["revision"] != nil && status["connected_server"] != nil
            }
            let revision = try await first.revision()
            #expect(await first.end() == 0)

            // A day and an hour later.
            try clock.shift(by: 25 * 3_600)
            let agent = try await RunningAgent(home.start(environment: clock.environment))
            let status = try await agent.wait(for: "the advice") { $0["connection_problem"] != nil }
            for field in ["advice", "connection_problem"] {
                let text = status[field]?.text ?? ""
                #expect(text.contains("turnpike agent invite host-1"), "\(field): \(text)")
                #expect(text.contains("turnpike-agent join --token-file"), "\(field): \(text)")
            }
            #expect(status["connected_server"] == nil)
            #expect(status["revision"]?.integer == revision)
            #expect(agent.child.log.contains("turnpike agent invite host-1"))
            let shown = try await AgentChild.run([
                "status", "--status-listen", "127.0.0.1:\(agent.statusPort)",
            ])
            #expect(shown.output.contains("turnpike agent invite host-1"), "\(shown.output)")

            // What it says is done, word for word, while it runs.
            let key = try await keyHash(server)
            let invited = try await server.turnpike(["agent", "invite", "host-1"])
            try #require(invited.code == 0, "\(invited.errors)")
            let joined = try await AgentChild.run(
                ["join", "--token-file", "-", "--data-directory", home.path],
                input: invited.output
            )
            #expect(joined.code == 0, "\(joined.errors)")
            #expect(try await keyHash(server) != key)
            // The new certificate is of today, so the agent comes back to it. The old one would be
            // valid today as well; but its key counts no longer.
            try clock.shift(by: 0)
            let connected = try await agent.wait(for: "a server", within: .seconds(40)) { status in
                status["connected_server"] != nil && status["advice"] == nil
            }
            #expect(connected["revision"]?.integer ?? 0 >= revision ?? 0)
            #expect(await agent.end() == 0)
            clock.sweep(after: agent)
            await server.stop()
        }

        private func keyHash(_ server: ServerChild) async throws -> String {
            let answer = try await server.send(.get, "/v1/agents/host-1")
            return try #require(answer.body["key_sha256"]?.text, "\(answer.text)")
        }
    }
}
