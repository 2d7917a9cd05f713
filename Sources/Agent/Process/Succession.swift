import DataPlane
import Observability
import Reactor
import Synchronization

/// What the running process is asked to do next.
enum Request: Sendable {
    case end
    /// A newer process wants the place; its connection is the one descriptor.
    case handOver(PassedDescriptors)
}

/// The wish to end or to be succeeded, from a signal or a socket to the task that waits for it.
final class RequestBox: Sendable {
    private struct State {
        var isEnding = false
        var successor: PassedDescriptors?
        var waiter: CheckedContinuation<Request, Never>?
    }

    private let state = Mutex(State())

    /// False if it was requested before.
    func end() -> Bool {
        let (isFirst, waiter) = state.withLock { state in
            defer {
                state.isEnding = true
                state.waiter = nil
            }
            return (!state.isEnding, state.waiter)
        }
        waiter?.resume(returning: .end)
        return isFirst
    }

    /// A newer process waits; only one at a time is heard.
    func handOver(to connection: PassedDescriptors) {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.successor = connection }
            return state.waiter
        }
        waiter?.resume(returning: .handOver(connection))
    }

    var isEnding: Bool { state.withLock(\.isEnding) }

    func next() async -> Request {
        await withCheckedContinuation { continuation in
            let request: Request? = state.withLock { state in
                if state.isEnding { return .end }
                if let successor = state.successor {
                    state.successor = nil
                    return .handOver(successor)
                }
                state.waiter = continuation
                return nil
            }
            if let request { continuation.resume(returning: request) }
        }
    }
}

/// The evidence of the process before this one, which comes until that has ended.
final class InheritedEvidence: Sendable {
    let task: Task<Void, Never>
    private let end: End

    private final class End: Sendable {
        let hasCome = Mutex(false)
    }

    init(_ take: @escaping @Sendable () async -> Void) {
        let end = End()
        self.end = end
        task = Task {
            await take()
            end.hasCome.withLock { $0 = true }
        }
    }

    var isOver: Bool { end.hasCome.withLock { $0 } }
}

/// The socket in the data directory on which a newer process asks for the place of this one.
final class SuccessionPort: Sendable {
    private let listener: Confined<Listener>
    private let path: String
    private let threads: WorkerPool

    /// Listens; only the user who runs this process, and root, are heard.
    ///
    /// On the reactor's thread.
    init(
        _ path: String,
        on reactor: Reactor,
        requests: RequestBox,
        logger: Logger
    ) throws(SystemError) {
        self.path = path
        let threads = try WorkerPool(name: "handover", threadCount: 1, queuedMax: 4)
        self.threads = threads
        // We hold the lock of the directory, so nobody listens there any more.
        _ = try? FileSystem.remove(path)
        let own = ProcessLimits.effectiveUser
        listener = Confined(
            try Listener(Socket.listen(on: .unix(path: path), backlog: 1), on: reactor) {
                descriptor,
                _,
                _ in
                guard let peer = try? descriptor.peerCredentials(),
                    peer.uid == own || peer.uid == 0
                else { return logger.warning("a stranger asked for this agent's place") }
                let connection = PassedDescriptors()
                connection.append(descriptor)
                Task {
                    let outcome = try? await threads.run { Self.listen(to: connection) }
                    switch outcome {
                    case .success(let heard): requests.handOver(to: heard)
                    case .failure(let error):
                        logger.warning(
                            "somebody connected to be handed this agent's place and did not ask",
                            ["problem": .describing(error)]
                        )
                    case nil: logger.warning("too many ask for this agent's place")
                    }
                }
            },
            to: reactor
        )
    }

    private static func listen(
        to connection: PassedDescriptors
    ) -> Result<PassedDescriptors, HandoverError> {
        let descriptor = connection.takeFirst()
        do throws(HandoverError) {
            try Handover.awaitRequest(descriptor)
        } catch {
            return .failure(error)
        }
        connection.append(descriptor)
        return .success(connection)
    }

    /// Runs what may wait on a thread of its own.
    func wait<Value: Sendable>(for work: @escaping @Sendable () -> Value) async -> Value? {
        try? await threads.run(work)
    }

    /// Stops listening; the file goes unless the newer process has put its own there.
    func close(removingFile: Bool) async {
        let (listener, path) = (listener, path)
        await withCheckedContinuation { continuation in
            listener.reactor.execute { _ in
                listener.value.close()
                if removingFile { _ = try? FileSystem.remove(path) }
                continuation.resume()
            }
        }
        threads.stop()
    }
}
