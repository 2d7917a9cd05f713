import Glibc
import Synchronization

/// A TCP proxy on loopback that misbehaves on demand, each connection on threads of its own.
package final class FaultProxy: Sendable {
    /// What happens to bytes and connections.
    package enum Fault: Equatable, Sendable {
        case none
        /// Nothing is passed on and nothing is ended, as behind a dead router.
        case blackHole
        /// The first commit that follows these bytes on a connection arrives; its answer does not.
        case loseCommit(after: [UInt8])
    }

    private struct State {
        var fault = Fault.none
        var isOver = false
        var lost = 0
        var pairs: [(LoopbackSocket, LoopbackSocket)] = []
    }

    private let listener = LoopbackSocket.listen()
    private let shared = Shared()

    private final class Shared: Sendable {
        let state = Mutex(State())

        var fault: Fault { state.withLock { $0.fault } }
        var isOver: Bool { state.withLock { $0.isOver } }
    }

    /// Passes connections on to a port of loopback.
    package init(to port: UInt16) {
        let (listener, shared) = (listener, shared)
        inBackground {
            while let near = listener.acceptNext() {
                guard let far = LoopbackSocket.connect(port: port) else { continue }
                shared.state.withLock { $0.pairs.append((near, far)) }
                inBackground { Self.pass(from: near, to: far, shared, isRequest: true) }
                inBackground { Self.pass(from: far, to: near, shared, isRequest: false) }
            }
        }
    }

    deinit {
        listener.shutDown()
        shared.state.withLock { state in
            state.isOver = true
            for (near, far) in state.pairs {
                near.shutDown()
                far.shutDown()
            }
        }
    }

    package var port: UInt16 { listener.port }
    /// How many answers were lost.
    package var lostCount: Int { shared.state.withLock { $0.lost } }

    /// From now on.
    package func set(_ fault: Fault) { shared.state.withLock { $0.fault = fault } }

    private static func pass(
        from source: LoopbackSocket,
        to sink: LoopbackSocket,
        _ shared: Shared,
        isRequest: Bool
    ) {
        var isArmed = false
        while true {
            let part = source.receive()
            if part.end == .timedOut, !shared.isOver { continue }
            guard part.end == .open else { break }
            while shared.fault == .blackHole, !shared.isOver { pause() }
            if isRequest, case .loseCommit(let mark) = shared.fault {
                isArmed = isArmed || contains(part.bytes, mark)
                if isArmed, contains(part.bytes, Array("COMMIT".utf8)) {
                    loseAnswer(to: part.bytes, from: source, at: sink, shared)
                    break
                }
            }
            guard sink.send(part.bytes) else { break }
        }
        source.shutDown()
        sink.shutDown()
    }

    /// The far side gets what it was sent, and its answer finds nobody.
    private static func loseAnswer(
        to bytes: [UInt8],
        from source: LoopbackSocket,
        at sink: LoopbackSocket,
        _ shared: Shared
    ) {
        shared.state.withLock { state in
            state.fault = .none
            state.lost += 1
        }
        source.shutDown()
        sink.send(bytes)
        sink.finishSending()
        _ = sink.receiveAll()
    }

    private static func pause() { usleep(10_000) }

    private static func contains(_ bytes: [UInt8], _ mark: [UInt8]) -> Bool {
        guard !mark.isEmpty, bytes.count >= mark.count else { return false }
        return (0...(bytes.count - mark.count)).contains { start in
            bytes[start..<(start + mark.count)].elementsEqual(mark)
        }
    }
}
