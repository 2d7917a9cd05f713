/// Why waiting for readiness ended without readiness.
package enum ReadinessError: Error, Hashable, Sendable, CustomStringConvertible {
    case deadlineExceeded
    case cancelled
    /// The source was closed while somebody waited, or before.
    case closed

    package var description: String {
        switch self {
        case .deadlineExceeded: "deadline exceeded"
        case .cancelled: "cancelled"
        case .closed: "closed"
        }
    }
}

/// Awaitable readiness of one descriptor: the bridge from epoll's edges to `await`.
///
/// Use: try the call; on "would block" await `readable` or `writable`; try again. A return may be
/// spurious (an edge that came before the try), so it is always a loop. At most one task waits per
/// direction. Sendable because its state is touched only on the reactor's thread.
package final class ReadinessSource: EventHandler, @unchecked Sendable {
    package let reactor: Reactor

    /// One direction: an edge that nobody waited for yet, or the task that waits for one.
    private struct Side {
        var isReady = false
        var waiter: Suspension<ReadinessError?>?

        mutating func becameReady() {
            guard let waiter, waiter.isWaiting else {
                isReady = true
                return
            }
            self.waiter = nil
            waiter.finish(nil)
        }

        mutating func wait(_ suspension: Suspension<ReadinessError?>) {
            if isReady {
                isReady = false
                suspension.finish(nil)
            } else {
                precondition(waiter?.isWaiting != true, "two tasks wait for one direction")
                waiter = suspension
            }
        }

        mutating func close() {
            waiter?.finish(.closed)
            waiter = nil
        }
    }

    private var token = DescriptorToken.none
    private var isClosed = false
    private var readSide = Side()
    private var writeSide = Side()

    private init(on reactor: Reactor) {
        self.reactor = reactor
    }

    /// Watches a descriptor that stays the caller's.
    ///
    /// On the reactor's thread.
    package static func make(
        for descriptor: borrowing Descriptor,
        on reactor: Reactor
    ) throws(SystemError) -> ReadinessSource {
        try make(number: descriptor.number, on: reactor)
    }

    /// Watches a descriptor that a C library owns.
    ///
    /// On the reactor's thread.
    package static func make(
        number: Int32,
        on reactor: Reactor
    ) throws(SystemError) -> ReadinessSource {
        let source = ReadinessSource(on: reactor)
        source.token = try reactor.register(number: number, handler: source)
        return source
    }

    /// Stops watching; waiting tasks get `.closed`.
    ///
    /// Before the descriptor is closed. From any thread, at once when on the reactor's. Must be
    /// called: the reactor holds the source until then.
    package func close() {
        reactor.execute { reactor in
            guard !self.isClosed else { return }
            self.isClosed = true
            reactor.deregister(self.token)
            self.readSide.close()
            self.writeSide.close()
        }
    }

    /// Suspends until there may be something to read.
    package func readable(
        deadline: Reactor.Instant? = nil
    ) async throws(ReadinessError) {
        try await wait(isReading: true, deadline: deadline)
    }

    /// Suspends until there may be room to write, or a connect has its answer.
    package func writable(
        deadline: Reactor.Instant? = nil
    ) async throws(ReadinessError) {
        try await wait(isReading: false, deadline: deadline)
    }

    package func ready(_ events: ReadyEvents, on reactor: Reactor) {
        if events.isReadable { readSide.becameReady() }
        if events.isWritable { writeSide.becameReady() }
    }

    private func wait(isReading: Bool, deadline: Reactor.Instant?) async throws(ReadinessError) {
        let suspension = Suspension<ReadinessError?>(
            on: reactor,
            outcomeAtDeadline: .deadlineExceeded
        )
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                reactor.execute { _ in
                    self.begin(suspension, isReading: isReading)
                    suspension.begin(continuation, deadline: deadline)
                }
            }
        } onCancel: {
            reactor.post { _ in suspension.finish(.cancelled) }
        }
        if let failure { throw failure }
    }

    private func begin(_ suspension: Suspension<ReadinessError?>, isReading: Bool) {
        if isClosed {
            suspension.finish(.closed)
        } else if isReading {
            readSide.wait(suspension)
        } else {
            writeSide.wait(suspension)
        }
    }
}
