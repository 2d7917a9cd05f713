import Foundation
import Mesh
import Observability
import Support
import Testing
import Wire

extension OneAtATime {
    /// Without control plane and database everything goes on, also after a kill, for as long as the
    /// leaves live, and not a moment longer.
    @Suite(
        .timeLimit(.minutes(10)),
        .enabled(if: ShiftedClock.library != nil, "needs the package libfaketime")
    )
    struct OutageUntilTheLeavesEndTests {
        private static let margin: Int64 = 6

        @Test func trafficFlowsUntilTheLeavesEndAndIsThenCutAndRefused() async throws {
            let origin = EchoOrigin()
            let hosts = try await TwoHosts(instance: origin.port, leafLifetime: "5m")
            var (source, destination) = try await hosts.startBoth()
            #expect(await !hosts.echoes(hosts.reportsPort))

            await hosts.server.kill()
            hosts.site.killPostmaster()
            await source.killNow()
            await destination.killNow()
            destination = try await hosts.startDestination()
            source = try await hosts.startSource()
            #expect(await hosts.echoes(hosts.webPort))
            // What was denied is not forgotten either.
            #expect(await !hosts.echoes(hosts.reportsPort))
            try await expectBudgetGoesDown(source, subject: "default/web")
            try await expectBudgetGoesDown(destination, subject: "default/db")

            // The same disks a few minutes later.
            let ends = try await [ends(source), ends(destination)]
            let clock = try ShiftedClock()
            let first = ends.flatMap(\.leaves).min() ?? .distantPast
            try clock.shift(by: (first - StandHost.now()).components.seconds - Self.margin)
            await source.killNow()
            await destination.killNow()
            destination = try await hosts.startDestination(environment: clock.environment)
            source = try await hosts.startSource(environment: clock.environment)
            let socket = try #require(await open(hosts))
            let budget = try await source.status()["budget_seconds"]?.integer ?? -1
            #expect(0...(Self.margin + 2) ~= budget)

            // New connections end with the leaves, live ones with the manifest that still admits them.
            let isRefused = try await eventually(within: .seconds(30)) {
                await !hosts.echoes(hosts.webPort)
            }
            #expect(isRefused)
            #expect(try await source.status()["budget_seconds"]?.integer == 0)
            let refusals = try await [DecisionReason.ownCertificateExpired, .leafExpired].asyncSum {
                try await source.metric(MetricNames.agentRefusals, $0.rawValue)
                    + destination.metric(MetricNames.agentRefusals, $0.rawValue)
            }
            #expect(refusals > 0, "refused without the reason: \(source.child.log)")
            let manifestsEnd = ends.map(\.manifest).max() ?? .distantPast
            try #require(manifestsEnd - first < .seconds(60))
            var end = LoopbackSocket.End.timedOut
            for _ in 0..<4 where end == .timedOut {
                end = await onThread { socket.receiveAll().end }
            }
            #expect(end == .reset)
            let cuts = try await [source, destination].asyncSum { agent in
                try await agent.metric(MetricNames.agentConnectionsCut)
            }
            #expect(cuts > 0, "cut without a decision: \(destination.child.log)")
            let named = try await [source, destination].asyncSum { agent in
                try await agent.metric(
                    MetricNames.agentRefusals,
                    DecisionReason.leafExpired.rawValue
                )
            }
            #expect(named > 0, "cut without the reason: \(destination.child.log)")
            for agent in [source, destination] {
                await agent.killNow()
                clock.sweep(after: agent)
            }
        }

        /// When what an agent holds ends.
        private func ends(
            _ agent: RunningAgent
        ) async throws -> (leaves: [Timestamp], manifest: Timestamp) {
            let status = try await agent.status()
            let leaves = try (status["certificates"]?.items ?? []).compactMap { certificate in
                try certificate["not_after"]?.text.map { try Timestamp(rfc3339: $0) }
            }
            let manifest = try #require(status["manifest_expires"]?.text)
            return (leaves, try Timestamp(rfc3339: manifest))
        }

        private func expectBudgetGoesDown(_ agent: RunningAgent, subject: String) async throws {
            let before = try #require(try await agent.status()["budget_seconds"]?.integer)
            #expect(1...300 ~= before)
            let goesDown = try await eventually {
                let now = try await agent.status()["budget_seconds"]?.integer ?? .max
                let metric = try await agent.metric(MetricNames.agentCertificateBudget, subject)
                return now < before && (1..<Int(before)) ~= metric
            }
            #expect(goesDown)
        }

        private func open(_ hosts: TwoHosts) async -> LoopbackSocket? {
            let port = hosts.webPort
            return await onThread {
                let socket = LoopbackSocket.connect(port: port)
                socket?.send([5])
                return socket?.receive(exactly: 1) == [5] ? socket : nil
            }
        }
    }
}

extension Sequence {
    /// The sum of what each element gives.
    fileprivate func asyncSum(_ number: (Element) async throws -> Int) async throws -> Int {
        var sum = 0
        for element in self { sum += try await number(element) }
        return sum
    }
}
