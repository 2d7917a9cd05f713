import Support
import Synchronization
import Testing
import Wire

extension OneAtATime {
    /// Certificates are renewed while connections are open, and none of them notices.
    @Suite(.timeLimit(.minutes(5))) struct RenewalUnderConnectionsTests {
        private static let count = 1_000

        @Test func aThousandConnectionsOutliveTheirCertificates() async throws {
            let host = try await StandHost(serve: Self.echo)
            host.stand.state.withLock { $0.leafLifetime = .seconds(60) }
            let agent = try await host.start()
            try await host.allow(agent)
            let port = host.upstreamPort
            // Each is open to its end before the next one: a thousand handshakes at once would be a test
            // of another thing.
            let sockets = await onThread {
                (0..<Self.count).compactMap { _ -> LoopbackSocket? in
                    guard let socket = LoopbackSocket.connect(port: port), socket.send([1]),
                        socket.receive(exactly: 1) == [1]
                    else { return nil }
                    return socket
                }
            }
            try #require(sockets.count == Self.count)

            let before = try await ends(agent)
            try #require(before.count == 2, "one of each end: \(before)")
            try await agent.wait(for: "both renewals", within: .seconds(90)) { status in
                let items = status["certificates"]?.items ?? []
                let now = items.compactMap { item -> (String, String)? in
                    guard let name = item["subject"]?.text, let end = item["not_after"]?.text else {
                        return nil
                    }
                    return (name, end)
                }
                return now.count { before[$0.0] != nil && before[$0.0] != $0.1 } == before.count
            }
            #expect(await Self.answers(sockets, 2) == Self.count)
            // The new ones are shown and taken as well.
            let fresh = await onThread { LoopbackSocket.connect(port: port) }
            #expect(await Self.answers([try #require(fresh)], 3) == 1)
            for socket in sockets { socket.shutDown() }
            #expect(await agent.end() == 0)
            await host.stop()
        }

        /// The ends of the services' certificates.
        private func ends(_ agent: RunningAgent) async throws -> [String: String] {
            let items = try await agent.status()["certificates"]?.items ?? []
            return items.reduce(into: [:]) { ends, item in
                guard let name = item["subject"]?.text, name != "agent" else { return }
                ends[name] = item["not_after"]?.text
            }
        }

        /// Sends everything back, however long nothing comes.
        private static let echo: @Sendable (LoopbackSocket) -> Void = { connection in
            while true {
                let part = connection.receive()
                if part.end == .timedOut { continue }
                guard part.end == .open, connection.send(part.bytes) else { break }
            }
            connection.finishSending()
        }

        /// How many of the connections give back what they are given.
        private static func answers(_ sockets: [LoopbackSocket], _ byte: UInt8) async -> Int {
            await onThread {
                for socket in sockets { socket.send([byte, byte]) }
                return sockets.count { $0.receive(exactly: 2) == [byte, byte] }
            }
        }
    }
}
