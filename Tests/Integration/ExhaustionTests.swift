import Foundation
import Mesh
import Observability
import Support
import Synchronization
import Testing

extension OneAtATime {
    /// An agent that runs out of something refuses, says so, and recovers; it never ends or spins.
    @Suite(.serialized, .timeLimit(.minutes(10))) struct ExhaustionTests {
        /// Takes connections and leaves what they send where it is.
        private final class DeafOrigin: Sendable {
            private let connections = Mutex<[LoopbackSocket]>([])

            func take(_ connection: LoopbackSocket) {
                connections.withLock { $0.append(connection) }
            }

            func hangUp() {
                let all = connections.withLock { connections in
                    defer { connections = [] }
                    return connections
                }
                for connection in all { connection.shutDown() }
            }
        }

        private static func open(_ count: Int, _ port: UInt16) async -> [LoopbackSocket] {
            await onThread { (0..<count).compactMap { _ in LoopbackSocket.connect(port: port) } }
        }

        private static func isServed(_ port: UInt16) async -> Bool {
            await onThread {
                guard let socket = LoopbackSocket.connect(port: port), socket.send([7]) else {
                    return false
                }
                return socket.receive().bytes == [7]
            }
        }

        /// The origin reads nothing, so that the agent holds what its socket does not take.
        @Test func nearItsMemoryLimitItRefusesAndCutsThoseWhoDoNotRead() async throws {
            let deaf = DeafOrigin()
            let isDeaf = Mutex(true)
            let host = try await StandHost(serve: { connection in
                if isDeaf.withLock({ $0 }) {
                    deaf.take(connection)
                } else {
                    StandHost.echo(connection)
                }
            })
            // What it occupies by itself is another figure in every kind of build.
            let idle = try await host.start()
            try await host.publish(host.snapshot(revision: 1, through: idle.meshPort))
            try await host.waitForCertificates(of: idle)
            let limit = idle.residentByteCount / 100 * 145
            #expect(await idle.end() == 0)
            let agent = try await host.start(["--limits-memory", "\(limit)B"])
            try await host.publish(host.snapshot(revision: 2, through: agent.meshPort))
            try await host.waitForCertificates(of: agent)
            let clients = Mutex<[LoopbackSocket]>([])
            let chunk = [UInt8](repeating: 1, count: 1 << 20)
            var highest = agent.residentByteCount
            var open = 0
            for _ in 0..<30 {
                for socket in await Self.open(20, host.upstreamPort) {
                    clients.withLock { $0.append(socket) }
                    // Blocks until the agent cuts it, or the test ends it.
                    inBackground { for _ in 0..<16 where !socket.send(chunk) { return } }
                }
                try await Task.sleep(for: .milliseconds(100))
                highest = max(highest, agent.residentByteCount)
                open = max(open, try await agent.metric(MetricNames.agentConnectionsOpen))
            }
            #expect(open > 20, "only \(open) were admitted, both ways together")
            let refusals = try await agent.metric(
                MetricNames.agentRefusals,
                DecisionReason.overloaded.rawValue
            )
            #expect(refusals > 0, "nobody was refused")
            // The room here is small beside what comes within one interval of measuring.
            let overshoot = 12 << 20
            #expect(highest < limit + overshoot, "the agent grew to \(highest) bytes")
            print("600 who do not read: at most \(highest >> 10) KiB, \(refusals) refused or cut")
            isDeaf.withLock { $0 = false }
            deaf.hangUp()
            clients.withLock { $0.forEach { $0.shutDown() } }
            let recovers = try await eventually { await Self.isServed(host.upstreamPort) }
            #expect(recovers)
            #expect(await agent.end() == 0)
            await host.stop()
        }

        @Test func withoutDescriptorsItWaitsAndRecovers() async throws {
            let host = try await StandHost()
            let agent = try await host.start(
                launcher: ["/bin/sh", "-c", "ulimit -n 256; exec \"$@\"", "sh"]
            )
            try await host.allow(agent)
            let clients = await Self.open(400, host.upstreamPort)
            for client in clients { client.send([1]) }
            let isRefusing = try await eventually {
                try await agent.metric(
                    MetricNames.agentRefusals,
                    DecisionReason.overloaded.rawValue
                ) > 0
            }
            #expect(isRefusing)
            // What waits for a free descriptor costs no turns of the loop.
            let before = agent.processorTime
            try await Task.sleep(for: .seconds(2))
            let spent = agent.processorTime - before
            #expect(spent < .seconds(1), "\(spent) of two seconds")
            #expect(agent.child.isRunning)
            for client in clients { client.shutDown() }
            let recovers = try await eventually { await Self.isServed(host.upstreamPort) }
            #expect(recovers)
            #expect(await agent.end() == 0)
            await host.stop()
        }

        @Test func silentAndGarbledHandshakesAndChurnLeaveNothingBehind() async throws {
            let host = try await StandHost()
            let agent = try await host.start()
            try await host.allow(agent)
            #expect(await Self.isServed(host.upstreamPort))
            try await Task.sleep(for: .milliseconds(300))
            let baseline = agent.descriptorCount
            try #require(baseline > 0)

            let silent = await Self.open(40, agent.meshPort)
            let garbled = await Self.open(20, agent.meshPort)
            for (index, socket) in garbled.enumerated() {
                socket.send((0..<600).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) })
            }
            #expect(await Self.isServed(host.upstreamPort))
            let asked = ContinuousClock.now
            _ = try await agent.status()
            #expect(ContinuousClock.now - asked < .seconds(1))
            for _ in 0..<5 {
                let port = host.upstreamPort
                let served = await onThread {
                    (0..<100).count { _ in
                        guard let socket = LoopbackSocket.connect(port: port) else { return false }
                        return socket.send([9]) && socket.receive().bytes == [9]
                    }
                }
                #expect(served == 100)
            }
            for socket in silent + garbled { socket.shutDown() }
            let isClean = try await eventually { agent.descriptorCount <= baseline + 10 }
            #expect(isClean, "\(agent.descriptorCount) descriptors, \(baseline) at first")
            #expect(await agent.end() == 0)
            await host.stop()
        }
    }
}
