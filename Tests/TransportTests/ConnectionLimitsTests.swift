import Reactor
import TLS
import Testing
import Transport

@Suite(.timeLimit(.minutes(1))) struct ConnectionLimitsTests {
    /// Holds every connection until its peer ends.
    private static let hold: StreamServer.StreamHandler = { connection, _ in
        do throws(StreamError) {
            try await connection.write([1])
            while try await connection.read() != nil {}
        } catch {}
    }

    private func connect(_ server: StreamServer, on reactor: Reactor) async throws
        -> StreamConnection
    {
        try await StreamConnection.connect(
            to: server.localAddress,
            on: reactor,
            security: .none,
            deadline: Reactor.soon
        )
    }

    @Test func connectionsOverTheLimitWaitAndAreServedLater() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        var limits = ConnectionLimits()
        limits.connectionCountMax = 2
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: nil,
            limits: limits,
            handler: Self.hold
        )
        let first = try await connect(server, on: reactor)
        let second = try await connect(server, on: reactor)
        #expect(try await first.read(deadline: Reactor.soon) == [1])
        #expect(try await second.read(deadline: Reactor.soon) == [1])
        let third = try await connect(server, on: reactor)
        let early = Reactor.Instant.now.advanced(by: .milliseconds(50))
        await #expect(throws: StreamError.timedOut(.reading)) {
            _ = try await third.read(deadline: early)
        }
        #expect(await server.connectionCount() == 2)
        await first.close()
        #expect(try await third.read(deadline: Reactor.soon) == [1])
        await second.close()
        await third.close()
        await server.drain(grace: .seconds(5))
    }

    @Test func sourceOverItsLimitIsClosed() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        var limits = ConnectionLimits()
        limits.connectionsPerSourceMax = 1
        let events = Log<ServerEvent>()
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: nil,
            limits: limits,
            observe: { events.append($0) },
            handler: Self.hold
        )
        let first = try await connect(server, on: reactor)
        #expect(try await first.read(deadline: Reactor.soon) == [1])
        let second = try await connect(server, on: reactor)
        #expect(try await second.read(deadline: Reactor.soon) == nil)
        #expect(events.all.count == 1)
        await first.close()
        while await server.connectionCount() > 0 {
            try await reactor.sleep(for: .milliseconds(5))
        }
        let third = try await connect(server, on: reactor)
        #expect(try await third.read(deadline: Reactor.soon) == [1])
        await second.close()
        await third.close()
        await server.drain(grace: .seconds(5))
    }

    @Test func aHandshakeThatCouldBeginAtOnceWaitsForItsTurnAsWell() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let order = Log<String>()
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: try TestContexts.server(.required),
            observe: { _ in order.append("refused") },
            handler: Self.hold
        )
        let address = server.localAddress
        let earlier = 24
        try await Task(executorPreference: reactor) {
            let caller = try Socket.connect(to: address)
            // No greeting of TLS, and there before the connection is taken.
            _ = caller.descriptor.send([UInt8](repeating: 0x20, count: 64).span)
            let end = Reactor.Instant.now + .milliseconds(2)
            while Reactor.Instant.now < end {}
            for _ in 0..<earlier {
                Task.immediate(executorPreference: reactor) {
                    await reactor.giveWay(hasBegun: false)
                    order.append("earlier")
                }
            }
            while order.all.count <= earlier { try await reactor.sleep(for: .milliseconds(2)) }
        }.value
        #expect(order.all == Array(repeating: "earlier", count: earlier) + ["refused"])
        await server.drain(grace: .zero)
    }

    @Test func silentHandshakeIsCut() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        var limits = ConnectionLimits()
        limits.handshakeTimeout = .milliseconds(50)
        let events = Log<ServerEvent>()
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: try TestContexts.server(.required),
            limits: limits,
            observe: { events.append($0) },
            handler: Self.hold
        )
        let silent = try await connect(server, on: reactor)
        #expect(try await silent.read(deadline: Reactor.soon) == nil)
        guard case .connectionFailed(_, .timedOut(.handshake)) = events.all.first else {
            Issue.record("\(events.all)")
            return
        }
        await silent.close()
        await server.drain(grace: .seconds(5))
    }

    @Test func drainCancelsAndThenCuts() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: nil
        ) { connection, _ in
            // Deaf to cancellation.
            while await connection.isOpen { await Task.yield() }
        }
        let client = try await connect(server, on: reactor)
        while await server.connectionCount() == 0 {
            try await reactor.sleep(for: .milliseconds(5))
        }
        await server.drain(grace: .milliseconds(50))
        await #expect(throws: StreamError.self) {
            _ = try await client.read(deadline: Reactor.soon)
        }
        await client.close()
    }
}
