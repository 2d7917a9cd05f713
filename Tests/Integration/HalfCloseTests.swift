import Support
import Synchronization
import Testing

/// Either side may end its direction while the other goes on, through two ends of TLS.
@Suite(.timeLimit(.minutes(10))) struct HalfCloseTests {
    @Test func theSourceMayEndFirstAndReadOn() async throws {
        let host = try await StandHost(serve: { connection in
            connection.send([0])
            let question = connection.receiveAll()
            for _ in 0..<64 { connection.send([UInt8](repeating: 5, count: 16_384)) }
            connection.send(question.bytes)
            connection.finishSending()
        })
        let agent = try await host.start()
        try await host.allow(agent)
        let port = host.upstreamPort
        let answer = await onThread { () -> (bytes: [UInt8], end: LoopbackSocket.End)? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            // Who ends before the agent has looked is nobody's (see the upstream ports' tests).
            guard client.receive(exactly: 1) == [0] else { return nil }
            client.send([1, 2, 3])
            client.finishSending()
            return client.receiveAll()
        }
        #expect(answer?.bytes.count == (1 << 20) + 3)
        #expect(answer?.bytes.suffix(3) == [1, 2, 3])
        #expect(answer?.end == .ended)
        #expect(await agent.end() == 0)
        await host.stop()
    }

    @Test func theDestinationMayEndFirstAndReadOn() async throws {
        let heard = Mutex<(count: Int, end: LoopbackSocket.End)>((0, .open))
        let host = try await StandHost(serve: { connection in
            connection.send([9])
            connection.finishSending()
            let rest = connection.receiveAll()
            heard.withLock { $0 = (rest.bytes.count, rest.end) }
        })
        let agent = try await host.start()
        try await host.allow(agent)
        let port = host.upstreamPort
        let first = await onThread { () -> (bytes: [UInt8], end: LoopbackSocket.End)? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            let first = client.receiveAll()
            client.send([UInt8](repeating: 7, count: 1 << 20))
            client.finishSending()
            return first
        }
        #expect(first?.bytes == [9])
        #expect(first?.end == .ended)
        #expect(try await eventually { heard.withLock { $0.end } != .open })
        #expect(heard.withLock { $0.count } == 1 << 20)
        #expect(heard.withLock { $0.end } == .ended)
        #expect(await agent.end() == 0)
        await host.stop()
    }
}
