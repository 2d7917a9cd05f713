import Reactor
import Support
import TLS
import Testing
import Transport

@Suite(.timeLimit(.minutes(1))) struct StreamConnectionTests {
    /// Echoes until the client ends its direction, then ends ours.
    private static let echo: StreamServer.StreamHandler = { connection, _ in
        do throws(StreamError) {
            while let bytes = try await connection.read() { try await connection.write(bytes) }
            try await connection.finishWriting()
        } catch {}
    }

    private func exchange(
        server: TLSContext?,
        client: StreamSecurity,
        _ body: @escaping @Sendable (StreamConnection) async throws -> Void
    ) async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: server,
            handler: Self.echo
        )
        try await Task(executorPreference: reactor) {
            let connection = try await StreamConnection.connect(
                to: server.localAddress,
                on: reactor,
                security: client,
                deadline: Reactor.soon
            )
            try await body(connection)
            await connection.close()
        }.value
        await server.drain(grace: .seconds(5))
        #expect(await server.connectionCount() == 0)
    }

    @Test(arguments: [false, true])
    func largeEchoIsExactAndHalfCloses(_ isSecure: Bool) async throws {
        try await exchange(
            server: isSecure ? TestContexts.server(.required) : nil,
            client: isSecure ? TestContexts.clientSecurity() : .none
        ) { connection in
            let bytes = (0..<4_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 31) >> 4) }
            let writing = Task(executorPreference: connection.reactor) {
                try await connection.write(bytes)
                try await connection.finishWriting()
            }
            var read: [UInt8] = []
            while let more = try await connection.read(deadline: Reactor.soon) { read += more }
            try await writing.value
            #expect(read == bytes)
            await #expect(throws: StreamError.writingFinished) { try await connection.write([1]) }
        }
    }

    @Test func concurrentWritesStayWhole() async throws {
        try await exchange(server: nil, client: .none) { connection in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let block = [UInt8](repeating: UInt8(number), count: 50_000)
                        try? await connection.write(block)
                    }
                }
                group.addTask {
                    var read: [UInt8] = []
                    while read.count < 1_000_000,
                        let more = try? await connection.read(deadline: Reactor.soon)
                    {
                        read += more
                    }
                    #expect(read.count == 1_000_000)
                    for start in stride(from: 0, to: read.count, by: 50_000) {
                        let block = read[start..<(start + 50_000)]
                        #expect(block.allSatisfy { $0 == block.first })
                    }
                }
            }
        }
    }

    @Test func silentPeerMeetsTheDeadline() async throws {
        try await exchange(server: nil, client: .none) { connection in
            let deadline = Reactor.Instant.now.advanced(by: .milliseconds(30))
            await #expect(throws: StreamError.timedOut(.reading)) {
                _ = try await connection.read(deadline: deadline)
            }
        }
    }

    @Test func cancelledReadEnds() async throws {
        try await exchange(server: nil, client: .none) { connection in
            let reading = Task(executorPreference: connection.reactor) {
                do throws(StreamError) {
                    _ = try await connection.read()
                    return nil as StreamError?
                } catch {
                    return error
                }
            }
            await Task.yield()
            reading.cancel()
            #expect(await reading.value == .cancelled)
        }
    }

    @Test func slowReaderStallsTheWriter() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let outcomes = Log<StreamError>()
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: nil
        ) { connection, _ in
            do throws(StreamError) {
                let bytes = [UInt8](repeating: 0, count: 64 << 20)
                try await connection.write(bytes, stallTimeout: .milliseconds(50))
            } catch {
                outcomes.append(error)
            }
        }
        try await Task(executorPreference: reactor) {
            let connection = try await StreamConnection.connect(
                to: server.localAddress,
                on: reactor,
                security: .none,
                deadline: Reactor.soon
            )
            while outcomes.all.isEmpty { try await reactor.sleep(for: .milliseconds(10)) }
            await connection.close()
        }.value
        await server.drain(grace: .seconds(5))
        #expect(outcomes.all == [.timedOut(.writing)])
    }

    @Test func truncatedStreamIsNoEnd() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let outcomes = Log<StreamError>()
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: try TestContexts.server(.required)
        ) { connection, _ in
            do throws(StreamError) {
                while try await connection.read(deadline: Reactor.soon) != nil {}
            } catch {
                outcomes.append(error)
            }
        }
        let security = try TestContexts.clientSecurity()
        try await Task(executorPreference: reactor) {
            let connection = try await StreamConnection.connect(
                to: server.localAddress,
                on: reactor,
                security: security,
                deadline: Reactor.soon
            )
            try await connection.write([1, 2, 3])
            await connection.abort()
        }.value
        await server.drain(grace: .seconds(5))
        let isCutShort = outcomes.all.allSatisfy { error in
            switch error {
            case .tls(let failure): failure.kind == .truncated
            case .system(let error): error.isConnectionReset
            default: false
            }
        }
        #expect(outcomes.all.count == 1)
        #expect(isCutShort, "\(outcomes.all)")
    }

    @Test func serverLearnsWhoTheClientIs() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let identities = Log<StreamIdentity>()
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: try TestContexts.server(.required)
        ) { _, identity in identities.append(identity) }
        let security = try TestContexts.clientSecurity()
        try await Task(executorPreference: reactor) {
            let connection = try await StreamConnection.connect(
                to: server.localAddress,
                on: reactor,
                security: security,
                deadline: Reactor.soon
            )
            #expect(try await connection.read(deadline: Reactor.soon) == nil)
            #expect(await connection.identity.peer?.name == "alpha")
            await connection.close()
        }.value
        await server.drain(grace: .seconds(5))
        #expect(identities.all.map(\.peer?.name) == ["beta"])
        #expect(identities.all.map(\.serverName) == [TestContexts.name])
    }

    @Test func refusedConnectSaysSo() async throws {
        let lane = try TestReactor()
        let reactor = lane.reactor
        let server = try await StreamServer.start(
            on: .loopback(),
            reactors: [reactor],
            security: nil,
            handler: Self.echo
        )
        await server.drain(grace: .zero)
        let outcome = await Task(executorPreference: reactor) {
            do throws(StreamError) {
                _ = try await StreamConnection.connect(
                    to: server.localAddress,
                    on: reactor,
                    security: .none,
                    deadline: Reactor.soon
                )
                return nil as StreamError?
            } catch {
                return error
            }
        }.value
        guard case .system(let error) = outcome else {
            Issue.record("connected to nobody: \(String(describing: outcome))")
            return
        }
        #expect(error.isConnectionRefused)
    }
}
