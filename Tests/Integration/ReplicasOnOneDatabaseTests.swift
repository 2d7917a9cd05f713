import Foundation
import HTTP
import Support
import Synchronization
import Testing
import Wire

/// Real replicas side by side on one PostgreSQL, with real agents.
@Suite(.timeLimit(.minutes(10))) struct ReplicasOnOneDatabaseTests {
    private let rule = "/v1/intentions/default/db/default"

    @Test func anAgentOfAnyReplicaEnforcesWhatAnyOtherWasTold() async throws {
        let url = try await ExternalDatabaseTests().makeDatabase("replicas_three")
        let replicas = try await ReplicaSet(3, on: url)
        try await replicas.put("/v1/services/default/db", at: 0)
        let names = ["host-1", "host-2", "host-3"]
        var agents: [RunningAgent] = []
        for (index, name) in names.enumerated() {
            let home = try await replicas[0].enrol(name, placing: ["db"])
            let address = try #require(replicas[index].agentAddress)
            agents.append(try await RunningAgent(home.start(["--servers", "\(address)"])))
        }
        try await replicas[0].waitUntilEnforcing(names, token: replicas.token)
        #expect(
            try await replicas.connections(of: names, asking: 2)
                == ["server-1", "server-2", "server-3"]
        )
        for index in 0..<3 {
            let answer = try await replicas.put(
                "\(rule)/source-\(index)?wait=enforced&timeout=20s",
                at: index,
                body: #"{"action":"allow"}"#
            )
            let enforced = try #require(answer.body["enforced"])
            #expect(enforced["complete"]?.bool == true, "\(answer.text)")
            #expect((enforced["acknowledged"]?.items ?? []).compactMap(\.text) == names)
            let revision = try #require(answer.body["revision"]?.integer)
            for agent in agents { #expect(try await agent.revision() == revision) }
        }
        for agent in agents { #expect(await agent.end() == 0) }
        await replicas.stop()
    }

    /// What clients of the API were told while replicas came and went.
    private final class Told: Sendable {
        struct State {
            var isOver = false
            var acknowledged: [String] = []
            var enforced: [Int64] = []
            var retriable = 0
            var unexpected: [String] = []
        }

        let state = Mutex(State())
    }

    /// Changes rules through one replica after the other, and looks after each whether whoever was
    /// not named as missing really enforces it.
    private func change(_ replicas: ReplicaSet, _ hosts: ReplicaHosts, _ told: Told) async throws {
        var number = 0
        while !told.state.withLock({ $0.isOver }) {
            number += 1
            let name = "other-\(number)"
            let answer = try await replicas.ask(
                number % 2,
                .put,
                "\(rule)/\(name)?wait=enforced&timeout=5s",
                body: #"{"action":"deny"}"#
            )
            let enforced = try await hosts.destination.revision() ?? 0
            told.state.withLock { state in
                guard let answer, answer.status != 503 else { return state.retriable += 1 }
                guard answer.status == 201, let revision = answer.body["revision"]?.integer else {
                    return state.unexpected.append(answer.text)
                }
                state.acknowledged.append(name)
                if answer.body["enforced"]?["complete"]?.bool == true {
                    state.enforced.append(revision)
                    if enforced < revision {
                        state.unexpected.append("\(revision) is complete, but \(enforced) holds")
                    }
                }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test func aRollingRestartFailsNoConnectionAndTheLoadEvensOutAgain() async throws {
        let url = try await ExternalDatabaseTests().makeDatabase("replicas_rolling")
        let replicas = try await ReplicaSet(2, on: url)
        let hosts = try await ReplicaHosts(replicas)
        let told = Told()
        let traffic = SteadyTraffic(through: hosts)
        let changing = Task { try await change(replicas, hosts, told) }
        for index in 0..<2 {
            #expect(await replicas[index].stop() == 0)
            let moved = try await eventually(within: .seconds(40)) {
                try await replicas.connections(of: ReplicaHosts.names, asking: 1 - index)
                    .allSatisfy { $0 == "server-\(2 - index)" }
            }
            #expect(moved, "\(hosts.source.child.log)")
            try await replicas.start(index)
        }
        // Both agents were on the one that did not restart last; one of them moves back.
        let isEven = try await eventually(within: .seconds(40)) {
            Set(try await replicas.connections(of: ReplicaHosts.names)) == ["server-1", "server-2"]
        }
        #expect(isEven, "\(replicas[0].log)")
        told.state.withLock { $0.isOver = true }
        try await changing.value
        let (served, failures) = await traffic.end()
        #expect(failures.isEmpty)
        #expect(served > 0)
        let state = told.state.withLock { $0 }
        #expect(state.unexpected == [])
        #expect(!state.enforced.isEmpty)
        for name in state.acknowledged {
            #expect(try await replicas.ask(0, .get, "\(rule)/\(name)")?.status == 200)
        }
        print("\(served) served, \(state.acknowledged.count) changes, \(state.retriable) to repeat")
        await hosts.end()
        await replicas.stop()
    }

    @Test func replicasThatAreKilledDuringAPushTakeNothingBack() async throws {
        let url = try await ExternalDatabaseTests().makeDatabase("replicas_killed")
        let replicas = try await ReplicaSet(2, on: url)
        let hosts = try await ReplicaHosts(replicas)
        let traffic = SteadyTraffic(through: hosts)
        var highest: Int64 = 0
        for round in 0..<4 {
            let (victim, other) = (round % 2, 1 - round % 2)
            async let pushed = replicas.put(
                "\(rule)/round-\(round)?wait=enforced&timeout=30s",
                at: other,
                body: #"{"action":"deny"}"#
            )
            try await Task.sleep(for: .milliseconds(round * 5))
            await replicas[victim].kill()
            let answer = try await pushed
            #expect(answer.body["enforced"]?["complete"]?.bool == true, "\(answer.text)")
            let revision = try #require(answer.body["revision"]?.integer)
            let held = try #require(try await hosts.destination.revision())
            #expect(held >= revision && held >= highest)
            highest = held
            try await replicas.start(victim)
        }
        #expect(await traffic.end().failures.isEmpty)
        await hosts.end()
        await replicas.stop()
    }

    @Test func aFrozenReplicaIsFencedWhenItGoesOn() async throws {
        let url = try await ExternalDatabaseTests().makeDatabase("replicas_frozen")
        let replicas = try await ReplicaSet(2, on: url)
        // They learn of each other with their life signs; one that knows of none keeps its agents.
        try await Task.sleep(for: .seconds(7))
        let hosts = try await ReplicaHosts(replicas)
        let agent = hosts.destination
        // The one whose agent is left behind.
        let server = try #require(try await replicas.connections(of: ["host-b"]).first ?? nil)
        let frozen = server == "server-1" ? 0 : 1
        let other = 1 - frozen
        let token = try #require(
            try await replicas.ask(
                other,
                .post,
                "/v1/tokens",
                body: #"{"display_name":"short","policies":["read-only"],"ttl":"1h"}"#
            )
        )
        let held = try #require(token.body["token"]?.text)
        let warm = try await replicas[frozen].api.send(.get, "/v1/services", token: held)
        #expect(warm.status == 200)

        // In the middle of a push.
        async let first = replicas.put("\(rule)/web", at: other, body: #"{"action":"deny"}"#)
        replicas[frozen].signal(SIGSTOP)
        _ = try await first
        let second = try await replicas.put(
            "\(rule)/last?wait=enforced&timeout=1s",
            at: other,
            body: #"{"action":"deny"}"#
        )
        #expect(second.body["enforced"]?["complete"]?.bool == false, "\(second.text)")
        let pending = second.body["enforced"]?["pending"]?.items ?? []
        #expect(pending.contains { $0.text == "host-b" }, "\(second.text)")
        let accessor = try #require(token.body["accessor"]?.text)
        #expect(
            try await replicas.ask(other, .delete, "/v1/tokens/\(accessor)")?.status == 200
        )
        try await Task.sleep(for: .seconds(16))
        replicas[frozen].signal(SIGCONT)

        // What it knew of the token and the rule is not given as current.
        let stale = try await replicas[frozen].newClient().send(
            .get,
            "/v1/services",
            token: held
        )
        #expect(stale.status == 401, "\(stale.text)")
        let read = try await replicas.ask(frozen, .get, "\(rule)/last")
        #expect(read?.status == 200)
        let revision = try #require(second.body["revision"]?.integer)
        try await agent.wait(forRevision: revision)
        #expect(await !hosts.echoes())
        let log = replicas[frozen].log
        #expect(log.contains("the database was out of touch for too long"), "\(log)")
        let third = try await replicas.put(
            "\(rule)/after?wait=enforced&timeout=30s",
            at: frozen,
            body: #"{"action":"deny"}"#
        )
        #expect(third.body["enforced"]?["complete"]?.bool == true, "\(third.text)")
        await hosts.end()
        await replicas.stop()
    }
}
