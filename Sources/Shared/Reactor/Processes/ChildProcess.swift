import CLinux

/// A running child whose end is an event of a reactor (pidfd), so that no zombie stays behind.
///
/// Made on the reactor's thread; the reactor holds it until the child ended. `send`, `exitStatus` and
/// `stop` are for any thread. Sendable because its state is touched only on the reactor's thread.
package final class ChildProcess: EventHandler, @unchecked Sendable {
    package let reactor: Reactor
    /// The process id; only for logs, since it may be another's once the child ended.
    package let identity: Int32

    private var descriptor: Descriptor
    private var token = DescriptorToken.none
    private let hasGroup: Bool
    private var status: ChildStatus?
    private var watchers: [(ChildStatus) -> Void] = []
    private var waiters: [Suspension<ChildStatus?>] = []
    private var input: Descriptor
    private var output: Descriptor
    private var error: Descriptor

    private init(_ started: consuming SpawnedChild, hasGroup: Bool, on reactor: Reactor) {
        self.reactor = reactor
        self.hasGroup = hasGroup
        identity = started.identity
        descriptor = started.descriptor.take()
        input = started.input.take()
        output = started.output.take()
        error = started.error.take()
    }

    /// Starts a program; on the reactor's thread, which it holds up for about a millisecond.
    package static func spawn(
        _ command: Command,
        on reactor: Reactor
    ) throws(SpawnError) -> ChildProcess {
        reactor.preconditionOnReactor()
        let started = try SpawnedChild.start(command)
        let child = ChildProcess(started, hasGroup: command.group != .inherited, on: reactor)
        do throws(SystemError) {
            child.token = try reactor.register(child.descriptor, handler: child)
        } catch {
            child.abandon()
            throw SpawnError(program: command.program, stage: .fork, cause: error)
        }
        return child
    }

    /// Starts a program from any task.
    package static func start(
        _ command: Command,
        on reactor: Reactor
    ) async throws(SpawnError) -> ChildProcess {
        let result: Result<ChildProcess, SpawnError> = await reactor.perform { reactor in
            do throws(SpawnError) {
                return .success(try spawn(command, on: reactor))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Sends a signal, to the whole group when the child has its own; a child that ended gets none.
    package func send(_ signal: Signal) {
        reactor.execute { _ in
            guard self.status == nil else { return }
            // Not reaped yet, so the number still is this child's group.
            if self.hasGroup, clinux_signal_group(self.identity, signal.rawValue) == 0 { return }
            _ = clinux_signal_child(self.descriptor.number, signal.rawValue)
        }
    }

    /// Calls back once the child ended, at once if it did; on the reactor's thread.
    package func whenExited(_ watcher: @escaping (ChildStatus) -> Void) {
        reactor.preconditionOnReactor()
        if let status { watcher(status) } else { watchers.append(watcher) }
    }

    /// Waits for the child's end; nil when the deadline came or the task was cancelled before.
    package func exitStatus(deadline: Reactor.Instant? = nil) async -> ChildStatus? {
        let suspension = Suspension<ChildStatus?>(on: reactor, outcomeAtDeadline: nil)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                reactor.execute { _ in
                    if let status = self.status {
                        suspension.finish(status)
                    } else {
                        self.waiters.removeAll { !$0.isWaiting }
                        self.waiters.append(suspension)
                    }
                    suspension.begin(continuation, deadline: deadline)
                }
            }
        } onCancel: {
            reactor.post { _ in suspension.finish(nil) }
        }
    }

    /// Asks the child to end, kills it after the grace, and waits until it is gone.
    package func stop(_ signal: Signal = .terminate, grace: Duration) async -> ChildStatus {
        send(signal)
        if let status = await exitStatus(deadline: .now.advanced(by: grace)) { return status }
        send(.kill)
        // A cancelled task still must not leave before the child is gone.
        return await withCheckedContinuation { continuation in
            reactor.execute { _ in self.whenExited { continuation.resume(returning: $0) } }
        }
    }

    /// The writing end of the child's standard input, once; closed if it has no pipe.
    package func takeInput() -> Descriptor {
        reactor.preconditionOnReactor()
        return input.take()
    }

    /// The reading end of the child's standard output, once; closed if it has no pipe.
    package func takeOutput() -> Descriptor {
        reactor.preconditionOnReactor()
        return output.take()
    }

    /// The reading end of the child's standard error, once; closed if it has no pipe.
    package func takeError() -> Descriptor {
        reactor.preconditionOnReactor()
        return error.take()
    }

    package func ready(_ events: ReadyEvents, on reactor: Reactor) {
        guard events.isReadable, status == nil else { return }
        var isKilled: Int32 = 0
        var code: Int32 = 0
        let result = unsafe clinux_reap(descriptor.number, &isKilled, &code)
        if result == 0 &- EAGAIN { return }
        // Somebody else reaped our child: a bug of ours, but the waiters must not hang.
        let ended: ChildStatus =
            result < 0 || isKilled != 0 ? .killed(signal: code) : .exited(code: code)
        status = ended
        reactor.deregister(token, closing: descriptor.take())
        for watcher in watchers { watcher(ended) }
        watchers = []
        for waiter in waiters { waiter.finish(ended) }
        waiters = []
    }

    /// Kills and reaps a child that cannot be watched.
    private func abandon() {
        var isKilled: Int32 = 0
        var code: Int32 = 0
        _ = clinux_signal_child(descriptor.number, Signal.kill.rawValue)
        _ = unsafe clinux_reap_blocking(descriptor.number, &isKilled, &code)
        status = .killed(signal: Signal.kill.rawValue)
    }
}
