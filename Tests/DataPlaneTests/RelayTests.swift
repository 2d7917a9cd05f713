import DataPlane
import Glibc
import Mesh
import Observability
import Support
import Synchronization
import Testing
import Wire

/// Bytes that differ from each other and from any shift of themselves.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
    }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct RelayTests {
    /// 64 MiB by repetition, since making them all by arithmetic takes long in debug builds.
    private static let block = pattern(1 << 20)

    /// Compares a stream with repetitions of the block; gives the count up to the first difference.
    private static func matchingByteCount(_ socket: LoopbackSocket) -> Int {
        var count = 0
        while true {
            let part = socket.receive(upTo: 1 << 18)
            guard part.end == .open else { return count }
            var index = 0
            while index < part.bytes.count {
                let start = count % block.count
                let length = min(part.bytes.count - index, block.count - start)
                let isEqual = part.bytes.withUnsafeBytes { received in
                    block.withUnsafeBytes { expected in
                        let left = UnsafeRawBufferPointer(rebasing: received[index...])
                        let right = UnsafeRawBufferPointer(rebasing: expected[start...])
                        guard let left = left.baseAddress, let right = right.baseAddress else {
                            return false
                        }
                        return memcmp(left, right, length) == 0
                    }
                }
                guard isEqual else { return count }
                index += length
                count += length
            }
        }
    }

    @Test func bytesArriveBothWaysUnchanged() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let port = pair.upstreamPort
        let sent = pattern(1_000_000)
        let result = await onThread { () -> (bytes: [UInt8], end: LoopbackSocket.End)? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            inBackground { client.send(sent) }
            let echoed = client.receive(exactly: sent.count)
            client.finishSending()
            return (echoed, client.receive().end)
        }
        let isUnchanged = result?.bytes == sent
        #expect(isUnchanged)
        #expect(result?.end == .ended)
        await pair.stop()
    }

    @Test func aReaderMayPauseForLongerThanAnAgentMayBeSilent() async throws {
        let total = 16 << 20
        let pair = try await MeshPair(
            settings: { $0.unacknowledgedTimeout = .milliseconds(500) },
            serve: { connection in
                for _ in 0..<16 { connection.send(Self.block) }
                connection.finishSending()
            }
        )
        try await pair.allow()
        let port = pair.upstreamPort
        let received = await onThread { () -> Int in
            guard let client = LoopbackSocket.connect(port: port, receiveByteCount: 8_192) else {
                return -1
            }
            // By now both agents hold all they can and every window is shut.
            usleep(4_000_000)
            let count = Self.matchingByteCount(client)
            client.finishSending()
            return count
        }
        #expect(received == total)
        #expect(pair.source.takeDecisions().isEmpty)
        #expect(pair.destination.takeDecisions().isEmpty)
        await pair.stop()
    }

    @Test func sixtyFourMebibytesEachWayToSlowReaders() async throws {
        let total = 64 << 20
        let received = Mutex(0)
        let pair = try await MeshPair(serve: { connection in
            inBackground {
                for _ in 0..<64 { connection.send(Self.block) }
                connection.finishSending()
            }
            let count = Self.matchingByteCount(connection)
            received.withLock { $0 = count }
        })
        try await pair.allow()
        let port = pair.upstreamPort
        let count = await onThread { () -> Int in
            guard let client = LoopbackSocket.connect(port: port, receiveByteCount: 4_096) else {
                return -1
            }
            inBackground {
                for _ in 0..<64 { client.send(Self.block) }
                client.finishSending()
            }
            return Self.matchingByteCount(client)
        }
        #expect(count == total)
        for _ in 0..<1_500 where received.withLock({ $0 }) != total {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(received.withLock { $0 } == total)
        await pair.stop()
    }

    @Test func theSourceMayEndFirst() async throws {
        let pair = try await MeshPair(serve: { connection in
            connection.send([0])
            let question = connection.receiveAll()
            connection.send(question.bytes + [0x21])
            connection.finishSending()
        })
        try await pair.allow()
        let port = pair.upstreamPort
        let answer = await onThread { () -> (bytes: [UInt8], end: LoopbackSocket.End)? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            // Who sends an end before the agent accepted has no owner that could be told for sure.
            let first = client.receive(exactly: 1)
            client.send([1, 2, 3])
            client.finishSending()
            let rest = client.receiveAll()
            return (first + rest.bytes, rest.end)
        }
        #expect(answer?.bytes == [0, 1, 2, 3, 0x21])
        #expect(answer?.end == .ended)
        await pair.stop()
    }

    @Test func theDestinationMayEndFirst() async throws {
        let heard = Mutex<[UInt8]>([])
        let pair = try await MeshPair(serve: { connection in
            connection.send([9])
            connection.finishSending()
            let rest = connection.receiveAll()
            heard.withLock { $0 = rest.bytes }
        })
        try await pair.allow()
        let port = pair.upstreamPort
        let first = await onThread { () -> (bytes: [UInt8], end: LoopbackSocket.End)? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            let first = client.receiveAll()
            client.send([7, 7])
            client.finishSending()
            return first
        }
        #expect(first?.bytes == [9])
        #expect(first?.end == .ended)
        for _ in 0..<300 where heard.withLock({ $0.isEmpty }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(heard.withLock { $0 } == [7, 7])
        await pair.stop()
    }

    @Test func aResetIsNotACleanEnd() async throws {
        let pair = try await MeshPair(serve: { connection in
            _ = connection.receive()
            connection.send([1])
            connection.resetOnClose()
        })
        try await pair.allow()
        let port = pair.upstreamPort
        let end = await onThread { () -> LoopbackSocket.End? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            client.send([1])
            return client.receiveAll().end
        }
        #expect(end == .reset)
        await pair.stop()
    }

    @Test func aTruncatedStreamIsNotACleanEnd() async throws {
        let ends = Mutex<[LoopbackSocket.End]>([])
        let pair = try await MeshPair(serve: { connection in
            connection.send([1])
            let end = connection.receiveAll().end
            ends.withLock { $0.append(end) }
        })
        try await pair.allow()
        let port = pair.destination.port
        let leaf = try pair.mesh.leaf(of: pair.web)
        // The probe closes its socket after the first answer, without close_notify.
        let outcome = try await onThread {
            Result {
                try MeshProbe.run(
                    port: port,
                    serverName: "db.default.svc.mesh.example",
                    leaf: leaf
                )
            }
        }.get()
        #expect(outcome == .answered([1]))
        for _ in 0..<300 where ends.withLock({ $0.isEmpty }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(ends.withLock { $0 } == [.reset])
        await pair.stop()
    }

    @Test func onlyASlowReaderMakesTheAgentHoldBytes() async throws {
        let pair = try await MeshPair(serve: { connection in
            for _ in 0..<32 { connection.send(Self.block) }
            connection.finishSending()
            _ = connection.receiveAll()
        })
        try await pair.allow()
        let port = pair.upstreamPort
        let client = try #require(
            await onThread { LoopbackSocket.connect(port: port, receiveByteCount: 4_096) }
        )
        var held = 0
        for _ in 0..<500 where held == 0 {
            try await Task.sleep(for: .milliseconds(10))
            held = await pair.source.plane.status().heldByteCount
        }
        #expect(held > 0 && held <= 128 * 1_024)
        #expect(await onThread { Self.matchingByteCount(client) } == 32 << 20)
        #expect(await pair.source.plane.status().heldByteCount == 0)
        #expect(await pair.destination.plane.status().heldByteCount == 0)
        client.shutDown()
        await pair.stop()
    }

    @Test func quietConnectionsEndWhenAskedTo() async throws {
        let pair = try await MeshPair(settings: { $0.idleTimeout = .milliseconds(200) })
        try await pair.allow()
        let port = pair.upstreamPort
        let end = await onThread { () -> LoopbackSocket.End? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            client.send([6])
            guard client.receive(exactly: 1) == [6] else { return nil }
            return client.receive().end
        }
        #expect(end == .reset)
        await pair.stop()
    }

    @Test func evidenceCountsWhatWasRelayed() async throws {
        let pair = try await MeshPair()
        try await pair.allow()
        let port = pair.upstreamPort
        let echoed = await onThread { () -> [UInt8]? in
            guard let client = LoopbackSocket.connect(port: port) else { return nil }
            client.send(pattern(5_000))
            let echoed = client.receive(exactly: 5_000)
            client.finishSending()
            return echoed + client.receiveAll().bytes
        }
        #expect(echoed?.count == 5_000)
        var flows: [Flow] = []
        for _ in 0..<300 where flows.reduce(0, { $0 + $1.closed }) == 0 {
            try await Task.sleep(for: .milliseconds(10))
            flows += pair.destination.plane.evidenceQueues.flatMap { $0.takeAll().flows }
        }
        #expect(flows.reduce(0) { $0 + $1.opened } == 1)
        #expect(flows.reduce(0) { $0 + $1.closed } == 1)
        #expect(flows.reduce(0) { $0 + $1.bytesSent } == 5_000)
        #expect(flows.reduce(0) { $0 + $1.bytesReceived } == 5_000)
        #expect(flows.allSatisfy { $0.ruleID?.text == "rule-1" && $0.destination == pair.database })
        let sourceFlows = pair.source.plane.evidenceQueues.flatMap { $0.takeAll().flows }
        #expect(sourceFlows.isEmpty)
        await pair.stop()
    }

    @Test func drainLetsConnectionsFinishAndCutsTheRest() async throws {
        let pair = try await MeshPair { $0.drainTimeout = .milliseconds(300) }
        try await pair.allow()
        let port = pair.upstreamPort
        let client = await onThread { () -> LoopbackSocket? in
            let client = LoopbackSocket.connect(port: port)
            client?.send([5])
            return client?.receive(exactly: 1) == [5] ? client : nil
        }
        let connected = try #require(client)
        await pair.destination.plane.drain()
        #expect(await onThread { connected.receiveAll().end } == .reset)
        #expect(pair.destination.takeDecisions().contains { $0.reason == .agentDraining })
        let status = await pair.destination.plane.status()
        #expect(status.meshAddress == nil && status.connectionCount == 0)
        await pair.stop()
    }
}
