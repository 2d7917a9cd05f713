import Foundation
import Mesh
import Observability
import Support
import Testing
import Wire

/// How connections through a running agent end when nobody ends them politely.
@Suite(.timeLimit(.minutes(10))) struct ConnectionEndsTests {
    /// Connects to the upstream port and makes sure that the way is open to its end.
    private func open(_ host: StandHost) async -> LoopbackSocket? {
        let port = host.upstreamPort
        return await onThread {
            let socket = LoopbackSocket.connect(port: port)
            socket?.send([5])
            return socket?.receive(exactly: 1) == [5] ? socket : nil
        }
    }

    @Test func anInstanceThatRefusesIsAResetAndADecision() async throws {
        let host = try await StandHost()
        let agent = try await host.start()
        let dead = LoopbackSocket.freePort()
        try await host.publish(
            host.snapshot(revision: 1, through: agent.meshPort, instances: [dead])
        )
        try await host.waitForCertificates(of: agent)
        let port = host.upstreamPort
        let end = await onThread { () -> LoopbackSocket.End? in
            let socket = LoopbackSocket.connect(port: port)
            socket?.send([1])
            return socket?.receiveAll().end
        }
        #expect(end == .reset)
        let decision = try #require(try await host.decision(.connectFailed))
        #expect(decision.source?.description == "spiffe://mesh.example/ns/default/svc/web")
        #expect(decision.destination == host.database)
        #expect(await agent.end() == 0)
        await host.stop()
    }

    @Test func aQuietConnectionEndsWithItsReason() async throws {
        let host = try await StandHost()
        let agent = try await host.start(["--limits-idle-timeout", "300ms"])
        try await host.allow(agent)
        let socket = try #require(await open(host))
        #expect(await onThread { socket.receiveAll().end } == .reset)
        #expect(try await host.decision(.idleTimeout) != nil)
        #expect(await agent.end() == 0)
        await host.stop()
    }

    @Test func whatFinishesInTimeIsNotCutByTheEndOfTheAgent() async throws {
        let host = try await StandHost()
        let agent = try await host.start(["--limits-drain", "30s"])
        try await host.allow(agent)
        let socket = try #require(await open(host))
        let begun = ContinuousClock.now
        agent.child.signal(SIGTERM)
        let (upstream, mesh) = (host.upstreamPort, agent.meshPort)
        let isClosed = try await eventually {
            await onThread {
                LoopbackSocket.connect(port: upstream) == nil
                    && LoopbackSocket.connect(port: mesh) == nil
            }
        }
        #expect(isClosed)
        let data = [UInt8](repeating: 3, count: 1 << 20)
        let echoed = await onThread { () -> [UInt8] in
            inBackground { socket.send(data) }
            return socket.receive(exactly: data.count)
        }
        #expect(echoed == data)
        let end = await onThread {
            socket.finishSending()
            return socket.receiveAll().end
        }
        #expect(end == .ended)
        #expect(await agent.child.wait() == 0)
        // It waits for connections, not for the time.
        #expect(ContinuousClock.now - begun < .seconds(25))
        await host.stop()
    }

    @Test func whatDoesNotFinishIsCutAndReachesEvidence() async throws {
        let host = try await StandHost()
        let agent = try await host.start(["--limits-drain", "300ms"])
        try await host.allow(agent)
        let socket = try #require(await open(host))
        agent.child.signal(SIGTERM)
        #expect(await onThread { socket.receiveAll().end } == .reset)
        #expect(await agent.child.wait() == 0)
        #expect(host.decisions.contains { $0.reason == .agentDraining })
        await host.stop()
    }
}
