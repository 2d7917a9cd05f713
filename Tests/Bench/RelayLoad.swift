import Foundation
import Reactor
import Synchronization
import Transport
import Wire

/// Load on a pair of proxies, in plain bytes: what a local program sends to its agent.
struct RelayLoad: Sendable {
    enum Mode: String {
        /// One request after the other on each connection.
        case requests
        /// The same at a fixed rate over all connections.
        case rate
        /// Each request on a connection of its own.
        case connections
        /// Bytes without end.
        case bulk
        /// One request on each, then silence until the end of standard input.
        case idle
    }

    private static let patience = Duration.seconds(30)
    /// How many idle connections are made at one time.
    private static let openingMax = 32

    let address: SocketAddress
    let mode: Mode
    let connectionCount: Int
    let seconds: Double
    /// Requests per second, for `rate`.
    let rate: Double

    /// What was done, in all.
    private final class Tally: Sendable {
        let count = Atomic<Int>(0)
        let byteCount = Atomic<Int>(0)
        let failureCount = Atomic<Int>(0)
    }

    func measure() async throws {
        let thread = try ReactorThread(name: "load")
        let tally = Tally()
        if mode == .idle { return try await idle(on: thread.reactor) }
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<connectionCount {
                group.addTask(executorPreference: thread.reactor) {
                    await drive(number, on: thread.reactor, from: start, to: end, tally)
                }
            }
        }
        let took = (ContinuousClock.now - start) / .seconds(1)
        let (count, bytes) = (
            tally.count.load(ordering: .relaxed), tally.byteCount.load(ordering: .relaxed)
        )
        let failures = tally.failureCount.load(ordering: .relaxed)
        Program.say(
            #"{"count":\#(count),"bytes":\#(bytes),"failures":\#(failures),"seconds":\#(took)}"#
        )
    }

    private func drive(
        _ number: Int,
        on reactor: Reactor,
        from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant,
        _ tally: Tally
    ) async {
        var turn = 0
        while ContinuousClock.now < end {
            do {
                let connection = try await connect(on: reactor)
                defer { Task { await connection.close() } }
                switch mode {
                case .bulk: try await pull(connection, until: end, tally)
                case .connections:
                    try await ask(connection)
                    tally.count.wrappingAdd(1, ordering: .relaxed)
                case .requests, .rate, .idle:
                    while ContinuousClock.now < end {
                        if mode == .rate {
                            let due = Double(turn * connectionCount + number) / rate
                            turn += 1
                            try await reactor.sleep(until: start + .seconds(due))
                        }
                        try await ask(connection)
                        tally.count.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            } catch {
                tally.failureCount.wrappingAdd(1, ordering: .relaxed)
                try? await reactor.sleep(for: .milliseconds(10))
            }
        }
    }

    private func connect(on reactor: Reactor) async throws(StreamError) -> StreamConnection {
        try await StreamConnection.connect(
            to: address,
            on: reactor,
            security: .none,
            deadline: .now + Self.patience
        )
    }

    private func ask(_ connection: StreamConnection) async throws {
        try await connection.write(Origin.request(Origin.oneAnswer))
        var missing = Origin.answerByteCount
        while missing > 0 {
            guard let bytes = try await connection.read(deadline: .now + Self.patience) else {
                throw BenchError("the connection was ended")
            }
            missing -= bytes.count
        }
    }

    private func pull(
        _ connection: StreamConnection,
        until end: ContinuousClock.Instant,
        _ tally: Tally
    ) async throws {
        try await connection.write(Origin.request(Origin.noEnd))
        while ContinuousClock.now < end {
            guard let bytes = try await connection.read(deadline: .now + Self.patience) else {
                throw BenchError("the connection was ended")
            }
            tally.byteCount.wrappingAdd(bytes.count, ordering: .relaxed)
        }
    }

    private func idle(on reactor: Reactor) async throws {
        let connections = try await withThrowingTaskGroup(of: [StreamConnection].self) { group in
            for number in 0..<Self.openingMax {
                let rest = number < connectionCount % Self.openingMax ? 1 : 0
                let share = connectionCount / Self.openingMax + rest
                group.addTask(executorPreference: reactor) {
                    var opened: [StreamConnection] = []
                    for _ in 0..<share {
                        let connection = try await connect(on: reactor)
                        try await ask(connection)
                        opened.append(connection)
                    }
                    return opened
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        Program.say(#"{"idle":\#(connections.count)}"#)
        while readLine() != nil {}
        for connection in connections { await connection.close() }
    }
}
