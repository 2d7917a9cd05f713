import Foundation
import HTTP
import Observability
import Snapshot
import Support
import Testing
import Wire

extension OneAtATime {
    /// An agent that does not read holds up nobody and costs next to nothing; when it reads again it
    /// skips what it missed.
    @Suite(.timeLimit(.minutes(10))) struct FrozenAgentTests {
        private static let changes = 500

        @Test func fiveHundredChangesReachAnotherAgentWithinASecondEach() async throws {
            let site = try ServerSite()
            let server = try await site.start()
            let made = try await server.turnpike(
                ["apply", "-f", "-"],
                input: """
                    kind: service
                    name: db
                    ---
                    kind: service
                    name: web
                    """
            )
            try #require(made.code == 0, "\(made.errors)")
            let frozenHome = try await server.enrol("host-a", placing: ["db"])
            let quickHome = try await server.enrol("host-b", placing: ["db"])
            let frozen = try await RunningAgent(frozenHome.start())
            let quick = try await RunningAgent(quickHome.start())
            let first = try await decide(server, 0)
            for agent in [frozen, quick] { try await agent.wait(forRevision: first) }
            try await frozen.freeze()

            var slowest = Duration.zero
            var highest = 0
            var latest = first
            for number in 1...Self.changes {
                let revision = try await decide(server, number)
                let committed = ContinuousClock.now
                #expect(revision > latest)
                latest = revision
                try await reaches(quick, revision)
                slowest = max(slowest, ContinuousClock.now - committed)
                if number.isMultiple(of: 25) {
                    highest = max(highest, try await pending(server) ?? 0)
                }
            }
            #expect(slowest < .seconds(1))
            // One manifest of this size is a kilobyte or two; two of them would show.
            let bound = Publisher.unsentMaxBytes + 4_096
            #expect(highest > 0, "the metric does not move")
            #expect(highest <= bound, "\(highest) bytes wait for the frozen agent")
            print("slowest change \(slowest), at most \(highest) bytes for the frozen agent")

            // Of all that it missed it takes what was under way and the newest.
            let before = enforcedCount(frozen)
            frozen.thaw()
            try await frozen.wait(forRevision: latest)
            #expect(enforcedCount(frozen) - before <= 2)
            let isRead = try await eventually { try await self.pending(server) == 0 }
            #expect(isRead)
            for agent in [frozen, quick] { #expect(await agent.end() == 0) }
            await server.stop()
        }

        /// Changes the one rule; gives the revision.
        private func decide(_ server: ServerChild, _ number: Int) async throws -> Int64 {
            let action = number.isMultiple(of: 2) ? "allow" : "deny"
            let answer = try await server.send(
                .put,
                "/v1/intentions/default/db/default/web",
                body: #"{"action":"\#(action)"}"#
            )
            try #require((200...201).contains(answer.status), "\(answer.text)")
            return try #require(answer.body["revision"]?.integer, "\(answer.text)")
        }

        /// Waits for a revision; what is seen meanwhile never goes back.
        private func reaches(_ agent: RunningAgent, _ revision: Int64) async throws {
            var seen: Int64 = 0
            let isThere = try await eventually {
                let now = try await agent.revision() ?? 0
                #expect(now >= seen)
                seen = now
                return now >= revision
            }
            try #require(isThere, "revision \(revision) did not come")
        }

        /// What waits for the frozen agent; a machine so slow that its server has given it up
        /// meanwhile holds nothing for it.
        private func pending(_ server: ServerChild) async throws -> Int? {
            let answer = try await server.send(.get, "/metrics")
            let name = MetricNames.agentPendingBytes.name
            let line = answer.text.split(separator: "\n").first {
                $0.hasPrefix(name + "{") && $0.contains("\"host-a\"")
            }
            guard let line else { return nil }
            let value = try #require(line.split(separator: " ").last.flatMap { Int($0) }, "\(line)")
            return value
        }

        private func enforcedCount(_ agent: RunningAgent) -> Int {
            agent.child.log.split(separator: "\n").count { $0.contains("enforcing a snapshot") }
        }
    }
}
