import Foundation
import HTTP
import Support
import Synchronization
import Testing
import Wire

struct PostgresKilledUnderWritesTests {
    /// What the clients were told.
    private final class History: Sendable {
        struct State {
            var isOver = false
            /// Names of services by the revision that was acknowledged for them.
            var acknowledged: [Int64: String] = [:]
            /// Names whose write was refused with the words "nothing was changed".
            var unchanged: [String] = []
            var unexpected: [String] = []
        }

        let state = Mutex(State())

        var acknowledgedCount: Int { state.withLock { $0.acknowledged.count } }

        func record(_ name: String, _ answer: APIClient.Answer) {
            state.withLock { state in
                switch (answer.status, answer.code) {
                case (201, _):
                    guard let revision = answer.body["revision"]?.integer else {
                        return state.unexpected.append(answer.text)
                    }
                    if let other = state.acknowledged.updateValue(name, forKey: revision) {
                        state.unexpected.append("\(revision) for both \(name) and \(other)")
                    }
                case (503, "storage.outcome_unknown"): break
                case (503, _): state.unchanged.append(name)
                default: state.unexpected.append("\(answer.status) \(answer.text)")
                }
            }
        }
    }

    private func write(_ writer: Int, to server: ServerChild, _ history: History) async throws {
        let client = try server.newClient()
        let token = try await server.site.administratorToken(server)
        var number = 0
        while !history.state.withLock({ $0.isOver }) {
            number += 1
            let name = "w\(writer)-\(number)"
            let answer = try await client.send(
                .put,
                "/v1/services/default/\(name)",
                token: token,
                body: "{}"
            )
            history.record(name, answer)
            if answer.status == 503 { try await Task.sleep(for: .milliseconds(20)) }
        }
        await client.close()
    }

    /// Waits until the clients got so many more acknowledgements.
    private func wait(for count: Int, _ history: History) async -> Bool {
        let wanted = history.acknowledgedCount + count
        let deadline = ContinuousClock.now + .seconds(60)
        while history.acknowledgedCount < wanted, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(10))
        }
        return history.acknowledgedCount >= wanted
    }

    @Test func nothingAcknowledgedIsLostAndRevisionsHaveNoGaps() async throws {
        let site = try ServerSite()
        let server = try await site.start()
        _ = try await site.administratorToken(server)
        let history = History()
        let before = try #require(
            try await server.send(.get, "/v1/status").body["revision"]?.integer
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask { try await write(writer, to: server, history) }
            }
            for _ in 0..<3 {
                #expect(await wait(for: 40, history))
                let killed = site.postmaster
                site.killPostmaster()
                // Served again by the cluster that the server started again.
                #expect(await wait(for: 20, history), "\(server.log)")
                #expect(site.postmaster != killed)
            }
            history.state.withLock { $0.isOver = true }
            try await group.waitForAll()
        }
        let told = history.state.withLock { $0 }
        #expect(told.unexpected == [])
        try await compare(told, with: site, after: before)
        #expect(server.isRunning)
        #expect(await server.stop() == 0)
    }

    private func compare(
        _ told: History.State,
        with site: ServerSite,
        after before: Int64
    ) async throws {
        let stored = try await site.sql("SELECT revision, name FROM turnpike.services")
        var names: [Int64: String] = [:]
        for line in stored.split(separator: "\n") {
            let columns = line.split(separator: "|")
            names[try #require(Int64(columns[0]))] = String(columns[1])
        }
        let lost = told.acknowledged.filter { names[$0.key] != $0.value }
        #expect(lost.isEmpty, "acknowledged, but not there")
        let ghosts = Set(names.values).intersection(told.unchanged)
        #expect(ghosts == [], "told that nothing was changed, but there")
        let gaps = try await site.sql(
            """
            SELECT count(DISTINCT revision), max(revision), min(revision) FROM turnpike.changes
                WHERE revision > \(before);
            SELECT revision FROM turnpike.revision;
            SELECT count(*) FROM turnpike.services s WHERE 1 <> (SELECT count(*)
                FROM turnpike.audit a WHERE a.revision = s.revision);
            """
        )
        let lines = gaps.split(separator: "\n").map(String.init)
        let last = try #require(lines.count == 3 ? Int64(lines[1]) : nil, "\(gaps)")
        #expect(lines[0] == "\(last - before)|\(last)|\(before + 1)", "a revision is missing")
        #expect(lines[2] == "0", "a change without its audit record, or with two")
        #expect(told.acknowledged.keys.allSatisfy { $0 <= last })
    }
}
