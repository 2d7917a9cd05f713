import Foundation
import Mesh
import Support
import Synchronization
import Testing

/// A newer process takes the place of a running agent while connections come and go.
@Suite(.serialized, .timeLimit(.minutes(5))) struct AgentIsReplacedUnderLoadTests {
    /// What clients of the upstream port have met.
    private final class Load: Sendable {
        private struct State {
            var isOver = false
            var answered = 0
            var failed = 0
            var running = 0
        }

        private let state = Mutex(State())

        /// Connects, asks and hangs up again and again, on a few threads.
        init(port: UInt16, clients: Int) {
            for _ in 0..<clients {
                state.withLock { $0.running += 1 }
                inBackground {
                    while !self.state.withLock(\.isOver) {
                        let isAnswered = Self.asks(port)
                        self.state.withLock { state in
                            if isAnswered { state.answered += 1 } else { state.failed += 1 }
                        }
                    }
                    self.state.withLock { $0.running -= 1 }
                }
            }
        }

        private static func asks(_ port: UInt16) -> Bool {
            guard let socket = LoopbackSocket.connect(port: port) else { return false }
            guard socket.send([1, 2, 3]), socket.receive(exactly: 3) == [1, 2, 3] else {
                return false
            }
            socket.finishSending()
            return socket.receive().end == .ended
        }

        var answered: Int { state.withLock(\.answered) }

        /// Ends the load; gives how many connections failed.
        func end() async throws -> Int {
            state.withLock { $0.isOver = true }
            let areDone = try await eventually { self.state.withLock(\.running) == 0 }
            try #require(areDone, "a client hangs")
            return state.withLock(\.failed)
        }
    }

    private func waitUntilOpen(_ port: UInt16) async throws {
        let isOpen = try await eventually {
            await onThread {
                guard let socket = LoopbackSocket.connect(port: port) else { return false }
                return socket.send([1]) && socket.receive(exactly: 1) == [1]
            }
        }
        try #require(isOpen)
    }

    @Test func noConnectionIsRefusedOrReset() async throws {
        let host = try await StandHost()
        let first = try await host.start(["--limits-drain", "20s"])
        try await host.allow(first)
        let port = host.upstreamPort
        try await waitUntilOpen(port)
        let long = try #require(await onThread { LoopbackSocket.connect(port: port) })
        let load = Load(port: port, clients: 4)
        #expect(try await eventually { load.answered > 20 })
        let meshPort = first.meshPort
        let second = try await host.start([
            "--take-over", "--mesh-listen", "127.0.0.1:\(meshPort)", "--limits-reactors", "2",
        ])
        #expect(second.meshPort == meshPort)
        let atTakeOver = load.answered
        #expect(try await eventually { load.answered > atTakeOver + 50 })
        #expect(first.child.isRunning)
        // The older one carries its connection on, although it takes no new one.
        let goesOn = await onThread { long.send([9]) && long.receive(exactly: 1) == [9] }
        #expect(goesOn)
        // As long as the older one drains, a third one is told to come again.
        let third = try AgentChild(directory: host.directory.path, ["--take-over"])
        #expect(await third.wait() != 0)
        #expect(third.log.contains("still taking over"), "\(third.log)")
        let failed = try await load.end()
        #expect(failed == 0, "\(first.child.log)\n\(second.child.log)")
        #expect(try await host.probe(second) == .answered([1, 2, 3]))
        // What is denied meanwhile is denied to the older one's connections too.
        try await host.publish(host.snapshot(.deny, revision: 2, through: meshPort))
        let end = await onThread { long.receive().end }
        #expect(end != .open)
        #expect(await first.child.wait() == 0)
        #expect(first.child.log.contains("a newer process accepts connections"))
        let cut = try await host.decision(.policyChanged)
        #expect(cut?.ruling.ruleID?.description == "rule-of-2")
        #expect(await second.end() == 0)
        await host.stop()
    }

    @Test func anAgentGoesOnWhenTheNewerOneFails() async throws {
        let host = try await StandHost()
        let first = try await host.start()
        try await host.allow(first)
        try await waitUntilOpen(host.upstreamPort)
        let load = Load(port: host.upstreamPort, clients: 1)
        // The status port of the newer one is not to be had, so it ends before it is ready.
        let taken = LoopbackSocket.listen()
        let failing = try AgentChild(
            directory: host.directory.path,
            ["--take-over", "--status-listen", "127.0.0.1:\(taken.port)"]
        )
        #expect(await failing.wait() != 0)
        #expect(try await eventually { first.child.log.contains("going on") })
        #expect(first.child.isRunning)
        let before = load.answered
        #expect(try await eventually { load.answered > before + 10 })
        let failed = try await load.end()
        #expect(failed == 0, "\(first.child.log)")
        // Neither may a third one run beside it.
        let beside = try await AgentChild.run(["run", "--data-directory", host.directory.path])
        #expect(beside.code != 0)
        #expect(beside.errors.contains("--take-over"))
        #expect(await first.end() == 0)
        taken.shutDown()
        await host.stop()
    }
}
