import Foundation
import Mesh
import Support
import Synchronization
import Testing
import Wire

/// Bytes that tell every position of a stream from the others within a mebibyte.
private let block: [UInt8] = {
    var state: UInt64 = 42
    return (0..<1 << 20).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
    }
}()

extension OneAtATime {
    /// Slow readers hold the senders back; they do not make the agent's memory grow.
    @Suite(.timeLimit(.minutes(10))) struct RelayUnderBackpressureTests {
        private static let blockCount = 64

        /// Reads slowly to the end; gives how many bytes came before the first that is wrong.
        private static func readSlowly(_ socket: LoopbackSocket) -> Int {
            var count = 0
            while true {
                let part = socket.receive(upTo: 128 << 10)
                guard part.end == .open else { return count }
                var index = 0
                while index < part.bytes.count {
                    let start = count % block.count
                    let length = min(part.bytes.count - index, block.count - start)
                    guard part.bytes[index..<index + length] == block[start..<start + length] else {
                        return count
                    }
                    index += length
                    count += length
                }
                if count % (1 << 20) < 128 << 10 { usleep(10_000) }
            }
        }

        private static func sendAll(_ socket: LoopbackSocket) {
            for _ in 0..<blockCount { socket.send(block) }
            socket.finishSending()
        }

        @Test func sixtyFourMebibytesEachWayLeaveTheMemoryAlone() async throws {
            let total = Self.blockCount << 20
            let received = Mutex(-1)
            let host = try await StandHost(serve: { connection in
                inBackground { Self.sendAll(connection) }
                let count = Self.readSlowly(connection)
                received.withLock { $0 = count }
            })
            let agent = try await host.start()
            try await host.allow(agent)
            #expect(try await host.probe(agent) != .noConnection)
            let before = agent.residentByteCount
            try #require(before > 0)
            let isDone = Mutex(false)
            let highest = Mutex(before)
            let port = host.upstreamPort
            async let count = onThread { () -> Int in
                defer { isDone.withLock { $0 = true } }
                guard let client = LoopbackSocket.connect(port: port, receiveByteCount: 8_192)
                else {
                    return -1
                }
                inBackground { Self.sendAll(client) }
                return Self.readSlowly(client)
            }
            while !isDone.withLock({ $0 }) {
                let now = agent.residentByteCount
                highest.withLock { $0 = max($0, now) }
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(await count == total)
            #expect(try await eventually { received.withLock { $0 } == total })
            let growth = highest.withLock { $0 } - before
            #expect(growth < 6 << 20, "the agent grew by \(growth) bytes")
            print("64 MiB each way: the agent grew by \(growth >> 10) KiB")
            #expect(await agent.end() == 0)
            await host.stop()
        }

        /// What OpenSSL keeps of a session and what the allocator wastes, but neither its record buffers
        /// nor one of the 64 KiB of a transfer.
        @Test func idleConnectionsHoldNoBuffers() async throws {
            let count = 300
            let host = try await StandHost()
            let agent = try await host.start()
            try await host.allow(agent)
            let port = host.upstreamPort
            func open(_ count: Int) async -> [LoopbackSocket] {
                await onThread {
                    (0..<count).compactMap { _ in
                        guard let socket = LoopbackSocket.connect(port: port) else { return nil }
                        socket.send(Array(block.prefix(100_000)))
                        return socket.receive(exactly: 100_000).count == 100_000 ? socket : nil
                    }
                }
            }
            // The allocator's own reserves are there after the first ones.
            let first = await open(20)
            try await Task.sleep(for: .seconds(3))
            let before = agent.residentByteCount
            let more = await open(count)
            try #require(more.count == count)
            // Quiet ones give their buffers back within two sweeps.
            try await Task.sleep(for: .seconds(3))
            // Each is relayed twice here: upstream port to mesh port, mesh port to instance.
            let each = (agent.residentByteCount - before) / (2 * count)
            #expect(each < 64 << 10, "\(each) bytes for each idle connection")
            print("an idle connection costs \(each) bytes")
            #expect(
                await onThread { more.allSatisfy { $0.send([1]) && $0.receive().bytes == [1] } }
            )
            withExtendedLifetime(first) {}
            #expect(await agent.end() == 0)
            await host.stop()
        }
    }
}
