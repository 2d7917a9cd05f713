import Foundation
import HTTP
import Support
import Synchronization
import Testing
import Wire

/// A database that fails over, goes silent or loses answers, seen through the API and by an agent.
@Suite(.timeLimit(.minutes(10))) struct ExternalDatabaseFaultsTests {
    /// What clients were told.
    private final class History: Sendable {
        struct State {
            var isOver = false
            var acknowledged: [String: Int64] = [:]
            var retriable: [String: Int] = [:]
            var unexpected: [String] = []
        }

        let state = Mutex(State())

        var count: Int { state.withLock { $0.acknowledged.count } }

        func record(_ name: String, _ answer: APIClient.Answer) {
            state.withLock { state in
                if answer.status == 201, let revision = answer.body["revision"]?.integer {
                    state.acknowledged[name] = revision
                } else if answer.status == 503, answer.fields.first(.retryAfter) != nil {
                    state.retriable[answer.code ?? "", default: 0] += 1
                } else {
                    state.unexpected.append("\(name): \(answer.status) \(answer.text)")
                }
            }
        }
    }

    private func write(_ writer: Int, _ replicas: ReplicaSet, _ history: History) async throws {
        let client = try replicas[0].newClient()
        var number = 0
        while !history.state.withLock({ $0.isOver }) {
            number += 1
            let name = "w\(writer)-\(number)"
            let answer = try await client.send(
                .put,
                "/v1/services/default/\(name)",
                token: replicas.token,
                body: "{}"
            )
            history.record(name, answer)
            try await Task.sleep(for: .milliseconds(answer.status == 503 ? 50 : 5))
        }
        await client.close()
    }

    private func wait(for more: Int, _ history: History) async throws -> Bool {
        let wanted = history.count + more
        return try await eventually(within: .seconds(60)) { history.count >= wanted }
    }

    @Test func aPromotedStandbyHasEverythingThatWasAcknowledged() async throws {
        let pair = try await PostgresPair()
        let replicas = try await ReplicaSet(
            1,
            on: pair.url,
            ["--database-statement-timeout", "2s"]
        )
        let hosts = try await ReplicaHosts(replicas)
        let traffic = SteadyTraffic(through: hosts)
        let history = History()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 { group.addTask { try await write(writer, replicas, history) } }
            #expect(try await wait(for: 40, history))
            // Without its standby the primary may commit, but nothing is acknowledged.
            try await pair.killStandby()
            try await Task.sleep(for: .milliseconds(500))
            let before = history.count
            try await Task.sleep(for: .seconds(5))
            #expect(history.count == before, "acknowledged what only the primary has")
            try await pair.startStandby()
            #expect(try await wait(for: 40, history))
            try await pair.killPrimary()
            try await pair.promoteStandby()
            #expect(try await wait(for: 40, history), "\(replicas[0].log)")
            history.state.withLock { $0.isOver = true }
            try await group.waitForAll()
        }
        let told = history.state.withLock { $0 }
        #expect(told.unexpected == [])
        #expect(!told.retriable.isEmpty)
        let rows = try await pair.sql(
            "SELECT name, revision FROM turnpike.services WHERE name LIKE 'w%'",
            onStandby: true
        )
        var stored: [String: Int64] = [:]
        for row in rows.split(separator: "\n") {
            let columns = row.split(separator: "|")
            stored[String(columns[0])] = Int64(columns[1])
        }
        let lost = told.acknowledged.filter { stored[$0.key] != $0.value }
        #expect(lost == [:])
        print("\(told.acknowledged.count) acknowledged, none lost; to repeat: \(told.retriable)")
        // The agents served on, and follow the new primary.
        #expect(await traffic.end().failures.isEmpty)
        let denied = try await replicas.put(
            "/v1/intentions/default/db/default/web?wait=enforced&timeout=40s",
            at: 0,
            body: #"{"action":"deny"}"#
        )
        #expect(denied.body["enforced"]?["complete"]?.bool == true, "\(denied.text)")
        #expect(await !hosts.echoes())
        await hosts.end()
        await replicas.stop()
    }

    @Test func aBlackHoleEndsInAnAnswerAndALostAnswerInTheSameOne() async throws {
        let pair = try await PostgresPair()
        let proxy = FaultProxy(to: pair.primaryPort)
        let url = "postgresql://operator@127.0.0.1:\(proxy.port)/turnpike?sslmode=disable"
        let replicas = try await ReplicaSet(1, on: url, ["--database-statement-timeout", "1s"])
        let put = "/v1/services/default/before"
        try await replicas.put(put, at: 0)

        proxy.set(.blackHole)
        let silent = try await replicas.ask(0, .put, "/v1/services/default/during", body: "{}")
        #expect(silent?.status == 503, "\(silent?.text ?? "no answer")")
        #expect(silent?.fields.first(.retryAfter) != nil)
        #expect(silent?.code?.hasPrefix("storage.") == true)
        #expect(try await replicas.ask(0, .get, "/livez")?.status == 200)
        let isUnready = try await eventually {
            try await replicas.ask(0, .get, "/readyz")?.status == 503
        }
        #expect(isUnready)
        proxy.set(.none)
        let isBack = try await eventually(within: .seconds(40)) {
            try await replicas.ask(0, .get, put)?.status == 200
        }
        #expect(isBack, "\(replicas[0].log)")

        // The commit arrives and its answer does not: the key tells what happened.
        func create() async throws -> APIClient.Answer {
            try #require(
                try await replicas.ask(
                    0,
                    .post,
                    "/v1/intentions",
                    body: #"{"source":"lost-answer","destination":"db","action":"allow"}"#,
                    fields: [("idempotency-key", "once")]
                )
            )
        }
        proxy.set(.loseCommit(after: Array("lost-answer".utf8)))
        let first = try await create()
        #expect(proxy.lostCount == 1)
        #expect(first.status == 503)
        #expect(first.code == "storage.outcome_unknown", "\(first.text)")
        let second = try await create()
        #expect(second.status == 201, "\(second.text)")
        let read = try await replicas.ask(0, .get, "/v1/intentions/default/db/default/lost-answer")
        #expect(read?.body == second.body)
        let history = try await pair.sql(
            "SELECT count(*) FROM turnpike.changes WHERE key LIKE '%lost-answer%'"
        )
        #expect(history == "1")
        await replicas.stop()
    }
}
