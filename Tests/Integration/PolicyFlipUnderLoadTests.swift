import Foundation
import HTTP
import Reactor
import Support
import Synchronization
import Testing
import Transport
import Wire

extension OneAtATime {
    /// A change of policy while a thousand connections carry data: every one that it denies is cut
    /// within a second of the commit, and no other loses a byte.
    @Suite(.timeLimit(.minutes(10))) struct PolicyFlipUnderLoadTests {
        private static let perSource = 500

        @Test func theDeniedAreCutWithinASecondAndTheOthersLoseNothing() async throws {
            try ProcessLimits.raiseDescriptorLimit()
            let group = try ReactorGroup(count: 2, name: "load")
            var limits = ConnectionLimits()
            limits.backlog = 1_024
            let origin = try await StreamServer.start(
                on: .loopback(),
                reactors: group.reactors,
                security: nil,
                limits: limits
            ) { connection, _ in await Self.echo(connection) }
            let hosts = try await TwoHosts(instance: try #require(origin.localAddress.port))
            let (source, destination) = try await hosts.startBoth()
            try await destination.wait(forRevision: hosts.decide("allow", from: "reports"))

            let denied = try await Self.open(hosts.webPort, from: 0, group)
            let kept = try await Self.open(hosts.reportsPort, from: Self.perSource, group)
            for stream in denied + kept { await stream.begin() }
            // Everybody has more under way than the first part when the policy changes.
            let opened = Self.receivedByteCount(denied + kept)
            let isFlowing = try await eventually {
                Self.receivedByteCount(denied + kept) > 2 * opened
            }
            #expect(isFlowing)

            let asked = ContinuousClock.now
            try await hosts.decide("deny", from: "web")
            let committed = ContinuousClock.now
            let areCut = try await eventually(within: .seconds(10)) {
                for stream in denied where stream.endedAt == nil { return false }
                return true
            }
            #expect(areCut)
            var ends: [ContinuousClock.Instant] = []
            for stream in denied {
                if let end = stream.endedAt { ends.append(end) }
                let fault = await stream.problem()
                #expect(fault == nil)
            }
            let first = try #require(ends.min()), last = try #require(ends.max())
            #expect(ends.count == Self.perSource)
            #expect(first > asked, "cut before anybody asked for it")
            #expect(last - committed < .seconds(1), "the last was cut after \(last - committed)")
            print("\(ends.count) connections cut, the last \(last - committed) after the answer")

            // The others go on, and their ends are clean.
            let before = Self.receivedByteCount(kept)
            let goOn = try await eventually {
                Self.receivedByteCount(kept) > before + Self.perSource
                    * LoadStream.partByteCount
            }
            #expect(goOn)
            for stream in kept { #expect(stream.endedAt == nil, "a kept connection ended") }
            for stream in kept { await stream.finish() }
            for stream in kept {
                let outcome = await stream.outcome()
                #expect(outcome.fault == nil)
                #expect(outcome.sent == outcome.received)
                #expect(outcome.sent > 0)
            }
            #expect(await source.end() == 0)
            #expect(await destination.end() == 0)
            await origin.drain(grace: .zero)
            await onThread { group.stop() }
        }

        private static func open(
            _ port: UInt16,
            from first: Int,
            _ group: ReactorGroup
        ) async throws -> [LoadStream] {
            var streams: [LoadStream] = []
            for index in 0..<perSource {
                let reactor = group.reactors[index % group.reactors.count]
                let connection = try await StreamConnection.connect(
                    to: .loopback(port: port),
                    on: reactor,
                    security: .none,
                    deadline: .now + .seconds(20)
                )
                let stream = LoadStream(connection, index: first + index)
                // The way is open to its end before the next one: a thousand handshakes at once
                // would be a test of another thing.
                try await stream.sendFirst()
                streams.append(stream)
            }
            return streams
        }

        private static func receivedByteCount(_ streams: [LoadStream]) -> Int {
            streams.reduce(0) { $0 + $1.receivedByteCount }
        }

        private static func echo(_ connection: StreamConnection) async {
            do {
                while let bytes = try await connection.read() { try await connection.write(bytes) }
                try await connection.finishWriting()
            } catch {
                // A connection that was cut.
            }
        }
    }
}

/// One connection that sends bytes of its own and checks that the same come back.
private actor LoadStream: ReactorBound {
    static let partByteCount = 2_048
    /// A pace that leaves a debug build on two cores room for the flip itself.
    private static let pause = Duration.seconds(2)

    private static let period = 1 << 16
    /// Bytes that differ from any shift of themselves, twice, so that a part is one piece of them.
    private static let bytes: [UInt8] = {
        var random = SeededGenerator(seed: 7)
        let once = (0..<period).map { _ in UInt8.random(in: 0...255, using: &random) }
        return once + once
    }()

    nonisolated let reactor: Reactor
    private let connection: StreamConnection
    private let index: Int
    private var sentByteCount = 0
    private var fault: String?
    /// What the test asks for again and again, without waiting for a turn on the reactor.
    private let seen = Mutex<(byteCount: Int, endedAt: ContinuousClock.Instant?)>((0, nil))
    private var isFinishing = false
    /// Whether sending failed: the kernel tells of a reset once, and reading then sees a mere end.
    private var isBroken = false
    private var tasks: [Task<Void, Never>] = []

    init(_ connection: StreamConnection, index: Int) {
        self.connection = connection
        self.index = index
        reactor = connection.reactor
    }

    nonisolated var receivedByteCount: Int { seen.withLock { $0.byteCount } }
    nonisolated var endedAt: ContinuousClock.Instant? { seen.withLock { $0.endedAt } }

    /// What went wrong; a cut is nothing wrong.
    func problem() -> String? { fault }

    /// Sends one part and waits until it is back.
    func sendFirst() async throws {
        let bytes = part(at: 0, Self.partByteCount)
        try await connection.write(bytes)
        sentByteCount = bytes.count
        while receivedByteCount < sentByteCount {
            let deadline = Reactor.Instant.now.advanced(by: .seconds(20))
            let answer = try await connection.read(deadline: deadline) ?? []
            guard !answer.isEmpty, answer == part(at: receivedByteCount, answer.count) else {
                throw WaitedInVain(what: "the first part of connection \(index)")
            }
            received(answer.count)
        }
    }

    func begin() {
        tasks = [
            Task(executorPreference: reactor) { await self.send() },
            Task(executorPreference: reactor) { await self.receive() },
        ]
    }

    private func received(_ count: Int) {
        seen.withLock { $0.byteCount += count }
    }

    /// Sends no more; what is under way still comes back.
    func finish() { isFinishing = true }

    func outcome() async -> (sent: Int, received: Int, fault: String?) {
        for task in tasks { await task.value }
        return (sentByteCount, receivedByteCount, fault)
    }

    /// What stands at a place of this stream and of no other; at most a period long.
    private func part(at offset: Int, _ count: Int) -> [UInt8] {
        let start = (index * 131 + offset) % Self.period
        return Array(Self.bytes[start..<start + count])
    }

    private func send() async {
        // Not all at the same moment.
        try? await reactor.sleep(for: Self.pause * index / 1_000)
        do {
            while !isFinishing, endedAt == nil {
                let bytes = part(at: sentByteCount, Self.partByteCount)
                try await connection.write(bytes)
                sentByteCount += bytes.count
                try? await reactor.sleep(for: Self.pause)
            }
            try await connection.finishWriting()
        } catch {
            isBroken = true
            if isFinishing { fault = "sending: \(error)" }
        }
    }

    private func receive() async {
        do {
            while let bytes = try await connection.read() {
                guard bytes == part(at: receivedByteCount, bytes.count) else {
                    fault = "other bytes at \(receivedByteCount)"
                    break
                }
                received(bytes.count)
            }
            if !isFinishing, !isBroken, fault == nil { fault = "a clean end that nobody asked for" }
        } catch {
            if isFinishing { fault = "receiving: \(error)" }
        }
        seen.withLock { $0.endedAt = .now }
        await connection.close()
    }
}
